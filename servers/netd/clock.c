/* SPDX-License-Identifier: MIT
 *
 * servers/netd/clock.c: the time of day from the network. Servers come from the boot
 * option net.ntp, else from DHCP (option 42); without either nobody is asked.
 *
 * Owns: n->clock, and CLOCK_REALTIME in so far as nobody sets it by hand.
 */
#include "netd.h"
#include <arpa/inet.h>
#include <string.h>

#define LOOK_AGAIN_NS 30000000000ull /* for a name that had no address */
#define SET_TRIES     3
#define SET_ERROR_NS  20000 /* the scheduler came between reading and setting */

/* --- the clock ---------------------------------------------------------------- */

/* By how much CLOCK_REALTIME is ahead of CLOCK_MONOTONIC. */
static int64_t ahead(void)
{
    uint64_t real = 0, before = 0, after = 0;

    for (int i = 0; i < SET_TRIES; i++) {
        before = sys_now_ns();
        sys_clock_get(SYS_CLOCK_REALTIME, &real);
        after = sys_now_ns();
        if (after - before < SET_ERROR_NS)
            break;
    }
    return (int64_t)(real - before - (after - before) / 2);
}

static void adjust(int64_t by_ns)
{
    int64_t want = ahead() + by_ns, error = INT64_MAX;

    for (int i = 0; i < SET_TRIES && (error > SET_ERROR_NS || error < -SET_ERROR_NS); i++) {
        int r = sys_clock_set((uint64_t)want + sys_now_ns());
        if (r < 0) {
            sys_logf(SYS_LOG_WARN, "clock: cannot be set: error %d", -r);
            return;
        }
        error = ahead() - want;
    }
}

/* --- servers -------------------------------------------------------------------- */

static void add_server(struct netd_time *t, uint8_t family, const void *addr)
{
    struct sntp_server s = {.family = family, .port = SNTP_PORT, .link = LINK_ANY};

    memcpy(s.addr.b, addr, family == NET_INET ? 4 : 16);
    if (t->nfound < SNTP_SERVERS_MAX)
        t->found[t->nfound++] = s;
}

/* Goes on with the words of net.ntp until one must be looked up. */
static void look_on(struct netd *n, uint64_t now_ns)
{
    struct netd_time *t = &n->clock;

    while (*t->word != 0) {
        char word[sizeof(t->option)];
        uint8_t a[16];
        size_t len = strcspn(t->word, ",");
        memcpy(word, t->word, len);
        word[len] = 0;
        t->word += len + (t->word[len] == ',');
        if (inet_pton(AF_INET, word, a) == 1)
            add_server(t, NET_INET, a);
        else if (inet_pton(AF_INET6, word, a) == 1)
            add_server(t, NET_INET6, a);
        else if (names_lookup_clock(n, word, now_ns) == 0)
            return; /* clock_resolved goes on */
        else
            t->missed = true;
    }
    t->looking = false;
    t->look_ns = t->missed ? now_ns + LOOK_AGAIN_NS : UINT64_MAX;
    if (t->nfound > 0)
        sntp_set_servers(&t->sntp, t->found, t->nfound, now_ns);
}

void clock_resolved(struct netd *n, const struct dns_reply *r)
{
    if (r->status == DNS_OK && r->naddrs > 0)
        add_server(&n->clock, r->addr[0].family, r->addr[0].addr.b);
    else
        n->clock.missed = true;
    look_on(n, sys_now_ns());
}

void clock_servers(struct netd *n)
{
    struct netd_time *t = &n->clock;

    if (t->chosen) {
        if (t->missed && !t->looking)
            t->look_ns = 0; /* there may be a name server now */
        return;
    }
    t->nfound = 0;
    for (unsigned i = 0; i < NETD_LINKS_MAX; i++)
        for (unsigned k = 0; n->links[i].configured && k < n->links[i].lease.nntp; k++)
            add_server(t, NET_INET, n->links[i].lease.ntp[k]);
    sntp_set_servers(&t->sntp, t->found, t->nfound, sys_now_ns());
}

static void clock_random(void *ctx, void *buf, size_t bytes)
{
    (void)ctx;
    sys_random(buf, bytes, RANDOM_NONBLOCK);
}

void clock_init(struct netd *n)
{
    struct netd_time *t = &n->clock;

    sntp_init(&t->sntp, n, clock_random);
    t->look_ns = UINT64_MAX;
    t->word = "";
    t->chosen = sys_boot_option("net.ntp", t->option, sizeof(t->option));
    if (t->chosen && strcmp(t->option, "off") != 0)
        t->look_ns = 0;
    clock_servers(n);
}

/* --- questions and answers --------------------------------------------------------- */

static void close_socket(struct netd_time *t)
{
    if (t->s)
        ns_close(t->s);
    t->s = NULL;
}

static void send_question(struct netd *n, const struct sntp_output *o, uint64_t now_ns)
{
    struct netd_time *t = &n->clock;
    struct ns_addr to = {.family = o->to.family, .port = o->to.port, .addr = o->to.addr};
    struct netstack *stack = names_stack(n);

    close_socket(t);
    int r = stack ? names_socket(stack, to.family, NS_DGRAM, &t->s) : -ENOMEM;
    if (r == 0 && (r = ns_connect(t->s, &to)) == 0)
        r = ns_send(t->s, o->message, sizeof(o->message), 0, NULL);
    if (r < 0)
        sntp_broken(&t->sntp, now_ns);
}

static void read_answers(struct netd_time *t)
{
    uint8_t m[SNTP_BYTES + 64];
    struct ns_addr from;
    bool was_set = t->sntp.set;

    for (int i = 0; i < 8 && t->sntp.waiting; i++) {
        int r = ns_recv(t->s, m, sizeof(m), 0, &from);
        uint64_t now_ns = sys_now_ns();
        if (r == -EAGAIN)
            return;
        if (r < 0) {
            sntp_broken(&t->sntp, now_ns);
            return;
        }
        int64_t by = sntp_input(&t->sntp, from.family, &from.addr, from.port, m, (size_t)r, now_ns,
                                (uint64_t)ahead() + now_ns);
        if (by != 0)
            adjust(by);
        if (by != 0 || t->sntp.set != was_set)
            sys_logf(SYS_LOG_INFO, "clock: set by SNTP, was off by %lld ms", (long long)(t->sntp.offset_ns / 1000000));
    }
}

void clock_run(struct netd *n, uint64_t now_ns)
{
    struct netd_time *t = &n->clock;
    struct sntp_output out;

    if (t->look_ns <= now_ns) {
        t->looking = true;
        t->look_ns = UINT64_MAX;
        t->missed = false;
        t->nfound = 0;
        t->word = t->option;
        look_on(n, now_ns);
    }
    if (t->s && (ns_events(t->s) & (NS_IN | NS_ERR)))
        read_answers(t);
    for (int turn = 0; turn < SNTP_SERVERS_MAX && sntp_deadline(&t->sntp) <= now_ns; turn++) {
        sntp_poll(&t->sntp, now_ns, &out);
        if (out.adjust_ns != 0)
            adjust(out.adjust_ns);
        if (out.send)
            send_question(n, &out, now_ns);
    }
    if (!t->sntp.waiting)
        close_socket(t);
}

uint64_t clock_deadline(const struct netd *n)
{
    uint64_t t = sntp_deadline(&n->clock.sntp);
    return t < n->clock.look_ns ? t : n->clock.look_ns;
}

void clock_status(const struct netd *n, struct netd_clock *out)
{
    const struct sntp *s = &n->clock.sntp;

    memset(out, 0, sizeof(*out));
    out->state = s->set                                 ? NETD_CLOCK_SET
                 : s->nservers != 0 || n->clock.looking ? NETD_CLOCK_ASKING
                                                        : NETD_CLOCK_OFF;
    out->next_ns = s->next_ns;
    if (!s->set)
        return;
    out->stratum = s->stratum;
    out->family = s->from.family;
    out->server = s->from.addr;
    out->delay_us = (uint32_t)(s->delay_ns / 1000);
    out->offset_ns = s->offset_ns;
    out->when_ns = s->when_ns;
}
