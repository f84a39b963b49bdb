/* SPDX-License-Identifier: MIT
 *
 * servers/netd/names.c: the resolver for all processes: requests come in as messages,
 * questions go out from sockets of a stack that netd has for its own errands.
 *
 * Owns: n->names. That stack has a ring of its own, opened with the first question, so
 * that no flood of what else netd takes care of can push an answer out.
 */
#include "netd.h"
#include <arpa/inet.h>
#include <net/stack/ns.h>
#include <stdio.h>
#include <stdlib.h>

#define UDP_ROOM     4096
#define TCP_ROOM     16384u /* longer answers are for other resolvers */
#define DATAGRAMS    16     /* read of one socket before the next has its turn */
#define CLOCK_OWNER  0u     /* no process has this id */
#define CLOCK_TICKET NETD_TICKETS

_Static_assert((int)DNS_WANT_A == NETD_WANT_A && (int)DNS_WANT_AAAA == NETD_WANT_AAAA &&
                   (int)DNS_WANT_PTR == NETD_WANT_PTR && (int)DNS_USE_SEARCH == NETD_USE_SEARCH &&
                   (int)DNS_OK == NETD_FOUND && (int)DNS_FAILED == NETD_FAILED &&
                   DNS_TEXT_MAX == NETD_NAME_MAX && 2 * DNS_ADDRS_MAX == NETD_ADDRS_MAX,
               "the message says what the resolver says");

/* --- the stack for netd's own errands --------------------------------------- */

int names_socket(struct netstack *stack, uint8_t family, int type, struct nsock **out)
{
    int r = ns_socket(stack, family, type, out);

    if (r < 0) {
        *out = NULL;
        return r;
    }
    if (family == NET_INET6)
        ns_setopt(*out, NSO_V6ONLY, 1); /* one family's port is enough */
    return 0;
}

struct netstack *names_stack(struct netd *n)
{
    static const struct ns_config config = {.sockets_max = DNS_FLIGHTS_MAX + 4,
                                            .tcp_sndbuf = 4096,
                                            .tcp_rcvbuf = 16384,
                                            .udp_rcvbuf = 16384,
                                            .time_wait_ms = 1};
    struct sys_net_open rings = {.rx_bytes = NET_RING_RX_MIN, .tx_entries = 64, .arena_bytes = 64 * 1024};

    return netd_side_open(&n->names.side, &config, rings);
}

/* --- sockets of the questions under way -------------------------------------- */

static void wire_close(void *ctx, unsigned flight)
{
    struct netd_wire *w = &((struct netd *)ctx)->names.wire[flight];

    if (w->s)
        ns_close(w->s);
    free(w->in);
    memset(w, 0, sizeof(*w));
}

/* What can be sent now; the rest when the connection stands. */
static int wire_push(struct netd_wire *w)
{
    while (w->out_at < w->out_len) {
        int r = ns_send(w->s, w->out + w->out_at, w->out_len - w->out_at, 0, NULL);
        if (r == -EAGAIN || r == -ENOTCONN)
            return 0;
        if (r < 0)
            return r;
        w->out_at = (uint16_t)(w->out_at + r);
    }
    return 0;
}

static int wire_send(void *ctx, unsigned flight, const struct dns_server *to, bool tcp, const uint8_t *msg,
                     size_t len)
{
    struct netd *n = ctx;
    struct netd_wire *w = &n->names.wire[flight];
    struct ns_addr a = {.family = to->family, .port = to->port, .addr = to->addr};
    struct netstack *stack = names_stack(n);

    if (to->link != LINK_ANY)
        a.scope = (uint16_t)(to->link + 1);
    wire_close(n, flight);
    if (!stack)
        return -ENOMEM;
    int r = names_socket(stack, to->family, tcp ? NS_STREAM : NS_DGRAM, &w->s);
    if (r < 0)
        return r;
    w->tcp = tcp;
    if (tcp) /* RFC 1035 section 4.2.2 */
        put16(w->out, (uint16_t)len);
    memcpy(w->out + (tcp ? 2 : 0), msg, len);
    w->out_len = (uint16_t)(len + (tcp ? 2 : 0));
    r = ns_connect(w->s, &a); /* from now on nobody else's datagrams come in */
    if (r == 0 || r == -EINPROGRESS)
        r = wire_push(w);
    if (r < 0)
        wire_close(n, flight);
    return r;
}

static void read_datagrams(struct netd *n, unsigned i, uint64_t now_ns)
{
    static uint8_t buf[UDP_ROOM];
    const struct netd_wire *w = &n->names.wire[i];
    const struct nsock *s = w->s;

    for (int turn = 0; turn < DATAGRAMS && w->s == s && !w->tcp; turn++) {
        struct ns_addr from;
        int r = ns_recv(w->s, buf, sizeof(buf), 0, &from);
        if (r == -EAGAIN)
            return;
        if (r < 0) {
            dns_broken(&n->names.dns, i, now_ns);
            return;
        }
        dns_input(&n->names.dns, i, from.family, &from.addr, from.port, false, buf, (size_t)r, now_ns);
    }
}

/* Two bytes of length, then the message. False: over, one way or the other. */
static bool read_more(struct netd *n, unsigned i, uint64_t now_ns)
{
    struct netd_wire *w = &n->names.wire[i];
    uint32_t want = w->have < 2 ? 2 : 2u + get16(w->head);

    if (w->have == 2 && !w->in && (want < 2 + 12 || want > TCP_ROOM || !(w->in = malloc(want - 2)))) {
        dns_broken(&n->names.dns, i, now_ns);
        return false;
    }
    uint8_t *to = w->have < 2 ? w->head + w->have : w->in + w->have - 2;
    int r = ns_recv(w->s, to, want - w->have, 0, NULL);
    if (r == -EAGAIN)
        return false;
    if (r <= 0) {
        dns_broken(&n->names.dns, i, now_ns);
        return false;
    }
    w->have += (uint32_t)r;
    if (w->have < want || w->have == 2)
        return true;
    uint8_t *message = w->in; /* the wire may be closed before we are through with it */
    struct ns_addr from;
    w->in = NULL;
    if (ns_getpeer(w->s, &from) == 0)
        dns_input(&n->names.dns, i, from.family, &from.addr, from.port, true, message, want - 2, now_ns);
    free(message);
    return false;
}

static void read_stream(struct netd *n, unsigned i, unsigned events, uint64_t now_ns)
{
    struct netd_wire *w = &n->names.wire[i];

    if ((events & NS_OUT) && wire_push(w) < 0)
        events |= NS_ERR;
    if (events & NS_ERR)
        dns_broken(&n->names.dns, i, now_ns);
    else if (events & (NS_IN | NS_HUP | NS_RDHUP))
        for (int turn = 0; turn < DATAGRAMS && read_more(n, i, now_ns); turn++)
            ;
}

/* --- requests ---------------------------------------------------------------- */

static void finish(struct netd_ticket *t, int error)
{
    struct sys_msg m;

    sys_mem_unmap((uint64_t)(uintptr_t)t->page, NETD_RESOLVE_BYTES);
    sys_msg_set(&m, (uint32_t)error, NULL, 0);
    sys_reply(t->token, &m);
    t->page = NULL;
}

/* The page is the asker's, too, who may write to it at any time: nothing in it is believed. */
static void on_done(void *ctx, uint64_t ticket, const struct dns_reply *r)
{
    struct netd *n = ctx;

    if (ticket == CLOCK_TICKET) {
        clock_resolved(n, r);
        return;
    }
    struct netd_ticket *t = &n->names.ticket[ticket];
    struct netd_resolve *out = t->page;
    out->status = r->status;
    out->count = r->naddrs;
    out->hops = r->hops;
    out->ttl_s = r->ttl_s;
    memcpy(out->found, r->name, sizeof(out->found));
    for (unsigned i = 0; i < r->naddrs; i++)
        out->address[i] = (struct netd_address){.family = r->addr[i].family, .addr = r->addr[i].addr};
    finish(t, 0);
}

static void read_question(const struct netd_resolve *from, struct dns_question *q)
{
    memset(q, 0, sizeof(*q));
    memcpy(q->name, from->name, sizeof(q->name));
    q->want = from->want;
    q->family = from->family;
    q->addr = from->addr;
    q->server = (struct dns_server){.family = from->server_family,
                                    .port = from->server_port,
                                    .link = from->server_link,
                                    .addr = from->server};
}

int names_resolve(struct netd *n, const struct sys_msg *m, uint64_t now_ns)
{
    struct netd_names *s = &n->names;
    struct dns_question q;
    unsigned i = 0;

    int64_t at =
        m->handle < 0 ? -EINVAL : sys_memobj_map(m->handle, 0, 0, NETD_RESOLVE_BYTES, PROT_R | PROT_W);
    if (at < 0)
        return (int)at;
    while (i < NETD_TICKETS && s->ticket[i].page)
        i++;
    if (i == NETD_TICKETS) { /* there are more tickets than the resolver has places */
        sys_mem_unmap((uint64_t)at, NETD_RESOLVE_BYTES);
        return -EAGAIN;
    }
    s->ticket[i] = (struct netd_ticket){.token = m->token, .page = (struct netd_resolve *)at};
    read_question(s->ticket[i].page, &q);
    if (now_ns >= s->next_expiry_ns)
        names_servers(n);
    int r = dns_ask(&s->dns, i, m->sender_pid, &q, now_ns);
    if (r < 0)
        finish(&s->ticket[i], r);
    return 0;
}

int names_lookup_clock(struct netd *n, const char *name, uint64_t now_ns)
{
    struct dns_question q = {.want = DNS_WANT_A | DNS_WANT_AAAA};

    if (strlen(name) >= sizeof(q.name))
        return -EINVAL;
    strcpy(q.name, name);
    return dns_ask(&n->names.dns, CLOCK_TICKET, CLOCK_OWNER, &q, now_ns);
}

/* --- servers and search list --------------------------------------------------- */

static unsigned add_server(struct dns_server *list, unsigned count, uint8_t family, uint16_t link,
                           const void *addr)
{
    struct dns_server s = {.family = family, .port = DNS_PORT, .link = link};

    memcpy(s.addr.b, addr, family == NET_INET ? 4 : 16);
    for (unsigned i = 0; i < count; i++)
        if (list[i].family == family && list[i].link == link && addr_equal(&list[i].addr, &s.addr))
            return count;
    if (count < DNS_SERVERS_MAX && !addr_any(&s.addr))
        list[count++] = s;
    return count;
}

/* net.dns=ADDR[,ADDR]: these alone. */
static unsigned chosen_servers(struct dns_server *list)
{
    char text[256], *at = text, *word;
    static bool told; /* this runs again with each lease and each router's word */
    unsigned count = 0;

    if (!sys_boot_option("net.dns", text, sizeof(text)))
        return 0;
    while ((word = strsep(&at, ",")) != NULL) {
        struct net_addr a = {{0}};
        if (inet_pton(AF_INET, word, a.b) == 1)
            count = add_server(list, count, NET_INET, LINK_ANY, a.b);
        else if (inet_pton(AF_INET6, word, a.b) == 1)
            count = add_server(list, count, NET_INET6, LINK_ANY, a.b);
        else if (!told)
            sys_logf(SYS_LOG_WARN, "net.dns: %s is no address", word);
    }
    told = true;
    return count;
}

static unsigned offered_servers(struct netd *n, struct dns_server *list)
{
    unsigned count = 0;
    uint64_t now_ns = sys_now_ns();

    for (unsigned i = 0; i < NETD_LINKS_MAX; i++)
        for (unsigned k = 0; n->links[i].configured && k < n->links[i].lease.ndns; k++)
            count = add_server(list, count, NET_INET, LINK_ANY, n->links[i].lease.dns[k]);
    n->names.next_expiry_ns = UINT64_MAX;
    for (unsigned i = 0; i < NETD_LINKS_MAX && i < ND_LINKS; i++) {
        const struct nd_dns *d = &n->nd.link[i].dns; /* RFC 8106 */
        for (unsigned k = 0; k < ND_DNS_SERVERS; k++) {
            const uint8_t *a = d->server[k].b;
            if (d->until_ns[k] <= now_ns)
                continue;
            bool local = a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
            count = add_server(list, count, NET_INET6, local ? (uint16_t)i : LINK_ANY, a);
            if (d->until_ns[k] < n->names.next_expiry_ns)
                n->names.next_expiry_ns = d->until_ns[k];
        }
    }
    return count;
}

/* The domains of the leases and of the routers. */
static void offered_domains(struct netd *n, char *search, size_t room)
{
    for (unsigned i = 0; i < NETD_LINKS_MAX; i++) {
        const struct nd_dns *d = i < ND_LINKS ? &n->nd.link[i].dns : NULL;
        size_t at = strlen(search);
        if (n->links[i].configured && n->links[i].lease.domain[0] != 0)
            at += (size_t)snprintf(search + at, room - at, " %s", n->links[i].lease.domain);
        if (at < room && d && d->domain[0] != 0 && d->domain_until_ns > sys_now_ns())
            snprintf(search + at, room - at, " %s", d->domain);
    }
}

void names_servers(struct netd *n)
{
    struct dns_server list[DNS_SERVERS_MAX];
    char search[512] = "";
    unsigned count = chosen_servers(list);

    if (count == 0)
        count = offered_servers(n, list);
    else
        n->names.next_expiry_ns = UINT64_MAX;
    dns_set_servers(&n->names.dns, list, count);
    if (!sys_boot_option("net.search", search, sizeof(search)))
        offered_domains(n, search, sizeof(search));
    dns_set_search(&n->names.dns, search, 1);
}

/* --- the loop's part ----------------------------------------------------------- */

void names_init(struct netd *n)
{
    struct ns_env e;
    struct arp_env unused;

    netd_env_fill(n, &e, &unused);
    struct dns_env env = {.ctx = n,
                          .random = e.random,
                          .alloc = e.alloc,
                          .free = e.free,
                          .send = wire_send,
                          .close = wire_close,
                          .done = on_done};
    dns_init(&n->names.dns, &env);
    names_servers(n);
}

void names_run(struct netd *n, uint64_t now_ns)
{
    struct netd_names *m = &n->names;

    dns_run(&m->dns, now_ns);
    if (!m->side.stack)
        return;
    netstack_run(m->side.stack, NETD_TURN_BUDGET);
    for (unsigned i = 0; i < DNS_FLIGHTS_MAX && m->dns.njobs != 0; i++) {
        struct netd_wire *w = &m->wire[i];
        unsigned events = w->s ? ns_events(w->s) : 0;
        if (w->s && w->tcp)
            read_stream(n, i, events, now_ns);
        else if (events & (NS_IN | NS_ERR))
            read_datagrams(n, i, now_ns);
    }
}

uint64_t names_deadline(struct netd *n)
{
    uint64_t d = dns_deadline(&n->names.dns),
             t = n->names.side.stack ? netstack_deadline(n->names.side.stack) : UINT64_MAX;

    return t < d ? t : d;
}
