/* SPDX-License-Identifier: MIT
 *
 * net/stack/sockopt.c: socket options, and the list that netstat shows.
 */
#include <net/stack/tcp.h>

#define BUF_MIN 2048u
#define BUF_MAX (4u * 1024 * 1024)

static uint32_t clamp_buf(int v)
{
    return v < (int)BUF_MIN ? BUF_MIN : v > (int)BUF_MAX ? BUF_MAX : (uint32_t)v;
}

static int set_tcp(struct tcb *t, enum ns_opt o, int v)
{
    switch (o) {
    case NSO_NODELAY:
        t->nodelay = v != 0;
        if (t->nodelay && t->state >= TCP_ESTABLISHED) {
            ns_clock(t->s.ns);
            tcp_output(t);
        }
        return 0;
    case NSO_KEEPALIVE:
        t->keepalive = v != 0;
        tcp_arm_keepalive(t);
        return 0;
    case NSO_KEEPIDLE:
    case NSO_KEEPINTVL:
    case NSO_KEEPCNT:
        if (v < 1 || v > 32767)
            return -EINVAL;
        *(o == NSO_KEEPIDLE    ? &t->keep_idle_s
          : o == NSO_KEEPINTVL ? &t->keep_interval_s
                               : &t->keep_probes) = (uint32_t)v;
        tcp_arm_keepalive(t);
        return 0;
    case NSO_USER_TIMEOUT:
        if (v < 0)
            return -EINVAL;
        t->user_timeout_ms = (uint32_t)v;
        return 0;
    case NSO_LINGER:
        t->linger_s = v;
        return 0;
    case NSO_CONGESTION:
        if (tcp_cc_by_id(v) == NULL)
            return -ENOENT;
        tcp_cc_set(t, tcp_cc_by_id(v));
        return 0;
    case NSO_SNDBUF:
        t->sndbuf_limit = clamp_buf(v);
        t->snd_auto = false;
        return 0;
    case NSO_RCVBUF:
        tcp_rcvbuf_fix(t, clamp_buf(v));
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

int ns_setopt(struct nsock *s, enum ns_opt o, int v)
{
    switch (o) {
    case NSO_REUSEADDR:
        s->reuseaddr = v != 0;
        return 0;
    case NSO_REUSEPORT:
        if (s->port != NULL)
            return -EINVAL;
        s->reuseport = v != 0;
        return 0;
    case NSO_V6ONLY:
        if (s->family != NET_INET6 || s->port != NULL)
            return -EINVAL;
        s->v6only = v != 0;
        return 0;
    case NSO_BROADCAST:
        s->broadcast = v != 0;
        return 0;
    case NSO_TTL:
    case NSO_TOS:
        if (v < (o == NSO_TTL) || v > 255)
            return -EINVAL;
        if (o == NSO_TOS && s->type != NS_STREAM)
            return -ENOPROTOOPT;
        *(o == NSO_TTL ? &s->ttl : &s->tos) = (uint8_t)(o == NSO_TTL ? v : v & 0xfc); /* two bits are ECN's */
        if (s->type == NS_STREAM && ((struct tcb *)s)->state >= TCP_SYN_SENT)
            tcb_set_path((struct tcb *)s, &((struct tcb *)s)->path);
        return 0;
    default:
        break;
    }
    if (s->type == NS_STREAM)
        return set_tcp((struct tcb *)s, o, v);
    if (o == NSO_RCVBUF)
        ((struct dsock *)s)->rcvbuf = clamp_buf(v);
    else if (o != NSO_SNDBUF) /* a datagram is sent or refused at once */
        return -ENOPROTOOPT;
    return 0;
}

static int get_tcp(const struct tcb *t, enum ns_opt o, int *v)
{
    switch (o) {
    case NSO_NODELAY:
        *v = t->nodelay;
        return 0;
    case NSO_KEEPALIVE:
        *v = t->keepalive;
        return 0;
    case NSO_KEEPIDLE:
        *v = (int)t->keep_idle_s;
        return 0;
    case NSO_KEEPINTVL:
        *v = (int)t->keep_interval_s;
        return 0;
    case NSO_KEEPCNT:
        *v = (int)t->keep_probes;
        return 0;
    case NSO_USER_TIMEOUT:
        *v = (int)t->user_timeout_ms;
        return 0;
    case NSO_LINGER:
        *v = t->linger_s;
        return 0;
    case NSO_CONGESTION:
        *v = tcp_cc_id(t->cc);
        return 0;
    case NSO_SNDBUF:
        *v = (int)tcp_sndbuf(t);
        return 0;
    case NSO_RCVBUF:
        *v = (int)t->rcvbuf_limit;
        return 0;
    case NSO_ACCEPTCONN:
        *v = t->state == TCP_LISTEN;
        return 0;
    case NSO_INQ:
        *v = (int)t->rcv.bytes;
        return 0;
    case NSO_OUTQ:
        *v = (int)t->snd.bytes;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

int ns_getopt(struct nsock *s, enum ns_opt o, int *v)
{
    switch (o) {
    case NSO_ERROR:
        *v = s->error;
        s->error = 0;
        return 0;
    case NSO_TYPE:
        *v = s->type;
        return 0;
    case NSO_TTL:
        *v = s->ttl;
        return 0;
    case NSO_TOS:
        *v = s->tos;
        return s->type == NS_STREAM ? 0 : -ENOPROTOOPT;
    case NSO_REUSEADDR:
        *v = s->reuseaddr;
        return 0;
    case NSO_REUSEPORT:
        *v = s->reuseport;
        return 0;
    case NSO_V6ONLY:
        if (s->family != NET_INET6)
            return -EINVAL;
        *v = s->v6only;
        return 0;
    case NSO_BROADCAST:
        *v = s->broadcast;
        return 0;
    default:
        break;
    }
    if (s->type == NS_STREAM)
        return get_tcp((const struct tcb *)s, o, v);
    switch (o) {
    case NSO_RCVBUF:
    case NSO_SNDBUF:
        *v = (int)((const struct dsock *)s)->rcvbuf;
        return 0;
    case NSO_INQ:
        *v = dgram_next_len((const struct dsock *)s);
        return 0;
    case NSO_ACCEPTCONN:
        *v = 0;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static void list_name(struct ns_addr *a, const struct tcp_node *n, bool local)
{
    a->family = net_family(n->net);
    a->port = local ? n->lport : n->rport;
    a->addr = local ? n->laddr : n->raddr;
}

static void list_sock(const struct nsock *s, struct ns_conn_info *i)
{
    i->proto = s->proto;
    i->local = s->local;
    i->peer = s->peer;
    i->local.family = s->local.family != 0 ? s->local.family : s->family;
    i->peer.family = s->peer.family != 0 ? s->peer.family : i->local.family;
    if (s->type == NS_STREAM) {
        const struct tcb *t = (const struct tcb *)s;
        i->state = t->state;
        i->snd_queued = t->snd.bytes;
        i->rcv_queued = t->rcv.bytes;
        i->cwnd = t->cwnd;
        i->srtt_us = t->srtt_us;
        i->rto_ms = (uint32_t)(tcp_rto(t) / NS_MS);
        i->retransmits = t->retransmits;
    } else {
        i->rcv_queued = ((const struct dsock *)s)->q.bytes;
    }
}

unsigned ns_list(const struct netstack *ns, struct ns_conn_info *out, unsigned max)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < ns->socks_room && n < max; i++) {
        if (ns->socks[i] == NULL)
            continue;
        memset(&out[n], 0, sizeof(out[n]));
        list_sock(ns->socks[i], &out[n++]);
    }
    for (uint32_t b = 0; b <= ns->conn_mask && n < max; b++) {
        for (const struct tcp_node *c = ns->conn[b]; c != NULL && n < max; c = c->next) {
            if (c->kind == NODE_TCB)
                continue;
            memset(&out[n], 0, sizeof(out[n]));
            out[n].proto = NET_TCP;
            out[n].state = c->kind == NODE_SYN ? TCP_SYN_RCVD : TCP_TIME_WAIT;
            list_name(&out[n].local, c, true);
            list_name(&out[n++].peer, c, false);
        }
    }
    return n;
}
