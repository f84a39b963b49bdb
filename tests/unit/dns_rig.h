/* SPDX-License-Identifier: MIT
 *
 * tests/unit/dns_rig.h: the resolver on a bench: the test plays the servers.
 */
#ifndef TESTS_UNIT_DNS_RIG_H
#define TESTS_UNIT_DNS_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <net/stack/dns.h>
#include <net/stack/ns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S 1000000000ull

/* --- the world -------------------------------------------------------------- */

static struct world {
    struct dns d;
    long blocks;
    uint32_t seed;
    unsigned sent, closed, done;
    struct query {
        unsigned flight;
        struct dns_server to;
        bool tcp, open;
        uint8_t msg[DNS_QUERY_MAX];
        size_t len;
    } last, by_flight[DNS_FLIGHTS_MAX];
    int send_error;
    uint64_t done_token;
    struct dns_reply reply;
} w;

static inline void w_random(void *ctx, void *buf, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)buf)[i] = (uint8_t)((w.seed = w.seed * 1103515245u + 12345u) >> 16);
}
static inline void *w_alloc(void *ctx, size_t n)
{
    (void)ctx;
    w.blocks++;
    return calloc(1, n);
}
static inline void w_free(void *ctx, void *p)
{
    (void)ctx;
    w.blocks -= p != NULL;
    free(p);
}
static inline int w_send(void *ctx, unsigned flight, const struct dns_server *to, bool tcp, const uint8_t *msg, size_t len)
{
    (void)ctx;
    assert_in_range(len, 17, DNS_QUERY_MAX);
    w.last = (struct query){.flight = flight, .to = *to, .tcp = tcp, .open = true, .len = len};
    memcpy(w.last.msg, msg, len);
    w.by_flight[flight] = w.last;
    w.sent++;
    return w.send_error;
}
static inline void w_close(void *ctx, unsigned flight)
{
    (void)ctx;
    w.by_flight[flight].open = false;
    w.closed++;
}
static inline void w_done(void *ctx, uint64_t token, const struct dns_reply *r)
{
    (void)ctx;
    w.done++;
    w.done_token = token;
    w.reply = *r;
}

static const struct dns_server servers[2] = {
    {.family = NET_INET, .port = 53, .link = LINK_ANY, .addr = {{10, 0, 0, 1}}},
    {.family = NET_INET6, .port = 53, .link = LINK_ANY, .addr = {{0xfd, 0, 1}}},
};

static inline int setup(void **state)
{
    static const struct dns_env env = {NULL, w_random, w_alloc, w_free, w_send, w_close, w_done};
    (void)state;
    memset(&w, 0, sizeof(w));
    w.seed = 7;
    dns_init(&w.d, &env);
    dns_set_servers(&w.d, servers, 2);
    return 0;
}
static inline int teardown(void **state)
{
    (void)state;
    dns_destroy(&w.d);
    return w.blocks == 0 ? 0 : -1;
}

/* --- answers ---------------------------------------------------------------- */

/* An answer under construction: what was asked, then records. */
struct answer {
    uint8_t m[4096];
    size_t len;
};

static inline struct answer answer_to(const struct query *q, uint16_t flags)
{
    struct answer a = {.len = q->len};
    memcpy(a.m, q->msg, q->len);
    if (a.m[11]) /* without the OPT record */
        a.len -= 11;
    put16(a.m + 2, (uint16_t)(0x8180 | flags));
    put16(a.m + 10, 0);
    return a;
}

static inline void add_name(struct answer *a, const char *name)
{
    struct dns_name n;
    assert_int_equal(dns_name_parse(&n, name), 0);
    memcpy(a->m + a->len, n.b, n.len);
    a->len += n.len;
}

/* name NULL: a pointer to the question's. section: 6 answers, 8 authority. */
static inline void add_head(struct answer *a, unsigned section, const char *name, uint16_t type, uint32_t ttl, size_t len)
{
    if (name)
        add_name(a, name);
    else
        a->m[a->len++] = 0xc0, a->m[a->len++] = 12;
    put16(a->m + a->len, type);
    put16(a->m + a->len + 2, 1);
    put32(a->m + a->len + 4, ttl);
    put16(a->m + a->len + 8, (uint16_t)len);
    a->len += 10;
    put16(a->m + section, (uint16_t)(get16(a->m + section) + 1));
}

static inline void add_a(struct answer *a, const char *name, uint32_t ttl, uint32_t ip)
{
    add_head(a, 6, name, DNS_A, ttl, 4);
    put32(a->m + a->len, ip);
    a->len += 4;
}

static inline void add_aaaa(struct answer *a, const char *name, uint32_t ttl, uint8_t last)
{
    add_head(a, 6, name, DNS_AAAA, ttl, 16);
    memset(a->m + a->len, 0, 16);
    a->m[a->len] = 0xfd, a->m[a->len + 15] = last;
    a->len += 16;
}

static inline void add_alias(struct answer *a, const char *name, uint16_t type, uint32_t ttl, const char *target)
{
    struct dns_name n;
    dns_name_parse(&n, target);
    add_head(a, 6, name, type, ttl, n.len);
    add_name(a, target);
}

static inline void add_soa(struct answer *a, const char *zone, uint32_t ttl, uint32_t minimum)
{
    add_head(a, 8, zone, DNS_SOA, ttl, 1 + 1 + 20);
    memset(a->m + a->len, 0, 22);
    put32(a->m + a->len + 18, minimum);
    a->len += 22;
}

static inline void give_from(const struct query *q, const struct dns_server *from, const struct answer *a, uint64_t now)
{
    uint8_t *exact = malloc(a->len); /* ASan sees a read past the end */
    memcpy(exact, a->m, a->len);
    dns_input(&w.d, q->flight, from->family, &from->addr, from->port, q->tcp, exact, a->len, now);
    free(exact);
}
static inline void give(const struct query *q, const struct answer *a, uint64_t now)
{
    give_from(q, &q->to, a, now);
}

static inline struct dns_question question(const char *name, uint8_t want)
{
    struct dns_question q = {.want = want};
    snprintf(q.name, sizeof(q.name), "%s", name);
    return q;
}
static inline void ask(const char *name, uint8_t want, uint64_t now)
{
    struct dns_question q = question(name, want);
    assert_int_equal(dns_ask(&w.d, 1, 1, &q, now), 0);
}

static inline void asked_name(const struct query *q, char text[DNS_TEXT_MAX])
{
    struct dns_name n;
    size_t at = 12;
    assert_true(dns_name_read(q->msg, q->len, &at, &n) && dns_name_text(&n, text));
}
static inline void assert_asks(const char *name)
{
    char text[DNS_TEXT_MAX];
    asked_name(&w.last, text);
    assert_string_equal(text, name);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
