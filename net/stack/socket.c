/* SPDX-License-Identifier: MIT
 *
 * net/stack/socket.c: the calls of netstack.h, the same for every kind of
 * socket, and the table of sockets.
 *
 * Owns: ns->socks (index and serial number name a socket in cookies), the list
 * of closed sockets that are freed when the outermost call ends.
 */
#include <net/stack/tcp.h>

/* --- the table ----------------------------------------------------------------- */
/* The places follow each other in one block; the free ones are a list, so that
 * the ten-thousandth socket costs what the first did. */
static int table_grow(struct netstack *ns)
{
    uint32_t room = ns->socks_room != 0 ? ns->socks_room * 2 : 16;
    struct nsock **bigger = ns_alloc(ns, room * (sizeof(*bigger) + sizeof(*ns->socks_next)));
    uint32_t *next = (uint32_t *)(void *)(bigger + room);

    if (bigger == NULL)
        return -ENOMEM;
    if (ns->socks != NULL) {
        memcpy(bigger, ns->socks, ns->socks_room * sizeof(*bigger));
        ns_free(ns, ns->socks);
    }
    for (uint32_t i = ns->socks_room; i < room; i++)
        next[i] = i + 1 < room ? i + 1 : NS_NONE;
    ns->socks_free = ns->socks_room; /* all below are taken */
    ns->socks = bigger;
    ns->socks_next = next;
    ns->socks_room = room;
    return 0;
}

int sock_add(struct netstack *ns, struct nsock *s)
{
    uint32_t i;

    if (ns->nsocks >= ns->cfg.sockets_max)
        return -EMFILE;
    if (ns->nsocks == ns->socks_room && table_grow(ns) != 0)
        return -ENOMEM;
    i = ns->socks_free; /* C-EVENT-2 */
    ns->socks_free = ns->socks_next[i];
    ns->socks[i] = s;
    ns->nsocks++;
    s->index = i;
    s->serial = ++ns->serial;
    return 0;
}

void sock_remove(struct nsock *s)
{
    struct netstack *ns = s->ns;

    if (ns->socks[s->index] != s)
        return; /* already on its way */
    ns->socks[s->index] = NULL;
    ns->socks_next[s->index] = ns->socks_free;
    ns->socks_free = s->index;
    ns->nsocks--;
    s->reap_next = ns->reap;
    ns->reap = s;
}

void sock_reap(struct netstack *ns)
{
    while (ns->reap != NULL) {
        struct nsock *s = ns->reap;
        ns->reap = s->reap_next;
        if (s->type == NS_STREAM)
            tcb_free((struct tcb *)s);
        else
            ns_free(ns, s);
    }
}

struct nsock *sock_by_cookie(struct netstack *ns, uint64_t cookie)
{
    uint32_t i = (uint32_t)(cookie >> 32) & 0xffffff;

    if (i >= ns->socks_room || ns->socks[i] == NULL || ns->socks[i]->serial != (uint32_t)cookie)
        return NULL;
    return ns->socks[i];
}

void sock_error(struct nsock *s, int positive_errno)
{
    s->error = positive_errno;
    sock_changed(s);
}

/* --- calls ------------------------------------------------------------------------ */
static struct tcb *stream(struct nsock *s)
{
    return s->type == NS_STREAM ? (struct tcb *)s : NULL;
}

int ns_socket(struct netstack *ns, int family, int type, struct nsock **out)
{
    if (family != NET_INET && family != NET_INET6)
        return -EAFNOSUPPORT;
    if (type == NS_STREAM)
        return tcp_socket(ns, (uint8_t)family, out);
    if (type == NS_DGRAM || type == NS_ICMP)
        return dgram_socket(ns, (uint8_t)family, type, out);
    return -EPROTONOSUPPORT;
}

int ns_bind(struct nsock *s, const struct ns_addr *a)
{
    struct ns_addr name;
    int r = sock_name_in(s, a, &name);

    if (r != 0)
        return r;
    return stream(s) != NULL ? tcp_bind(stream(s), &name) : dgram_bind((struct dsock *)s, &name);
}

int ns_listen(struct nsock *s, int backlog)
{
    return stream(s) != NULL ? tcp_listen(stream(s), backlog) : -EOPNOTSUPP;
}

int ns_accept(struct nsock *s, struct nsock **out, struct ns_addr *peer)
{
    return stream(s) != NULL ? tcp_accept(stream(s), out, peer) : -EOPNOTSUPP;
}

int ns_connect(struct nsock *s, const struct ns_addr *a)
{
    struct ns_addr name;
    int r;

    if (stream(s) == NULL)
        return dgram_connect((struct dsock *)s, a);
    if ((r = sock_name_in(s, a, &name)) != 0)
        return r;
    r = tcp_connect(stream(s), &name);
    sock_reap(s->ns);
    return r;
}

int ns_send(struct nsock *s, const void *buf, size_t n, int flags, const struct ns_addr *to)
{
    (void)flags;
    if (stream(s) != NULL)
        return to != NULL ? -EISCONN : tcp_send(stream(s), buf, n);
    return dgram_send((struct dsock *)s, buf, n, to);
}

int ns_recv(struct nsock *s, void *buf, size_t n, int flags, struct ns_addr *from)
{
    if (stream(s) == NULL)
        return dgram_recv((struct dsock *)s, buf, n, flags, from);
    if (from != NULL) {
        *from = s->peer;
        sock_name_out(s, from);
    }
    return tcp_recv(stream(s), buf, n, flags);
}

int ns_post(struct nsock *s, void *buf, size_t n)
{
    return stream(s) != NULL ? tcp_post(stream(s), buf, n) : -EOPNOTSUPP;
}

int ns_posted(struct nsock *s)
{
    return stream(s) != NULL ? tcp_posted(stream(s)) : 0;
}

int ns_shutdown(struct nsock *s, int how)
{
    return stream(s) != NULL ? tcp_shutdown(stream(s), how) : dgram_shutdown((struct dsock *)s, how);
}

void ns_close(struct nsock *s)
{
    struct netstack *ns = s->ns;

    if (stream(s) != NULL)
        tcp_close(stream(s));
    else
        dgram_close((struct dsock *)s);
    sock_reap(ns);
}

int ns_getname(const struct nsock *s, struct ns_addr *local)
{
    *local = s->local;
    sock_name_out(s, local);
    return 0;
}

int ns_getpeer(const struct nsock *s, struct ns_addr *peer)
{
    if (s->peer.port == 0 && addr_any(&s->peer.addr))
        return -ENOTCONN;
    if (s->type == NS_STREAM) {
        uint8_t st = ((const struct tcb *)s)->state;
        if (st <= TCP_SYN_RCVD)
            return -ENOTCONN;
    }
    *peer = s->peer;
    sock_name_out(s, peer);
    return 0;
}

unsigned ns_events(const struct nsock *s)
{
    return s->type == NS_STREAM ? tcp_events((const struct tcb *)s) : dgram_events((const struct dsock *)s);
}

bool ns_starved(const struct nsock *s)
{
    const struct tcb *t = (const struct tcb *)s;
    return s->type != NS_STREAM || t->snd.bytes <= tcp_sndbuf(t) / 4 * 3;
}

uint64_t ns_generation(const struct netstack *ns)
{
    return ns->generation;
}

void ns_set_user(struct nsock *s, void *user)
{
    s->user = user;
}

void ns_watch(struct nsock *s)
{
    s->watched = s->ns->env.changed != NULL;
}

void *ns_user(const struct nsock *s)
{
    return s->user;
}

const struct ns_counters *ns_counters(const struct netstack *ns)
{
    return &ns->count;
}
