/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/fuzz_handover.c: libFuzzer entry: damaged hand-over records
 * (slipway/handover.h). The target makes a record itself, of a connection, a
 * listener or a UDP socket; the input says which, and changes it byte by byte:
 * so it stays a fuzzer of the record's form, whatever the version.
 *
 * What must hold: the record is refused, or what comes of it lives, is spoken to
 * by its peer and the clock, and leaves nothing behind.
 */
#include "wire.h"
#include <slipway/handover.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PORT 80

static uint64_t record[16 * 1024];

static void carry(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        for (unsigned side = 0; side < 2; side++) {
            struct packet *p = side_take(&wire.side[side]);
            if (p != NULL)
                side_input(&wire.side[side ^ 1], p->b, p->len);
            free(p);
        }
    }
}

/* A connection with text under way both ways, and a piece ahead of its turn. */
static struct nsock *make_connection(struct nsock **listener, struct nsock **client, bool accept)
{
    struct ns_addr at = {.family = NET_INET, .port = PORT};
    struct nsock *s = NULL;

    MUST(ns_socket(wire.side[0].ns, NET_INET, NS_STREAM, listener) == 0);
    MUST(ns_bind(*listener, &at) == 0 && ns_listen(*listener, 2) == 0);
    at.addr = wire_address(NET_INET, 1);
    MUST(ns_socket(wire.side[1].ns, NET_INET, NS_STREAM, client) == 0);
    ns_connect(*client, &at);
    side_run(&wire.side[1]);
    carry(3);
    if (accept)
        MUST(ns_accept(*listener, &s, NULL) == 0);
    ns_send(*client, "one", 3, 0, NULL);
    side_run(&wire.side[1]);
    carry(2);
    ns_send(*client, "two", 3, 0, NULL);
    side_run(&wire.side[1]);
    free(side_take(&wire.side[1]));
    ns_setopt(*client, NSO_NODELAY, 1);
    ns_send(*client, "three", 5, 0, NULL);
    side_run(&wire.side[1]);
    carry(1);
    if (accept)
        ns_send(s, "an answer that is not acknowledged", 34, 0, NULL);
    side_run(&wire.side[0]);
    return s;
}

static struct nsock *make_udp(void)
{
    struct ns_addr at = {.family = NET_INET, .port = PORT};
    struct net_addr from = wire_address(NET_INET, 2), to = wire_address(NET_INET, 1);
    uint8_t b[48] = {0};
    struct nsock *s;

    MUST(ns_socket(wire.side[0].ns, NET_INET, NS_DGRAM, &s) == 0 && ns_bind(s, &at) == 0);
    ip4_header(b, sizeof(b), 0, 0, 64, NET_UDP, &from, &to);
    put16(b + 20, 99);
    put16(b + 22, PORT);
    put16(b + 24, 28);
    packet_mend(b, sizeof(b));
    side_input(&wire.side[0], b, sizeof(b));
    return s;
}

/* Pairs of place and change; the last ones cut the record or lie about its size. */
static size_t damage(struct bytes *in, size_t n)
{
    uint8_t *b = (uint8_t *)record;

    while (in->n >= 4) {
        uint32_t at = take16(in), by = take16(in);
        if (at % n + 2 <= n && (at & 0x8000) == 0)
            put16(b + at % n, (uint16_t)(get16(b + at % n) ^ by));
        else if ((at & 0x4000) != 0)
            n = by % n + 1;
        else
            b[at % n] = (uint8_t)by;
    }
    return n;
}

static void live_on(struct nsock *s)
{
    uint8_t b[64];
    struct nsock *a;

    for (int i = 0; i < 12; i++) {
        uint64_t due = netstack_deadline(wire.side[0].ns);
        if (s != NULL) {
            ns_recv(s, b, sizeof(b), 0, NULL);
            ns_send(s, b, 40, 0, NULL);
            ns_events(s);
            if (ns_accept(s, &a, NULL) == 0)
                ns_close(a);
        }
        side_run(&wire.side[0]);
        carry(4);
        if (due != NS_NEVER && due > wire.now)
            wire.now = due;
        side_run(&wire.side[0]);
    }
    if (s != NULL)
        ns_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ns_config cfg = {.tcp_sndbuf = 8192, .tcp_rcvbuf = 8192, .sockets_max = 16};
    struct bytes in = {data, size};
    struct nsock *s, *listener = NULL, *client = NULL;
    uint32_t what = take8(&in);
    uint64_t *exact;
    int64_t n;

    wire_start();
    side_start(0, &cfg);
    side_start(1, &cfg);
    if (what % 3 == 0) {
        s = make_connection(&listener, &client, true);
    } else if (what % 3 == 1) {
        make_connection(&listener, &client, false);
        s = listener;
    } else {
        s = make_udp();
    }
    n = ns_export(s, record, sizeof(record));
    MUST(n > 0 && n <= (int64_t)sizeof(record));
    ns_forget(s);
    n = (int64_t)damage(&in, (size_t)n);
    exact = malloc((size_t)n);
    memcpy(exact, record, (size_t)n);
    s = NULL;
    if (ns_import(wire.side[0].ns, exact, (size_t)n, NULL, &s) != 0) /* C-MOVE-1 */
        s = NULL;
    free(exact);
    live_on(s);
    side_stop(&wire.side[0]);
    side_stop(&wire.side[1]);
    MUST(wire.allocations == 0);
    return 0;
}
