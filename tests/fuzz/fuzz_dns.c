/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/fuzz_dns.c: libFuzzer entry: the resolver, its clock and its servers.
 * The input is a row of steps: ask, wait, an answer. Answers carry the id and the
 * question of the last query, unless the input says otherwise, so that their records
 * are looked at.
 */
#include <net/stack/dns.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define QUERY_MAX 600

static struct {
    long blocks;
    unsigned open, done, asked;
    uint32_t random;
    unsigned flight; /* of the last query */
    bool tcp;
    struct dns_server to;
    uint8_t query[QUERY_MAX];
    size_t query_len;
} seen;

static void do_random(void *ctx, void *buf, size_t bytes)
{
    uint8_t *b = buf;

    (void)ctx;
    for (size_t i = 0; i < bytes; i++)
        b[i] = (uint8_t)((seen.random = seen.random * 1664525u + 1013904223u) >> 24);
}
static void *do_alloc(void *ctx, size_t bytes)
{
    (void)ctx;
    seen.blocks++;
    return calloc(1, bytes);
}
static void do_free(void *ctx, void *p)
{
    (void)ctx;
    seen.blocks -= p != NULL;
    free(p);
}
static int do_send(void *ctx, unsigned flight, const struct dns_server *to, bool tcp, const uint8_t *msg,
                   size_t len)
{
    (void)ctx;
    if (flight >= DNS_FLIGHTS_MAX || len < 12 || len > QUERY_MAX)
        abort();
    seen.flight = flight;
    seen.to = *to;
    seen.tcp = tcp;
    memcpy(seen.query, msg, len);
    seen.query_len = len;
    return 0;
}
static void do_close(void *ctx, unsigned flight)
{
    (void)ctx;
    if (flight >= DNS_FLIGHTS_MAX)
        abort();
}
static void do_done(void *ctx, uint64_t token, const struct dns_reply *r)
{
    (void)ctx, (void)token;
    seen.done++;
    if (r->naddrs > 2 * DNS_ADDRS_MAX || memchr(r->name, 0, sizeof(r->name)) == NULL)
        abort();
}

static void ask(struct dns *d, uint8_t arg, uint64_t now)
{
    static const char *names[] = {"host.example", "a.b.c.d.example.org", "host", "www.host.example."};
    struct dns_question q = {.want = (arg & 0x1f) != 0 ? arg & 0x1f : DNS_WANT_A};

    if ((q.want & DNS_WANT_PTR) != 0) {
        q.family = arg & 0x20 ? NET_INET6 : NET_INET;
        q.addr.b[0] = 10;
    } else {
        strcpy(q.name, names[arg >> 6]);
    }
    if (dns_ask(d, seen.asked, arg & 1, &q, now) == 0)
        seen.asked++;
}

/* Header and question of the last query, flags and counts as the input has them. */
static void answer(struct dns *d, uint8_t op, const uint8_t *p, size_t n, uint64_t now)
{
    size_t head = (op & 0x80) != 0 ? 0 : seen.query_len > 12 && n >= 8 ? seen.query_len : 0, len;
    uint8_t *m;

    if (head != 0 && seen.query[11] == 1 && head > 11 + 12)
        head -= 11; /* the EDNS record */
    len = head + n - (head != 0 ? 8 : 0);
    m = malloc(len != 0 ? len : 1);
    if (head != 0) {
        memcpy(m, seen.query, head);
        memcpy(m + 2, p, 8);
        m[2] |= 0x80;
        m[4] = 0;
        m[5] = 1;
        m[10] = m[11] = 0;
        memcpy(m + head, p + 8, n - 8);
    } else {
        memcpy(m, p, n);
    }
    dns_input(d, seen.flight, seen.to.family, &seen.to.addr, seen.to.port, seen.tcp, m, len, now);
    free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct dns_env env = {.random = do_random,
                                       .alloc = do_alloc,
                                       .free = do_free,
                                       .send = do_send,
                                       .close = do_close,
                                       .done = do_done};
    static const struct dns_server server[2] = {
        {.family = NET_INET, .port = 53, .link = LINK_ANY, .addr = {{10, 0, 0, 1}}},
        {.family = NET_INET6, .port = 53, .link = LINK_ANY, .addr = {{0xfd, [15] = 1}}}};
    static struct dns d;
    uint64_t now = 1000000000ull;

    memset(&seen, 0, sizeof(seen));
    dns_init(&d, &env);
    dns_set_servers(&d, server, 2);
    dns_set_search(&d, "example, sub.example", 1);
    ask(&d, DNS_WANT_A | DNS_WANT_AAAA, now);
    while (size >= 2) {
        uint8_t op = data[0], arg = data[1];
        size_t n = 0;

        data += 2;
        size -= 2;
        switch (op & 7) {
        case 0:
            ask(&d, arg, now);
            break;
        case 1:
            now += (uint64_t)arg * 100000000ull;
            break;
        case 2:
            dns_broken(&d, seen.flight, now);
            break;
        default:
            n = arg < size ? arg : size;
            answer(&d, op, data, n, now);
            break;
        }
        data += n;
        size -= n;
        dns_run(&d, now);
    }
    dns_destroy(&d);
    if (seen.done != seen.asked || seen.blocks != 0) /* every job is answered, once */
        abort();
    return 0;
}
