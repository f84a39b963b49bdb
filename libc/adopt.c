/* SPDX-License-Identifier: MIT
 *
 * libc/adopt.c: what becomes of connections when the program ends.
 *
 * Owns: the end of a process's stacks. A connection that was closed and still has
 * bytes or a FIN to deliver is written down (slipway/handover.h) and given to netd,
 * so that the exit waits for no peer; what netd does not take (there is none, it is
 * full, the manifest does not name it under `call`) is delivered by this process,
 * for some seconds at most. Context: exit. Lock: each context's.
 */
#include "net.h"
#include <slipway/handover.h>
#include <slipway/netdproto.h>
#include <string.h>

#define EXIT_LINGER_MS 5000
#define PAGE           4096u

void __libc_handover_name(const struct handover *h, struct net_port_op *op)
{
    bool dual = (h->flags & HANDOVERF_DUAL) != 0;
    uint8_t family = (h->flags & HANDOVERF_MAPPED) && !dual ? NET_INET : h->family;
    uint16_t link = h->scope != 0 ? (uint16_t)(h->scope - 1) : LINK_ANY;

    *op = (struct net_port_op){.target_pid = sys_getpid(), .is_flow = h->kind == HANDOVER_TCP};
    if (op->is_flow)
        op->flow = (struct net_flow_key){.family = family, .proto = NET_TCP, .link = link,
                                         .lport = h->lport, .rport = h->rport,
                                         .laddr = h->laddr, .raddr = h->raddr};
    else
        op->key = (struct net_port_key){.family = family,
                                        .proto = h->kind == HANDOVER_UDP ? NET_UDP : NET_TCP,
                                        .link = LINK_ANY, .port_lo = h->lport, .port_hi = h->lport,
                                        .addr = h->laddr};
}

/* Its flow stays with our endpoint until netd takes it, with what has come in. */
static int offer(const struct net_ctx *c, struct handover *h)
{
    struct net_port_op op;

    __libc_handover_name(h, &op);
    op.endpoint = c->handle;
    sys_net_kick(c->handle);
    int r = sys_port_transfer(&op);
    op.flags = PORT_OFFER;
    if (r == 0)
        r = sys_port_register(&op);
    h->registry_id = op.id;
    h->is_flow = op.is_flow;
    memcpy(h->token, op.secret, sizeof h->token);
    return r;
}

static int write_down(struct net_ctx *c, struct nsock *s, int handle, uint64_t bytes)
{
    uint64_t span = (bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    int64_t at = sys_memobj_map(handle, 0, 0, bytes, PROT_R | PROT_W);

    if (at < 0)
        return (int)at;
    int r = ns_export(s, (void *)at, bytes) == (int64_t)bytes ? offer(c, (struct handover *)at) : -EAGAIN;
    sys_mem_unmap((uint64_t)at, span);
    return r;
}

static int give(struct net_ctx *c, struct nsock *s)
{
    int64_t bytes = ns_export(s, NULL, 0);
    struct sys_msg m;

    if (bytes < 0)
        return (int)bytes;
    int handle = sys_memobj_create((uint64_t)bytes);
    if (handle < 0)
        return handle;
    int r = write_down(c, s, handle, (uint64_t)bytes);
    if (r == 0) {
        sys_msg_set(&m, NETD_ADOPT, NULL, 0);
        m.handle = handle;
        r = sys_ask("netd", &m, NETD_ADOPT_MS);
    }
    sys_handle_close(handle);
    if (r == 0)
        ns_forget(s);
    return r;
}

static void linger(struct net_ctx *c, uint64_t deadline)
{
    struct wait_item items[NET_SLEEP_ITEMS];
    struct net_waiter me = {.for_room = true};
    struct nsock *s;
    int r = 0;

    net_enter_in(c);
    c->cork = false;
    while (r == 0 && (s = ns_orphan(c->ns)) != NULL)
        r = give(c, s); /* C-ADOPT-1 */
    while (netstack_lingering(c->ns) > 0)
        if (net_sleep_masked(c, &me, items, 0, deadline, NULL) != 0)
            break;
    net_leave_in(c);
}

void __libc_net_exit(void)
{
    uint64_t deadline = 0;

    for (struct net_ctx *c = &__net_first; c != NULL; c = c->next) {
        if (c->ns == NULL)
            continue;
        if (deadline == 0) {
            fd_close_all(FILE_SOCKET);
            deadline = net_deadline_in(EXIT_LINGER_MS);
        }
        linger(c, deadline);
    }
}
