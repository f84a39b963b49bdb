/* SPDX-License-Identifier: MIT
 *
 * servers/netd/adopt.c: connections whose processes have ended.
 *
 * Owns: a protocol stack of its own for them, which exists while there are any. A
 * process that exits writes down each connection that it has closed and that has
 * bytes or a FIN to deliver (slipway/handover.h); netd shows the token to the
 * kernel, gets the packets, and delivers the rest. Bounded in number and in bytes:
 * what does not fit stays with the process that asks. When netd ends, so do they:
 * the peer's next segment is answered with RST.
 */
#include "netd.h"
#include <slipway/handover.h>
#include <stdlib.h>
#include <string.h>

#define ADOPTED_MAX   64
#define ARENA_BYTES   (512u * 1024)
#define TX_ENTRIES    64u
#define BLOCK         2048u
#define RECORD_MAX    (ARENA_BYTES + 65536u)
#define PAGE          4096u

static struct netstack *stack_of(struct netd *n)
{
    static const struct ns_config config = {.sockets_max = ADOPTED_MAX, .tcp_rcvbuf = 4096, .time_wait_ms = 1};
    struct sys_net_open rings = {
        .rx_bytes = NET_RING_RX_MIN, .tx_entries = TX_ENTRIES, .arena_bytes = ARENA_BYTES};

    return netd_side_open(&n->adopt.side, &config, rings);
}

/* Blocks of the arena that are spoken for: each connection's last is partly empty. */
static bool fits(struct netd *n, uint64_t bytes)
{
    static struct ns_conn_info list[ADOPTED_MAX];
    unsigned have = ns_list(n->adopt.side.stack, list, ADOPTED_MAX);
    uint64_t blocks = bytes / BLOCK + 2;

    for (unsigned i = 0; i < have; i++)
        blocks += list[i].snd_queued / BLOCK + 2;
    return have < ADOPTED_MAX && blocks <= (ARENA_BYTES - TX_ENTRIES * NET_TX_HDR_MAX) / BLOCK; /* C-ADOPT-2 */
}

static int take(struct netd *n, const struct handover *h, uint64_t bytes)
{
    struct net_port_op op = {
        .endpoint = n->adopt.side.handle, .flags = PORT_TAKE, .is_flow = 1, .id = h->registry_id};
    struct nsock *s = NULL;

    if (h->kind != HANDOVER_TCP || (h->flags & HANDOVERF_ORPHAN) == 0)
        return -EINVAL;
    memcpy(op.secret, h->token, sizeof(op.secret));
    int r = sys_port_transfer(&op);
    if (r < 0)
        return r;
    r = ns_import(n->adopt.side.stack, h, bytes, &op, &s);
    if (r < 0) {
        op.endpoint = -1;
        sys_port_unregister(&op); /* the peer hears that nobody is here */
        n->adopt.lost++;
    }
    return r;
}

/* The record is copied out first: its maker still has it mapped. */
static int copy_in(int handle, struct handover **out, uint64_t *bytes)
{
    int64_t at = sys_memobj_map(handle, 0, 0, PAGE, PROT_R);

    if (at < 0)
        return (int)at;
    *bytes = ((const struct handover *)at)->bytes;
    sys_mem_unmap((uint64_t)at, PAGE);
    if (*bytes < sizeof(**out) || *bytes > RECORD_MAX)
        return -EMSGSIZE;
    at = sys_memobj_map(handle, 0, 0, *bytes, PROT_R);
    if (at < 0)
        return (int)at;
    *out = malloc(*bytes);
    if (*out != NULL)
        memcpy(*out, (const void *)at, *bytes);
    sys_mem_unmap((uint64_t)at, (*bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1));
    return *out != NULL ? 0 : -ENOMEM;
}

int adopt_request(struct netd *n, int handle)
{
    struct handover *h = NULL;
    uint64_t bytes = 0;
    int r = handle < 0 ? -EINVAL : copy_in(handle, &h, &bytes);

    if (r == 0 && stack_of(n) == NULL)
        r = -ENOMEM;
    if (r == 0 && !fits(n, bytes))
        r = -ENOBUFS;
    if (r == 0)
        r = take(n, h, bytes);
    free(h);
    if (r == 0)
        n->adopt.taken++;
    else
        n->adopt.refused++;
    return r;
}

uint64_t adopt_deadline(struct netd *n)
{
    return n->adopt.side.stack ? netstack_deadline(n->adopt.side.stack) : UINT64_MAX;
}

void adopt_run(struct netd *n)
{
    struct netd_adopt *a = &n->adopt;

    if (!a->side.stack)
        return;
    netstack_run(a->side.stack, NETD_TURN_BUDGET);
    if (netstack_sockets(a->side.stack) != 0)
        return;
    sys_net_kick(a->side.handle); /* the last acknowledgement */
    netstack_destroy(a->side.stack);
    sys_handle_close(a->side.handle);
    a->side.stack = NULL;
}

void adopt_status(const struct netd *n, struct netd_adopted *out)
{
    *out = (struct netd_adopted){.open = n->adopt.side.stack ? netstack_sockets(n->adopt.side.stack) : 0,
                                 .taken = n->adopt.taken,
                                 .refused = n->adopt.refused,
                                 .lost = n->adopt.lost};
}
