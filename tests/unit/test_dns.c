/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_dns.c: the resolver against scripted servers.
 */
#include "dns_rig.h"

static void address_and_cache(void **state)
{
    (void)state;
    ask("Host.Test", DNS_WANT_A, 0);
    assert_asks("host.test");
    assert_int_equal(w.last.msg[11], 1); /* EDNS */
    struct answer a = answer_to(&w.last, 0);
    add_a(&a, NULL, 100, 0x0a000042);
    add_a(&a, NULL, 50, 0x0a000043);
    add_a(&a, "other.test", 100, 0x0a0000ff); /* not what was asked for: ignored */
    give(&w.last, &a, 0);
    assert_int_equal(w.done, 1);
    assert_int_equal(w.reply.status, DNS_OK);
    assert_int_equal(w.reply.naddrs, 2);
    assert_int_equal(w.reply.ttl_s, 50);
    assert_memory_equal(w.reply.addr[0].addr.b, "\x0a\0\0\x42", 4);
    assert_string_equal(w.reply.name, "host.test");
    ask("host.test.", DNS_WANT_A, 20 * S);
    assert_int_equal(w.sent, 1);
    assert_int_equal(w.done, 2);
    assert_int_equal(w.reply.ttl_s, 30);
    ask("other.test", DNS_WANT_A, 20 * S); /* C-DNS-3: the stranger's record is not kept */
    assert_int_equal(w.sent, 2);
    ask("host.test", DNS_WANT_A, 50 * S);
    assert_int_equal(w.sent, 3);
}

static void both_families(void **state)
{
    (void)state;
    ask("six.test", DNS_WANT_A | DNS_WANT_AAAA, 0);
    assert_int_equal(w.sent, 2);
    struct query four = w.by_flight[0], six = w.by_flight[1];
    struct answer a = answer_to(&six, 0);
    add_aaaa(&a, NULL, 60, 9);
    give(&six, &a, 0);
    assert_int_equal(w.done, 0);
    a = answer_to(&four, 0);
    add_a(&a, NULL, 60, 0x0a000001);
    give(&four, &a, 0);
    assert_int_equal(w.done, 1);
    assert_int_equal(w.reply.naddrs, 2);
    assert_int_equal(w.reply.addr[1].family, NET_INET6);
    /* A server that swallows one type costs a second, not the name. */
    ask("half.test", DNS_WANT_A | DNS_WANT_AAAA, 0);
    four = w.by_flight[0];
    a = answer_to(&four, 0);
    add_a(&a, NULL, 60, 0x0a000001);
    give(&four, &a, 0);
    assert_int_equal(w.done, 1);
    assert_true(dns_deadline(&w.d) <= S);
    dns_run(&w.d, S);
    assert_int_equal(w.done, 2);
    assert_int_equal(w.reply.naddrs, 1);
}

static void aliases(void **state)
{
    (void)state;
    ask("www.test", DNS_WANT_A, 0);
    struct answer a = answer_to(&w.last, 0);
    add_a(&a, "c.test", 60, 0x0a000003); /* in any order */
    add_alias(&a, "b.test", DNS_CNAME, 20, "c.test");
    add_alias(&a, NULL, DNS_CNAME, 60, "B.test");
    give(&w.last, &a, 0);
    assert_int_equal(w.reply.status, DNS_OK);
    assert_string_equal(w.reply.name, "c.test");
    assert_int_equal(w.reply.hops, 2);
    assert_int_equal(w.reply.ttl_s, 20);
    /* One that the server leaves to us. */
    ask("far.test", DNS_WANT_A, 0);
    a = answer_to(&w.last, 0);
    add_alias(&a, NULL, DNS_CNAME, 60, "near.test");
    give(&w.last, &a, 0);
    assert_int_equal(w.done, 1);
    assert_asks("near.test");
    a = answer_to(&w.last, 0);
    add_a(&a, NULL, 600, 0x0a000004);
    give(&w.last, &a, 0);
    assert_int_equal(w.done, 2);
    assert_string_equal(w.reply.name, "near.test");
    assert_int_equal(w.reply.ttl_s, 60);
}

static void alias_loops_end(void **state) /* C-DNS-1 */
{
    (void)state;
    ask("a.test", DNS_WANT_A, 0);
    struct answer a = answer_to(&w.last, 0);
    add_alias(&a, NULL, DNS_CNAME, 60, "b.test");
    add_alias(&a, "b.test", DNS_CNAME, 60, "a.test");
    give(&w.last, &a, 0); /* the first server answers nonsense: the second is asked */
    a = answer_to(&w.last, 0);
    add_alias(&a, NULL, DNS_CNAME, 60, "b.test");
    add_alias(&a, "b.test", DNS_CNAME, 60, "a.test");
    give(&w.last, &a, 0);
    assert_int_equal(w.done, 1);
    assert_int_equal(w.reply.status, DNS_FAILED);
    ask("a.test", DNS_WANT_A, 0); /* and a chain that comes link by link */
    for (unsigned i = 0; i < 20 && w.done == 1; i++) {
        a = answer_to(&w.last, 0);
        add_alias(&a, NULL, DNS_CNAME, 60, i % 2 ? "a.test" : "b.test");
        give(&w.last, &a, 0);
    }
    assert_int_equal(w.done, 2);
    assert_int_equal(w.reply.status, DNS_FAILED);
    assert_in_range(w.sent, 3, 2 + DNS_CHAIN_MAX + 1);
}

static void negative_answers(void **state)
{
    (void)state;
    ask("no.test", DNS_WANT_A, 0);
    struct answer a = answer_to(&w.last, DNS_NXDOMAIN);
    add_soa(&a, "test", 300, 60);
    give(&w.last, &a, 0);
    assert_int_equal(w.reply.status, DNS_NO_NAME);
    ask("no.test", DNS_WANT_A, 59 * S); /* RFC 2308: the lesser of TTL and MINIMUM */
    assert_int_equal(w.sent, 1);
    assert_int_equal(w.reply.status, DNS_NO_NAME);
    ask("no.test", DNS_WANT_A, 60 * S);
    assert_int_equal(w.sent, 2);
    ask("empty.test", DNS_WANT_AAAA, 0);
    a = answer_to(&w.last, 0);
    add_soa(&a, "test", 300, 60);
    give(&w.last, &a, 0);
    assert_int_equal(w.reply.status, DNS_NO_DATA);
    ask("empty.test", DNS_WANT_AAAA, 1);
    assert_int_equal(w.sent, 3);
    /* Without a SOA record, or with one of somebody else's zone, it is not kept. */
    for (int i = 0; i < 2; i++) {
        ask("x.test", DNS_WANT_A, 0);
        a = answer_to(&w.last, DNS_NXDOMAIN);
        if (i)
            add_soa(&a, "example", 300, 60);
        give(&w.last, &a, 0);
        assert_int_equal(w.reply.status, DNS_NO_NAME);
        assert_int_equal(w.sent, 4u + (unsigned)i);
    }
}

static void pointer_records(void **state)
{
    (void)state;
    struct dns_question q = {.want = DNS_WANT_PTR, .family = NET_INET, .addr = {{192, 0, 2, 5}}};
    assert_int_equal(dns_ask(&w.d, 3, 1, &q, 0), 0);
    assert_asks("5.2.0.192.in-addr.arpa");
    struct answer a = answer_to(&w.last, 0);
    add_alias(&a, NULL, DNS_PTR, 60, "Five.Test");
    give(&w.last, &a, 0);
    assert_int_equal(w.done_token, 3);
    assert_int_equal(w.reply.status, DNS_OK);
    assert_string_equal(w.reply.name, "five.test");
    w.done = 0;
    q.addr.b[3] = 6; /* a name that would write to the terminal */
    dns_ask(&w.d, 3, 1, &q, 0);
    a = answer_to(&w.last, 0);
    add_alias(&a, NULL, DNS_PTR, 60, "\x1b[31m.test");
    give(&w.last, &a, 0);
    assert_int_equal(w.reply.status, DNS_FAILED);
}

static void search_list(void **state)
{
    (void)state;
    static const char *const order[] = {"box.one.test", "box.two.test", "box"};
    struct answer a;
    dns_set_search(&w.d, "one.test two.test ..bad..", 1);
    assert_int_equal(w.d.nsearch, 2);
    ask("box", DNS_WANT_A | DNS_USE_SEARCH, 0);
    for (int i = 0; i < 3; i++) {
        assert_asks(order[i]);
        a = answer_to(&w.last, i < 2 ? DNS_NXDOMAIN : 0);
        if (i == 2)
            add_a(&a, NULL, 60, 0x0a000001);
        give(&w.last, &a, 0);
    }
    assert_int_equal(w.reply.status, DNS_OK);
    ask("a.b", DNS_WANT_A | DNS_USE_SEARCH, 0); /* enough dots: as it is first */
    assert_asks("a.b");
    a = answer_to(&w.last, DNS_NXDOMAIN);
    give(&w.last, &a, 0);
    assert_asks("a.b.one.test");
    a = answer_to(&w.last, 0); /* this one exists, but has no address */
    give(&w.last, &a, 0);
    assert_asks("a.b.two.test");
    a = answer_to(&w.last, DNS_NXDOMAIN);
    give(&w.last, &a, 0);
    assert_int_equal(w.reply.status, DNS_NO_DATA);
    unsigned before = w.sent;
    ask("whole.", DNS_WANT_A | DNS_USE_SEARCH, 0);
    assert_asks("whole");
    a = answer_to(&w.last, DNS_NXDOMAIN);
    give(&w.last, &a, 0);
    assert_int_equal(w.sent, before + 1);
    assert_int_equal(w.reply.status, DNS_NO_NAME);
}

/* --- servers -------------------------------------------------------------------- */

static void dead_server_is_passed_over(void **state)
{
    (void)state;
    ask("a.test", DNS_WANT_A, 0);
    assert_int_equal(w.last.to.family, NET_INET);
    dns_run(&w.d, dns_deadline(&w.d));
    assert_int_equal(w.last.to.family, NET_INET6);
    struct answer a = answer_to(&w.last, 0);
    add_a(&a, NULL, 60, 1);
    give(&w.last, &a, 1 * S);
    assert_int_equal(w.reply.status, DNS_OK);
    ask("b.test", DNS_WANT_A, 2 * S); /* remembered */
    assert_int_equal(w.last.to.family, NET_INET6);
    ask("c.test", DNS_WANT_A, 2 * DNS_BAD_SERVER_NS); /* but not for ever */
    assert_int_equal(w.last.to.family, NET_INET);
    dns_broken(&w.d, w.last.flight, 2 * DNS_BAD_SERVER_NS); /* refused: no need to wait */
    assert_int_equal(w.last.to.family, NET_INET6);
}

static void silence_ends(void **state) /* C-DNS-8 */
{
    (void)state;
    uint64_t now = 0;
    ask("a.test", DNS_WANT_A | DNS_WANT_AAAA, 0);
    for (int i = 0; i < 100 && w.done == 0; i++) {
        now = dns_deadline(&w.d);
        dns_run(&w.d, now);
    }
    assert_int_equal(w.done, 1);
    assert_int_equal(w.reply.status, DNS_TRY_LATER);
    assert_true(now <= DNS_GIVE_UP_NS);
    assert_true(dns_deadline(&w.d) == UINT64_MAX);
    w.send_error = -ENETUNREACH; /* and when nothing can be sent */
    ask("a.test", DNS_WANT_A, now);
    assert_int_equal(w.done, 2);
    dns_set_servers(&w.d, NULL, 0);
    ask("a.test", DNS_WANT_A, now);
    assert_int_equal(w.done, 3);
    assert_int_equal(w.reply.status, DNS_TRY_LATER);
}

static void servers_that_cannot(void **state)
{
    (void)state;
    struct answer a;
    ask("a.test", DNS_WANT_A, 0);
    a = answer_to(&w.last, DNS_SERVFAIL);
    give(&w.last, &a, 0);
    assert_int_equal(w.last.to.family, NET_INET6);
    a = answer_to(&w.last, DNS_REFUSED);
    give(&w.last, &a, 0);
    assert_int_equal(w.sent, 2); /* each was asked once */
    assert_int_equal(w.reply.status, DNS_FAILED);
    ask("b.test", DNS_WANT_A, 0);
    a = answer_to(&w.last, DNS_FORMERR); /* older than EDNS: header alone */
    put16(a.m + 4, 0);
    a.len = 12;
    give(&w.last, &a, 0);
    assert_int_equal(w.last.to.family, NET_INET);
    assert_int_equal(w.last.msg[11], 0);
    a = answer_to(&w.last, 0);
    add_a(&a, NULL, 60, 1);
    give(&w.last, &a, 0);
    assert_int_equal(w.reply.status, DNS_OK);
    ask("c.test", DNS_WANT_A, 0); /* remembered */
    assert_int_equal(w.last.msg[11], 0);
    a = answer_to(&w.last, 0); /* a referral: it does not recurse */
    put16(a.m + 2, 0x8000);
    give(&w.last, &a, 0);
    assert_int_equal(w.last.to.family, NET_INET6);
}

static void truncated_goes_by_tcp(void **state)
{
    (void)state;
    ask("big.test", DNS_WANT_A, 0);
    struct answer a = answer_to(&w.last, 0x0200);
    give(&w.last, &a, 0);
    assert_true(w.last.tcp);
    assert_memory_equal(&w.last.to.addr, &servers[0].addr, 16);
    a = answer_to(&w.last, 0);
    for (uint32_t i = 0; i < 200; i++)
        add_a(&a, NULL, 60, i);
    give(&w.last, &a, 0);
    assert_int_equal(w.reply.status, DNS_OK);
    assert_int_equal(w.reply.naddrs, DNS_ADDRS_MAX);
    ask("big2.test", DNS_WANT_A, 0); /* TCP refused: the next server, by UDP again */
    a = answer_to(&w.last, 0x0200);
    give(&w.last, &a, 0);
    dns_broken(&w.d, w.last.flight, 0);
    assert_false(w.last.tcp);
    assert_int_equal(w.last.to.family, NET_INET6);
}

static void only_the_server_asked_may_answer(void **state) /* C-DNS-2 */
{
    (void)state;
    ask("a.test", DNS_WANT_A, 0);
    struct query q = w.last;
    struct answer good = answer_to(&q, 0), a;
    add_a(&good, NULL, 60, 1);
    struct dns_server from = q.to;
    from.addr.b[3] ^= 1;
    give_from(&q, &from, &good, 0); /* another address */
    from = q.to;
    from.port = 54;
    give_from(&q, &from, &good, 0); /* another port */
    a = good;
    a.m[1] ^= 1;
    give(&q, &a, 0); /* another id */
    a = good;
    a.m[13] = 'b';
    give(&q, &a, 0); /* another question */
    a = good;
    a.m[12 + 8 + 1] = DNS_AAAA;
    give(&q, &a, 0); /* another type */
    a = good;
    a.m[2] &= 0x7f;
    give(&q, &a, 0); /* no answer */
    assert_int_equal(w.done, 0);
    assert_int_equal(w.d.spoofs, 6);
    give(&q, &good, 0);
    assert_int_equal(w.done, 1);
    ask("b.test", DNS_WANT_A, 0);
    q = w.last;
    a = answer_to(&q, 0);
    a.m[0] ^= 1;
    for (int i = 0; i < DNS_SPOOFS_MAX; i++)
        give(&q, &a, 0);
    assert_true(w.last.tcp); /* somebody guesses: where guessing is of no use */
}

static void ids_are_random_and_questions_shared(void **state) /* C-DNS-4 C-DNS-6 */
{
    (void)state;
    uint16_t ids[100];
    unsigned equal = 0;
    for (int i = 0; i < 100; i++) {
        char name[20];
        snprintf(name, sizeof(name), "n%d.test", i);
        ask(name, DNS_WANT_A, 0);
        ids[i] = get16(w.last.msg);
        equal += i > 0 && (ids[i] == ids[i - 1] || ids[i] == (uint16_t)(ids[i - 1] + 1));
        dns_destroy(&w.d);
    }
    assert_true(equal < 3);
    w.sent = w.done = 0;
    struct dns_question q = question("same.test", DNS_WANT_A);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(dns_ask(&w.d, i, i, &q, 0), 0);
    assert_int_equal(w.sent, 1);
    struct answer a = answer_to(&w.last, 0);
    add_a(&a, NULL, 0, 1); /* may not be kept, and serves all who asked */
    give(&w.last, &a, 0);
    assert_int_equal(w.done, 20);
    ask("same.test", DNS_WANT_A, 0);
    assert_int_equal(w.sent, 2);
}

static void nobody_takes_all_places(void **state) /* C-DNS-7 */
{
    (void)state;
    char name[20];
    for (uint32_t owner = 1; owner <= 5; owner++)
        for (int i = 0; i < 20; i++) {
            snprintf(name, sizeof(name), "n%u-%d.test", owner, i);
            struct dns_question q = question(name, DNS_WANT_A);
            int r = dns_ask(&w.d, owner, owner, &q, 0);
            if (owner < 5)
                assert_int_equal(r, i < DNS_JOBS_PER_OWNER ? 0 : -EAGAIN);
        }
    assert_true(w.d.evicted >= 6); /* who comes last has a share, too */
    struct dns_question q = question("one.test", DNS_WANT_A);
    assert_int_equal(dns_ask(&w.d, 77, 77, &q, 0), 0);
    assert_int_equal(w.d.njobs, DNS_JOBS_MAX);
    assert_int_equal(w.reply.status, DNS_TRY_LATER);
}

static void cache_is_bounded(void **state) /* C-DNS-5 */
{
    (void)state;
    char name[64];
    struct dns_name n;
    struct dns_result r = {.kind = DNS_IS_DATA, .ttl_s = 1000, .naddrs = DNS_ADDRS_MAX};
    dns_name_parse(&n, "kept.test");
    r.canonical = n;
    dns_cache_put(&w.d.cache, &n, DNS_A, &r, 0);
    for (int i = 0; i < 5000; i++) {
        struct dns_name k;
        snprintf(name, sizeof(name), "name-number-%d.test", i);
        dns_name_parse(&k, name);
        r.canonical = k;
        dns_cache_put(&w.d.cache, &k, DNS_A, &r, 0);
        assert_true(dns_cache_get(&w.d.cache, &n, DNS_A, 0, &r)); /* what is used stays */
        assert_true(w.d.cache.bytes <= DNS_CACHE_BYTES);
    }
    assert_true(w.d.cache.evicted > 4000 && w.d.cache.entries > 50);
    dns_set_servers(&w.d, servers, 1); /* another network, other names */
    assert_int_equal(w.d.cache.entries, 0);
    assert_int_equal(w.d.cache.bytes, 0);
}

static void a_server_of_ones_own(void **state)
{
    (void)state;
    struct dns_question q = question("a.test", DNS_WANT_A);
    q.server = (struct dns_server){.family = NET_INET, .port = 5353, .link = LINK_ANY, .addr = {{10, 9, 9, 9}}};
    dns_ask(&w.d, 1, 1, &q, 0);
    assert_int_equal(w.last.to.port, 5353);
    struct answer a = answer_to(&w.last, 0);
    add_a(&a, NULL, 60, 1);
    give(&w.last, &a, 0);
    assert_int_equal(w.reply.status, DNS_OK);
    ask("a.test", DNS_WANT_A, 0); /* what it says is not for everybody */
    assert_int_equal(w.sent, 2);
    assert_int_equal(w.last.to.port, 53);
}

static void refuses_bad_questions(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ".", "a..b", "-..-"};
    for (unsigned i = 0; i < 4; i++) {
        struct dns_question q = question(bad[i], DNS_WANT_A);
        assert_int_equal(dns_ask(&w.d, 1, 1, &q, 0), -EINVAL);
    }
    struct dns_question q = question("a", 0);
    assert_int_equal(dns_ask(&w.d, 1, 1, &q, 0), -EINVAL);
    memset(q.name, 'a', sizeof(q.name)); /* no end */
    q.want = DNS_WANT_A;
    assert_int_equal(dns_ask(&w.d, 1, 1, &q, 0), -EINVAL);
    assert_int_equal(w.sent, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(address_and_cache), T(both_families), T(aliases), T(alias_loops_end), T(negative_answers),
        T(pointer_records), T(search_list), T(dead_server_is_passed_over), T(silence_ends),
        T(servers_that_cannot), T(truncated_goes_by_tcp), T(only_the_server_asked_may_answer),
        T(ids_are_random_and_questions_shared), T(nobody_takes_all_places), T(cache_is_bounded),
        T(a_server_of_ones_own), T(refuses_bad_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
