/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/fuzz_stack.c: libFuzzer entry: any packets for a stack that has a
 * listener, a connection, datagram sockets and an echo socket, and answers for
 * the host like netd does: IPv4 and IPv6 input, ICMP, UDP, TCP.
 *
 * The input is a row of packets: a byte of flags (below), two bytes of length,
 * the packet. What must hold: no access out of bounds, every packet that comes
 * out is well-formed, nothing is left when the stack goes.
 */
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEND  0x01u /* lengths and checksums are made right */
#define TO_US 0x02u /* it comes from the peer to this stack */
#define LATER 0x04u /* 250 ms after the one before */
#define MAC   0x08u /* with a link header, as in a default slot's ring */
#define HURRY 0x10u /* its time is the next deadline */
#define OURS  0x20u /* TCP: to the connection, near what it expects */

#define PACKETS 40

static struct nsock *listener, *connection, *datagram[4];
static unsigned ndatagrams;

static void open_datagram(uint8_t family, int type, uint16_t port, bool connected)
{
    struct ns_addr a = {.family = family, .port = port};
    struct nsock *s;

    if (ns_socket(wire.side[0].ns, family, type, &s) != 0)
        return;
    datagram[ndatagrams++] = s;
    ns_bind(s, &a);
    a.addr = wire_address(family, 2);
    a.port = 53;
    if (connected)
        ns_connect(s, &a);
}

/* Ours goes out, the peer's answer comes in. */
static void connect_out(void)
{
    struct side *s = &wire.side[0];
    struct ns_addr to = {.family = NET_INET, .port = 4000, .addr = wire_address(NET_INET, 2)};
    struct net_addr from = to.addr, us = wire_address(NET_INET, 1);
    uint8_t b[80] = {0};
    struct packet *p;
    uint32_t n;

    MUST(ns_socket(s->ns, NET_INET, NS_STREAM, &connection) == 0);
    MUST(ns_connect(connection, &to) == -EINPROGRESS);
    side_run(s);
    p = side_take(s);
    MUST(p != NULL && p->len >= 40);
    n = 40 + tcp_put_syn_options(b + 40, 1460, 7, true, true, 100, 0);
    ip4_header(b, n, 0, IP4_DF, 64, NET_TCP, &from, &us);
    memcpy(b + 20, p->b + 22, 2);
    memcpy(b + 22, p->b + 20, 2);
    put32(b + 24, 0x10000);
    put32(b + 28, get32(p->b + 24) + 1);
    b[32] = (uint8_t)((n - 20) / 4 << 4);
    b[33] = TCP_SYN | TCP_ACK;
    put16(b + 34, 65535);
    packet_mend(b, n);
    free(p);
    side_input(s, b, n);
    MUST(((struct tcb *)connection)->state == TCP_ESTABLISHED);
    ns_send(connection, "0123456789abcdefghijklmnopqrstuvwxyz", 36, 0, NULL);
    side_run(s);
}

static void address(uint8_t *b, uint32_t n)
{
    struct net_addr peer = wire_address(NET_INET, 2), us = wire_address(NET_INET, 1);

    if (n >= 20 && b[0] >> 4 == 4) {
        memcpy(b + 12, peer.b, 4);
        memcpy(b + 16, us.b, 4);
    } else if (n >= 40 && b[0] >> 4 == 6) {
        peer = wire_address(NET_INET6, 2);
        us = wire_address(NET_INET6, 1);
        memcpy(b + 8, peer.b, 16);
        memcpy(b + 24, us.b, 16);
    }
}

/* The numbers in the packet are distances from what the connection expects. */
static void aim(uint8_t *b, uint32_t n)
{
    const struct tcb *t = (const struct tcb *)connection;
    uint32_t h = n >= 20 ? head_len(b) : n;

    if (n < h + 20 || b[0] >> 4 != 4)
        return;
    b[9] = NET_TCP;
    put16(b + h, t->node.rport);
    put16(b + h + 2, t->node.lport);
    put32(b + h + 4, t->rcv_nxt + (uint32_t)(int16_t)get16(b + h + 4));
    put32(b + h + 8, t->snd_una + (uint32_t)(int16_t)get16(b + h + 8));
}

static void arrive(uint8_t flags, uint8_t *b, uint32_t n)
{
    struct side *s = &wire.side[0];
    struct net_rx rx = {.kind = RX_PACKET, .link = 1};
    uint64_t due;
    uint8_t *exact;

    if (flags & TO_US)
        address(b, n);
    if (flags & OURS)
        aim(b, n);
    if (flags & MEND)
        packet_mend(b, n);
    due = netstack_deadline(s->ns);
    if ((flags & HURRY) && due != NS_NEVER && due > wire.now)
        wire.now = due;
    if (flags & LATER)
        wire.now += 250 * NS_MS;
    rx.l2_len = flags & MAC ? 14 : 0;
    rx.slot = flags & MAC ? SLOT_ICMP + 1 : 0;
    rx.len = n + rx.l2_len;
    rx.time_ns = wire.now;
    exact = calloc(1, rx.len != 0 ? rx.len : 1);
    memcpy(exact + rx.l2_len, b, n);
    if (rx.l2_len != 0)
        put16(exact + 12, n != 0 && b[0] >> 4 == 6 ? 0x86dd : 0x0800);
    netstack_input(s->ns, &rx, exact);
    free(exact);
    side_run(s);
}

static void read_all(void)
{
    uint8_t b[512];
    struct ns_addr from;
    struct nsock *s;

    for (unsigned i = 0; i < ndatagrams; i++) {
        int r = ns_recv(datagram[i], b, sizeof(b), 0, &from);
        if (r > 0 && from.port != 0)
            ns_send(datagram[i], b, (size_t)r, 0, &from);
        ns_events(datagram[i]);
    }
    ns_recv(connection, b, 100, 0, NULL);
    ns_events(connection);
    if (ns_accept(listener, &s, NULL) == 0)
        ns_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ns_config cfg = {.tcp_sndbuf = 8192,
                            .tcp_rcvbuf = 8192,
                            .sockets_max = 16,
                            .icmp_echo_reply = true,
                            .reset_unbound = true};
    struct ns_addr at = {.family = NET_INET, .port = 80};
    struct bytes in = {data, size};
    struct packet *p;

    wire_start();
    side_start(0, &cfg);
    ndatagrams = 0;
    MUST(ns_socket(wire.side[0].ns, NET_INET, NS_STREAM, &listener) == 0);
    MUST(ns_bind(listener, &at) == 0 && ns_listen(listener, 2) == 0);
    open_datagram(NET_INET, NS_DGRAM, 7, false);
    open_datagram(NET_INET, NS_DGRAM, 9, true);
    open_datagram(NET_INET, NS_ICMP, 5, false);
    open_datagram(NET_INET6, NS_DGRAM, 7, false);
    connect_out();
    for (unsigned i = 0; i < PACKETS && in.n > 3; i++) {
        uint8_t flags = (uint8_t)take8(&in), b[2048];
        uint32_t n = take16(&in) % sizeof(b);

        n = n < in.n ? n : (uint32_t)in.n;
        memcpy(b, in.p, n);
        in.p += n;
        in.n -= n;
        arrive(flags, b, n);
        read_all();
        while ((p = side_take(&wire.side[0])) != NULL)
            free(p);
    }
    side_stop(&wire.side[0]);
    MUST(wire.allocations == 0);
    return 0;
}
