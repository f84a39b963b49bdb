/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_virtqueue.c: the split virtqueue against a device in this
 * process, first an honest one, then one that lies.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <drivers/virtio/virtqueue.h>
#include <kernel/log.h>
#include <slipway/errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 8

static jmp_buf panicked;
void panic(const char *fmt, ...)
{
    (void)fmt;
    longjmp(panicked, 1);
}
#define assert_panics(expr)                                                                                            \
    do {                                                                                                               \
        if (setjmp(panicked) == 0) {                                                                                   \
            expr;                                                                                                      \
            fail_msg("no panic: " #expr);                                                                              \
        }                                                                                                              \
    } while (0)

static struct virtqueue vq;
static uint8_t *memory;
static struct vq_slot slots[256];
static uint16_t dev_avail, dev_used; /* the device's own indices */

static void start(uint16_t size, bool event_idx)
{
    memory = aligned_alloc(VQ_ALIGN, (vq_bytes(size) + VQ_ALIGN - 1) / VQ_ALIGN * VQ_ALIGN);
    memset(memory, 0xee, vq_bytes(size));
    vq_init(&vq, 3, size, memory, 0x100000, slots, event_idx);
    dev_avail = dev_used = 0;
}
static int setup(void **state)
{
    (void)state;
    start(SIZE, false);
    return 0;
}
static int setup_event(void **state)
{
    (void)state;
    start(SIZE, true);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

/* --- the device's side, after VirtIO 1.2, 2.7 --- */
static uint16_t *avail(void) { return (uint16_t *)(memory + vq_avail_offset(vq.size)); }
static uint16_t *used(void) { return (uint16_t *)(memory + vq_used_offset(vq.size)); }
static struct vring_used_elem *used_ring(void) { return (struct vring_used_elem *)(used() + 2); }
static struct vring_desc *desc(void) { return (struct vring_desc *)memory; }
static int dev_take(void)
{
    return dev_avail == avail()[1] ? -1 : avail()[2 + dev_avail++ % vq.size];
}
static void dev_put(uint32_t id, uint32_t len)
{
    used_ring()[dev_used++ % vq.size] = (struct vring_used_elem){id, len};
    used()[1] = dev_used;
}

static int add(unsigned nout, unsigned nin, void *cookie)
{
    struct vq_buf b[16];

    for (unsigned i = 0; i < 16; i++)
        b[i] = (struct vq_buf){0x1000u * (i + 1), 100};
    return vq_add(&vq, b, nout, nin, cookie);
}

static void layout_is_the_legacy_one(void **state)
{
    (void)state;
    assert_int_equal(vq_avail_offset(256), 4096);
    assert_int_equal(vq_used_offset(256), 8192); /* 4096 + 6 + 512, rounded up */
    assert_int_equal(vq_bytes(256), 8192 + 6 + 2048);
    assert_int_equal(vq_used_offset(8), 4096);
}

static void a_chain_goes_and_comes(void **state)
{
    struct vq_done d;
    int cookie, id = add(1, 2, &cookie), at;

    (void)state;
    assert_true(id >= 0);
    assert_int_equal(dev_take(), -1); /* not before it is published */
    assert_true(vq_publish(&vq));
    at = dev_take();
    assert_int_equal(at, id);
    assert_int_equal(desc()[at].flags, VRING_DESC_NEXT);
    assert_int_equal(desc()[at].addr, 0x1000);
    at = desc()[at].next;
    assert_int_equal(desc()[at].flags, VRING_DESC_NEXT | VRING_DESC_WRITE);
    at = desc()[at].next;
    assert_int_equal(desc()[at].flags, VRING_DESC_WRITE);
    assert_int_equal(desc()[at].addr, 0x3000);
    assert_int_equal(vq_take(&vq, &d), 0);
    dev_put((uint32_t)id, 200);
    assert_int_equal(vq_take(&vq, &d), 1);
    assert_ptr_equal(d.cookie, &cookie);
    assert_int_equal(d.len, 200);
    assert_int_equal(vq.nfree, SIZE - 3);
    vq_release(&vq, d.id);
    assert_int_equal(vq.nfree, SIZE);
    assert_int_equal(vq_take(&vq, &d), 0);
}

static void full_is_refused_and_harmless(void **state)
{
    (void)state;
    assert_int_equal(add(0, 0, slots), -1);
    assert_true(add(3, 0, slots) >= 0);
    assert_true(add(3, 0, slots) >= 0);
    assert_int_equal(add(3, 0, slots), -1);
    assert_int_equal(vq.nfree, 2);
    assert_true(add(2, 0, slots) >= 0);
    assert_int_equal(vq.nfree, 0);
    assert_int_equal(add(1, 0, slots), -1);
}

static void recycled_buffers_keep_their_descriptors(void **state)
{
    struct vq_done d;
    int id = add(0, 1, slots);

    (void)state;
    vq_publish(&vq);
    for (unsigned i = 0; i < 100000; i++) { /* past the wrap of the 16-bit index */
        assert_int_equal(dev_take(), id);
        dev_put((uint32_t)id, 60);
        assert_int_equal(vq_take(&vq, &d), 1);
        vq_recycle(&vq, d.id);
        vq_publish(&vq);
    }
    assert_int_equal(vq.inflight, 1);
}

static void ids_and_lengths_are_checked(void **state) /* C-DMA-2 */
{
    struct vq_done d;
    int in = add(0, 2, slots), out = add(2, 0, slots);

    (void)state;
    vq_publish(&vq);
    used_ring()[0] = (struct vring_used_elem){SIZE, 0}; /* no such descriptor */
    used()[1] = 1;
    assert_int_equal(vq_take(&vq, &d), -EPROTO);
    used_ring()[0].id = 0xffffffffu;
    assert_int_equal(vq_take(&vq, &d), -EPROTO);
    used_ring()[0].id = (uint32_t)desc()[in].next; /* the middle of a chain */
    assert_int_equal(vq_take(&vq, &d), -EPROTO);
    used_ring()[0].id = SIZE - 1; /* one that was never given */
    assert_int_equal(vq_take(&vq, &d), -EPROTO);
    used_ring()[0] = (struct vring_used_elem){(uint32_t)in, 201}; /* more than its room */
    assert_int_equal(vq_take(&vq, &d), -EPROTO);
    used_ring()[0].len = 0xffffffffu;
    assert_int_equal(vq_take(&vq, &d), -EPROTO);
    used_ring()[0] = (struct vring_used_elem){(uint32_t)out, 0xdeadbeef}; /* nobody cares */
    assert_int_equal(vq_take(&vq, &d), 1);
    assert_int_equal(d.len, 0);
    used_ring()[1] = (struct vring_used_elem){(uint32_t)out, 0}; /* a second time */
    used()[1] = 2;
    assert_int_equal(vq_take(&vq, &d), -EPROTO);
    used_ring()[1] = (struct vring_used_elem){(uint32_t)in, 200};
    assert_int_equal(vq_take(&vq, &d), 1);
    assert_int_equal(d.len, 200);
}

static void what_was_not_published_cannot_come_back(void **state) /* C-DMA-3 */
{
    struct vq_done d;
    int id = add(0, 1, slots);

    (void)state;
    dev_put((uint32_t)id, 10); /* a device that reads our mind */
    assert_int_equal(vq_take(&vq, &d), -EPROTO);
    vq_publish(&vq);
    assert_int_equal(vq_take(&vq, &d), 1);
    vq_recycle(&vq, d.id);
    dev_put((uint32_t)id, 10); /* the same one twice, while it is ours */
    assert_int_equal(vq_take(&vq, &d), -EPROTO);
}

static void a_used_index_that_runs_away_is_caught(void **state) /* C-VIRTIO-7 */
{
    struct vq_done d;
    int id = add(0, 1, slots);

    (void)state;
    vq_publish(&vq);
    used_ring()[0] = (struct vring_used_elem){(uint32_t)id, 10};
    used()[1] = 2;
    assert_int_equal(vq_take(&vq, &d), -EPROTO);
    used()[1] = 0xffff; /* backwards */
    assert_int_equal(vq_take(&vq, &d), -EPROTO);
    used()[1] = 1;
    assert_int_equal(vq_take(&vq, &d), 1);
}

static void ownership_is_asserted(void **state) /* C-DMA-1 */
{
    struct vq_done d;
    int id = add(0, 1, slots);

    (void)state;
    assert_panics(vq_release(&vq, (uint16_t)id)); /* the device's */
    assert_panics(vq_recycle(&vq, (uint16_t)id));
    assert_panics(vq_recycle(&vq, SIZE - 1)); /* free */
    vq_publish(&vq);
    dev_put((uint32_t)id, 1);
    assert_int_equal(vq_take(&vq, &d), 1);
    vq_release(&vq, d.id);
    assert_panics(vq_release(&vq, d.id));
}

static void reclaim_returns_all_of_them(void **state) /* C-DMA-4 */
{
    uint16_t cursor = 0;
    unsigned n = 0;

    (void)state;
    add(1, 1, slots);
    add(2, 0, slots);
    add(0, 3, slots);
    while (vq_reclaim(&vq, &cursor) != NULL)
        n++;
    assert_int_equal(n, 3);
    assert_int_equal(vq.nfree, SIZE);
    assert_int_equal(vq.inflight, 0);
}

static void flags_suppress_without_event_idx(void **state)
{
    (void)state;
    assert_int_equal(avail()[0], VRING_AVAIL_NO_INTERRUPT);
    assert_false(vq_irq_on(&vq, 0));
    assert_int_equal(avail()[0], 0);
    vq_irq_off(&vq);
    assert_int_equal(avail()[0], VRING_AVAIL_NO_INTERRUPT);
    used()[0] = VRING_USED_NO_NOTIFY;
    add(1, 0, slots);
    assert_false(vq_publish(&vq));
    used()[0] = 0;
    assert_false(vq_publish(&vq)); /* nothing new */
    add(1, 0, slots);
    assert_true(vq_publish(&vq));
}

/* The device's rule of 2.7.10.1. */
static bool need_event(uint16_t event, uint16_t now, uint16_t old)
{
    return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

static void event_idx_interrupts_once(void **state) /* C-IRQ-2 */
{
    struct vq_done d;
    uint16_t *used_event = &avail()[2 + SIZE];

    (void)state;
    for (unsigned lap = 0; lap < 40000; lap++) {
        int a = add(0, 1, slots), b = add(0, 1, slots);
        vq_publish(&vq);
        assert_false(vq_irq_on(&vq, 0));
        dev_put((uint32_t)a, 1);
        assert_true(need_event(*used_event, dev_used, (uint16_t)(dev_used - 1)));
        dev_put((uint32_t)b, 1);
        assert_false(need_event(*used_event, dev_used, (uint16_t)(dev_used - 1)));
        assert_true(vq_irq_on(&vq, 0)); /* came while it was off: look again */
        while (vq_take(&vq, &d) > 0)
            vq_release(&vq, d.id);
        vq_irq_off(&vq);
        a = add(0, 1, slots);
        vq_publish(&vq);
        dev_put((uint32_t)a, 1);
        assert_false(need_event(*used_event, dev_used, (uint16_t)(dev_used - 1)));
        assert_int_equal(vq_take(&vq, &d), 1);
        vq_release(&vq, d.id);
    }
}

static void event_idx_waits_for_half(void **state)
{
    uint16_t *used_event = &avail()[2 + SIZE];

    (void)state;
    for (unsigned i = 0; i < SIZE; i++)
        add(1, 0, slots);
    vq_publish(&vq);
    assert_false(vq_irq_on(&vq, SIZE / 2));
    for (unsigned i = 0; i < SIZE; i++) {
        dev_put(i, 0);
        assert_int_equal(need_event(*used_event, dev_used, (uint16_t)(dev_used - 1)), i == SIZE / 2);
    }
    assert_true(vq_irq_on(&vq, SIZE / 2));
}

static void event_idx_rings_when_asked(void **state)
{
    uint16_t *avail_event = (uint16_t *)&used_ring()[SIZE];

    (void)state;
    *avail_event = 0; /* tell me of the first */
    add(1, 0, slots);
    assert_true(vq_publish(&vq));
    add(1, 0, slots);
    assert_false(vq_publish(&vq)); /* still busy with it */
    *avail_event = 3;
    add(1, 0, slots);
    assert_false(vq_publish(&vq));
    add(1, 0, slots);
    add(1, 0, slots);
    assert_true(vq_publish(&vq)); /* stepped over 3 in a batch */
}

/* Honest device, any order, any chain length: nothing is lost or doubled. */
static void random_traffic(void **state)
{
    static uint8_t marks[256];
    int held[256];
    unsigned nheld = 0, out = 0;

    (void)state;
    free(memory);
    start(256, true);
    srand(1);
    memset(marks, 0, sizeof(marks));
    for (unsigned step = 0; step < 300000; step++) {
        struct vq_done d;
        if (rand() % 2) {
            unsigned n = 1 + (unsigned)rand() % 14;
            int id = add(n, 0, &marks[0]);
            if (id >= 0) {
                slots[id].cookie = &marks[id];
                assert_int_equal(marks[id]++, 0);
                out++;
            }
            vq_publish(&vq);
        } else {
            int id;
            while ((id = dev_take()) >= 0)
                held[nheld++] = id;
            if (nheld != 0) {
                unsigned i = (unsigned)rand() % nheld;
                dev_put((uint32_t)held[i], 0);
                held[i] = held[--nheld];
            }
            while (vq_take(&vq, &d) > 0) {
                assert_ptr_equal(d.cookie, &marks[d.id]);
                assert_int_equal(marks[d.id]--, 1);
                vq_release(&vq, d.id);
                out--;
            }
        }
        assert_int_equal(vq.inflight, out);
    }
}

/* A device that writes anything anywhere in its part: every answer is in
 * bounds, and no chain comes back twice. */
static void random_lies(void **state) /* C-DMA-2 */
{
    (void)state;
    srand(2);
    for (unsigned round = 0; round < 3000; round++) {
        struct vq_done d;
        unsigned out = 0;
        start(SIZE, rand() & 1);
        while (add((unsigned)rand() % 2, 1, slots) >= 0)
            out++;
        vq_publish(&vq);
        for (unsigned i = 0; i < 20; i++) {
            used()[1] = (uint16_t)(vq.last_used + (uint16_t)(rand() % (rand() % 4 ? 3 : 65536)));
            used_ring()[vq.last_used % SIZE] = (struct vring_used_elem){
                (uint32_t)rand() % (rand() % 4 ? SIZE : 100000), (uint32_t)rand() % (rand() % 4 ? 100 : 100000)};
            if (vq_take(&vq, &d) > 0) {
                assert_true(out-- > 0);
                assert_true(d.id < SIZE && d.len <= 100);
                vq_release(&vq, d.id);
            }
        }
        assert_int_equal(vq.inflight, out);
        free(memory);
    }
    start(SIZE, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_is_the_legacy_one),
        cmocka_unit_test_setup_teardown(a_chain_goes_and_comes, setup, teardown),
        cmocka_unit_test_setup_teardown(full_is_refused_and_harmless, setup, teardown),
        cmocka_unit_test_setup_teardown(recycled_buffers_keep_their_descriptors, setup, teardown),
        cmocka_unit_test_setup_teardown(ids_and_lengths_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_not_published_cannot_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_used_index_that_runs_away_is_caught, setup, teardown),
        cmocka_unit_test_setup_teardown(ownership_is_asserted, setup, teardown),
        cmocka_unit_test_setup_teardown(reclaim_returns_all_of_them, setup, teardown),
        cmocka_unit_test_setup_teardown(flags_suppress_without_event_idx, setup, teardown),
        cmocka_unit_test_setup_teardown(event_idx_interrupts_once, setup_event, teardown),
        cmocka_unit_test_setup_teardown(event_idx_waits_for_half, setup_event, teardown),
        cmocka_unit_test_setup_teardown(event_idx_rings_when_asked, setup_event, teardown),
        cmocka_unit_test_setup_teardown(random_traffic, setup_event, teardown),
        cmocka_unit_test_setup(random_lies, NULL),
    };
    return cmocka_run_group_tests_name("virtqueue", tests, NULL, NULL);
}
