/* SPDX-License-Identifier: MIT
 *
 * servers/natd/main.c: the gateway's rings and its event loop.
 *
 *   nat.c   sessions; translation of TCP, UDP, ICMP queries, fragments
 *   icmp.c  ICMP errors
 *   setup.c arguments, addresses, ports, the name server
 *
 * natd owns the `forward` slot, where packets come in that are for other hosts,
 * a range of ports on the outside link, where their answers arrive, and port 53
 * of the inside address. It has one packet ring for all of them. A packet is
 * copied out of the ring, since it must not change while it is looked at, and is
 * translated and sent on. Nothing here blocks but the wait.
 */
#include "natd.h"
#include <errno.h>
#include <slipway/natproto.h>
#include <stdlib.h>
#include <string.h>

#define TURN_BUDGET 256
#define REFRESH_NS  (10ull * 1000000000) /* addresses are looked at anew, when there is traffic */
#define RETRY_NS    1000000000ull        /* while there is no outside address */

static struct natd natd;

/* --- packets ------------------------------------------------------------------- */

static void send_packet(struct natd *n, const uint8_t *p, size_t len, uint16_t link)
{
    if (ns_send_raw(n->stack, p, len, 0, link, NULL) < 0)
        n->not_sent++;
}

/* The pieces that are due. */
static void send_pieces(struct natd *n, uint64_t now_ns)
{
    static uint8_t piece[NATD_PACKET_MAX];
    struct natd_cut *c = &n->cut;

    while (c->len != 0 && c->next_ns <= now_ns) {
        size_t len = nat_cut(c->packet, c->len, c->mtu, &c->at, piece);
        if (len == 0) {
            c->len = 0;
            return;
        }
        send_packet(n, piece, len, c->link);
        if (c->bps != 0) /* ten bits a byte */
            c->next_ns = now_ns + (uint64_t)len * 10 * 1000000000 / c->bps;
    }
}

/* On to the other side, in pieces where that is narrower. */
static void pass_on(struct natd *n, const uint8_t *p, size_t len, bool inward, uint64_t now_ns)
{
    uint32_t mtu = inward ? n->nat.config.inside_mtu : n->nat.config.outside_mtu;
    struct natd_cut *c = &n->cut;

    if (len <= mtu) {
        send_packet(n, p, len, inward ? n->inside : n->outside);
    } else if (c->len != 0) {
        n->nat.drops[NAT_DROP_BUSY]++;
    } else {
        memcpy(c->packet, p, len);
        c->len = len;
        c->at = 0;
        c->mtu = mtu;
        c->bps = inward ? n->inside_bps : n->outside_bps;
        c->link = inward ? n->inside : n->outside;
        c->next_ns = now_ns;
        send_pieces(n, now_ns);
    }
}

/* Whom is a packet for? What came in on the inside link goes out, and only that:
 * the outside can't use us to get anywhere but to its own answers' owners. */
static void on_packet(struct natd *n, const struct net_rx *rx, const uint8_t *frame, uint64_t now_ns)
{
    static uint8_t p[NATD_PACKET_MAX];
    struct nat_result r;
    size_t len = 0;

    if (rx->l2_len <= rx->len && rx->len - rx->l2_len <= sizeof p) {
        memcpy(p, frame + rx->l2_len, rx->len - rx->l2_len);
        len = nat_packet_len(p, rx->len - rx->l2_len);
    }
    if (len == 0 || (rx->link != n->inside && (rx->link != n->outside || rx->slot != 0))) {
        n->nat.drops[len == 0 ? NAT_DROP_MALFORMED : NAT_DROP_SOURCE]++;
        return;
    }
    if (rx->link == n->inside) {
        nat_outbound(&n->nat, p, len, now_ns, &r);
        if (r.send)
            pass_on(n, p, len, false, now_ns);
    } else {
        nat_inbound(&n->nat, p, len, now_ns, &r);
        if (r.send)
            pass_on(n, p, len, true, now_ns);
    }
    if (r.reply_len != 0)
        send_packet(n, r.reply, r.reply_len, rx->link);
}

static void drain(struct natd *n)
{
    uint64_t now_ns = sys_now_ns();

    for (int i = 0; i < TURN_BUDGET; i++) {
        const struct net_rx *rx = ns_ring_peek(n->ring, &n->rx_tail);
        if (rx == NULL)
            return;
        on_packet(n, rx, (const uint8_t *)(rx + 1), now_ns);
        ns_ring_pop(n->ring, &n->rx_tail, rx);
    }
}

/* --- requests -------------------------------------------------------------------- */

static void answer_request(struct natd *n)
{
    struct sys_msg m;
    uint32_t index = 0;

    if (sys_recv(n->endpoint, &m, 0) != 0 || m.token == 0)
        return;
    uint64_t token = m.token;
    if (m.handle >= 0)
        sys_handle_close(m.handle);
    if (m.len >= sizeof index)
        memcpy(&index, m.data, sizeof index);
    if (m.type == NAT_STATUS) {
        struct nat_status s = {.translated_out = n->nat.translated_out,
                               .translated_in = n->nat.translated_in,
                               .evicted = n->nat.evicted,
                               .not_sent = n->not_sent,
                               .sessions = n->nat.sessions};
        memcpy(s.outside, &n->nat.config.outside_addr, 4);
        memcpy(s.inside_link, n->inside_name, sizeof s.inside_link);
        memcpy(s.outside_link, n->outside_name, sizeof s.outside_link);
        sys_msg_set(&m, 0, &s, sizeof s);
    } else if (m.type == NAT_DROP && index < NAT_DROPS) {
        struct nat_drop_status d = {.count = n->nat.drops[index]};
        strncpy(d.name, nat_drop_name(index), sizeof d.name - 1);
        sys_msg_set(&m, 0, &d, sizeof d);
    } else {
        sys_msg_set(&m, m.type == NAT_DROP ? (uint32_t)-ENOENT : (uint32_t)-ENOSYS, NULL, 0);
    }
    sys_reply(token, &m);
}

/* --- loop ---------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    struct natd *n = &natd;
    struct wait_item items[2] = {{.kind = WAIT_HANDLE, .want = READY_IN},
                                 {.kind = WAIT_HANDLE, .want = READY_IN}};
    uint64_t looked_ns = 0;

    natd_setup(n, argc, argv); /* ends the process when it can't be */
    items[0].handle = n->net;
    items[1].handle = n->endpoint;
    sys_ready();
    for (;;) {
        bool ready = n->nat.config.outside_addr != 0;
        uint64_t deadline = ready ? SYS_NO_DEADLINE : sys_now_ns() + RETRY_NS;
        int r = sys_wait(items, 2, n->cut.len != 0 && n->cut.next_ns < deadline ? n->cut.next_ns : deadline);
        if (r < 0 && r != -ETIMEDOUT && r != -EINTR) {
            sys_logf(SYS_LOG_ERROR, "wait: error %d", -r);
            return 1;
        }
        if (!ready || sys_now_ns() - looked_ns > REFRESH_NS) {
            natd_refresh(n);
            looked_ns = sys_now_ns();
        }
        netstack_run(n->stack, 0); /* takes completions back; packets are ours */
        send_pieces(n, sys_now_ns());
        drain(n);
        if (r > 0 && (items[1].got & READY_IN))
            answer_request(n);
    }
}
