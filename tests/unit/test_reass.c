/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_reass.c: text in any order against a model; the chunk queue
 * and the send buffer under random use.
 */
#include "stack_rig.h"

static uint32_t x = 1;
static uint32_t below(uint32_t n)
{
    x = x * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(x >> 8) * n >> 24);
}

static uint8_t stream[40000], got[40000];

static void fill(void)
{
    for (size_t i = 0; i < sizeof(stream); i++)
        stream[i] = (uint8_t)(i * 13 + (i >> 8) * 5);
}

/* Pieces of a stream arrive in random order, cut and overlapping at random. */
static void test_random_order(void **st)
{
    (void)st;
    fill();
    for (uint32_t round = 0; round < 60; round++) {
        struct nsock *s;
        struct tcb *t;
        uint32_t total = 200 + below(20000), base = UINT32_MAX - below(30000), n = 0;
        x = round + 1;
        rig_start(NULL);
        assert_int_equal(ns_socket(rig.ns, NET_INET, NS_STREAM, &s), 0);
        t = (struct tcb *)s;
        t->state = TCP_ESTABLISHED;
        t->rcv_nxt = base;
        for (int turns = 0; t->rcv_nxt - base < total && turns < 100000; turns++) {
            uint32_t off = below(total), len = 1 + below(below(8) == 0 ? 3000 : 300);
            struct tcp_in in = {.flags = TCP_ACK};
            if (below(3) == 0) /* mostly near what is missing, or it takes for ever */
                off = t->rcv_nxt - base;
            if (off + len > total)
                len = total - off;
            in.seq = base + off;
            if (seq_lt(in.seq, t->rcv_nxt)) { /* as tcp_input.c trims it */
                uint32_t old = t->rcv_nxt - in.seq;
                if (old >= len)
                    continue;
                in.seq += old;
                len -= old;
                off += old;
            }
            in.data = stream + off;
            in.len = len;
            tcp_text(t, &in);
            assert_true(t->ooo_n <= TCP_OOO_MAX);
            for (struct ooo *o = t->ooo; o != NULL; o = o->next) {
                assert_true(seq_gt(o->seq, t->rcv_nxt) && seq_lt(o->seq, o->end));
                assert_int_equal(o->q.bytes, o->end - o->seq);
                if (o->next != NULL)
                    assert_true(seq_lt(o->end, o->next->seq)); /* never touching */
            }
            if (below(10) == 0)
                n += bufq_get(rig.ns, &t->rcv, got + n, below(2000));
        }
        n += bufq_get(rig.ns, &t->rcv, got + n, sizeof(got) - n);
        assert_int_equal(n, total);
        assert_memory_equal(got, stream, total);
        t->state = TCP_CLOSED;
        rig_stop();
    }
}

static void test_queue(void **st)
{
    struct bufq q = {0};
    uint32_t put = 0, taken = 0;

    (void)st;
    fill();
    rig_start(NULL);
    x = 7;
    for (int i = 0; i < 20000; i++) {
        if (below(2) == 0) {
            uint32_t n = below(3000);
            if (put + n > sizeof(stream))
                n = (uint32_t)sizeof(stream) - put;
            assert_true(bufq_put(rig.ns, &q, stream + put, n));
            put += n;
        } else {
            uint32_t skip = below(q.bytes + 1), n = bufq_peek(&q, skip, got, below(3000));
            assert_memory_equal(got, stream + taken + skip, n);
            n = bufq_get(rig.ns, &q, got, below(3000));
            assert_memory_equal(got, stream + taken, n);
            taken += n;
        }
        assert_int_equal(q.bytes, put - taken);
        if (put == sizeof(stream) && taken == put)
            put = taken = 0;
    }
    bufq_free(rig.ns, &q);
    rig_stop();
}

/* Many tiny pieces joined: memory stays in proportion to the bytes. */
static void test_splice_is_compact(void **st)
{
    struct bufq q = {0};
    uint32_t chunks = 0;

    (void)st;
    rig_start(NULL);
    for (int i = 0; i < 10000; i++) {
        struct bufq one = {0};
        assert_true(bufq_put(rig.ns, &one, "x", 1));
        bufq_splice(rig.ns, &q, &one);
        assert_true(one.head == NULL && one.bytes == 0);
    }
    for (struct chunk *c = q.head; c != NULL; c = c->next)
        chunks++;
    assert_int_equal(q.bytes, 10000);
    assert_true(chunks <= 10000 / CHUNK_BYTES + 1);
    bufq_free(rig.ns, &q);
    rig_stop();
}

static void complete(uint64_t cookie)
{
    struct net_cqe *c = (struct net_cqe *)(void *)rig_at(rig.ring->cq_off) + (rig.cq_head & 127);

    c->cookie = cookie;
    c->status = 0;
    rig.ring->cq_head = ++rig.cq_head;
    rig_run();
}

static void test_send_buffer(void **st)
{
    struct sndbuf b;
    uint32_t put = 0, dropped = 0;

    (void)st;
    fill();
    rig_start(NULL);
    sndbuf_init(&b);
    x = 3;
    for (int i = 0; i < 30000; i++) {
        uint32_t kind = below(3);
        if (kind == 0 && put < sizeof(stream)) {
            uint32_t n = below(3000);
            if (put + n > sizeof(stream))
                n = (uint32_t)sizeof(stream) - put;
            put += sndbuf_put(rig.ns, &b, NULL, stream + put, n);
        } else if (kind == 1 && b.bytes != 0) {
            uint32_t off = below(b.bytes), n = below(b.bytes - off) % 3000 + 1;
            struct net_tx tx = {.nseg = 0};
            uint64_t sum = 0;
            uint32_t take = n;
            sndbuf_copy(rig.ns, &b, off, got, n);
            assert_memory_equal(got, stream + dropped + off, n);
            sndbuf_segs(rig.ns, &b, off, &take, &tx, &sum);
            assert_int_equal(csum_fold(sum), csum_fold(csum_bytes(0, stream + dropped + off, take)));
            n = 0;
            for (int k = 0; k < tx.nseg; k++) {
                assert_memory_equal(rig_at(rig.ring->arena_off) + tx.seg[k].off, stream + dropped + off + n,
                                    tx.seg[k].len);
                n += tx.seg[k].len;
            }
            assert_int_equal(n, take);
            complete(tx.cookie);
        } else if (b.bytes != 0) {
            uint32_t n = below(b.bytes) + 1;
            sndbuf_drop(rig.ns, &b, n);
            dropped += n;
        }
        assert_int_equal(b.bytes, put - dropped);
        if (put == sizeof(stream) && b.bytes == 0)
            put = dropped = 0;
    }
    sndbuf_free(rig.ns, &b);
    assert_int_equal(rig.ns->blk_nfree, rig.ns->nblk);
    rig_stop();
}

/* A block that flies stays taken although its bytes are acknowledged. */
static void test_block_lives_until_completed(void **st)
{
    struct sndbuf b;
    struct net_tx *tx;
    uint8_t *h;
    uint32_t len = 3000;

    (void)st;
    fill();
    rig_start(NULL);
    sndbuf_init(&b);
    assert_int_equal(sndbuf_put(rig.ns, &b, NULL, stream, 3000), 3000);
    tx = tx_begin(rig.ns, &h);
    sndbuf_segs(rig.ns, &b, 0, &len, tx, NULL);
    assert_int_equal(tx->nseg, 1); /* neighbours merge */
    tx->hdr_len = 40;
    tx_commit(rig.ns, tx);
    sndbuf_drop(rig.ns, &b, 3000);
    assert_int_equal(rig.ns->blk_nfree, rig.ns->nblk - 2);
    complete(tx->cookie);
    assert_int_equal(rig.ns->blk_nfree, rig.ns->nblk);
    rig_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_order),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_splice_is_compact),
        cmocka_unit_test(test_send_buffer),
        cmocka_unit_test(test_block_lives_until_completed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
