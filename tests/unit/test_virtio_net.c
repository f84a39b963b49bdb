/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_virtio_net.c: the driver against a device in this process:
 * negotiation, frames both ways, and everything a broken device may do.
 */
#include "virtio_net_rig.h"

static void what_is_agreed(void **state) /* C-VIRTIO-2 */
{
    (void)state;
    assert_int_equal(dev.agreed, 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_EVENT_IDX |
                                     1ull << VIRTIO_F_ANY_LAYOUT | 1ull << VN_F_MAC | 1ull << VN_F_STATUS |
                                     1ull << VN_F_MTU);
    assert_int_equal(dev.vq[0]->size, 256); /* a modern queue shrinks */
    assert_int_equal(dev.vector[0], 0);
    assert_int_equal(dev.vector[1], 1);
    assert_int_equal(dev.vector[2], 2);
    assert_memory_equal(fake.link->mac, "\x52\x54\0\1\2\3", 6);
    assert_int_equal(fake.link->mtu, 1500);
    assert_true(fake.carrier);
    assert_int_equal(avail(0)[1], 256);
}

static void what_legacy_agrees(void **state) /* C-VIRTIO-2, C-VIRTIO-4, C-VIRTIO-5 */
{
    (void)state;
    assert_int_equal(dev.agreed >> 32, 0);
    assert_int_equal(dev.vq[0]->size, 1024); /* the device's size is the law */
    assert_int_equal(avail(0)[1], 256);
    fake_transmit(1, 100);
    assert_int_equal(dev.descriptors, 3); /* header, head, payload */
    assert_int_equal(dev.last_len, 10 + 54 + 100);
}

static void packets_go_out_whole(void **state) /* C-VIRTIO-5 */
{
    static const uint8_t zeros[12];

    (void)state;
    memset(fake_payload, 0x33, sizeof(fake_payload));
    assert_int_equal(fake_transmit(1, 1460), 1);
    assert_int_equal(dev.descriptors, 2);
    assert_int_equal(dev.last_len, 12 + 54 + 1460);
    assert_memory_equal(dev.last, zeros, 12);
    assert_int_equal(dev.last[12], 0x77);
    assert_int_equal(dev.last[12 + 54], 0x33);
    assert_int_equal(dev.kicks[1], 1);
    assert_int_equal(fake_transmit(10, 0), 10);
    assert_int_equal(dev.kicks[1], 2); /* one doorbell for the batch */
    assert_int_equal(dev.sent, 11);
    fake_poll();
    assert_int_equal(fake.done_ok, 11);
    assert_int_equal(dev.interrupts, 0);
}

static void completion_comes_without_interrupt(void **state)
{
    (void)state;
    fake_transmit(3, 100);
    assert_int_equal(fake.done_ok, 0);
    fake_sleep(5 * NS_PER_MS);
    assert_int_equal(fake.done_ok, 3);
    fake_sleep(NS_PER_S);
    for (unsigned i = 0; i < FAKE_TIMERS; i++)
        assert_null(fake.timer[i]); /* and nothing ticks afterwards */
}

static void a_full_queue_takes_no_more_and_says_when_it_drains(void **state)
{
    unsigned taken, id, interrupts = 0;

    (void)state;
    dev.tx_hangs = true;
    taken = fake_transmit(300, 100);
    assert_int_equal(taken, 128); /* two descriptors each */
    fake.poll_wanted = false;
    while ((int)(id = (unsigned)take(VN_TX)) >= 0) {
        unsigned before = dev.interrupts;
        device_send_one((int)id);
        interrupts += dev.interrupts - before;
    }
    assert_int_equal(interrupts, 1);
    assert_true(fake.poll_wanted);
    fake_poll();
    assert_int_equal(fake.done_ok, 128);
}

static void frames_come_in(void **state)
{
    unsigned n = 0;

    (void)state;
    for (size_t len = 14; len <= 1514; len++) {
        device_receive(len, (uint8_t)len);
        device_receive(60, 1);
        assert_int_equal(fake_poll(), 2);
        if (n < FAKE_FRAMES) {
            assert_int_equal(fake.len[n], len);
            assert_int_equal(fake.len[n + 1], 60);
        }
        n += 2;
    }
    assert_int_equal(fake.frames, n);
    assert_int_equal(fake.link->resets + fake.link->rx_errors, 0);
    assert_true(dev.interrupts <= n / 2 + 1);
    for (unsigned i = 0; i < 256; i++) /* a full ring in one go, in turns of the budget */
        device_receive(60, 2);
    assert_int_equal(fake_poll(), 256);
}

static void a_bare_header_is_an_error_not_a_frame(void **state)
{
    (void)state;
    put(VN_RX, (uint32_t)take(VN_RX), 0);
    put(VN_RX, (uint32_t)take(VN_RX), 12);
    fake_poll();
    assert_int_equal(fake.frames, 0);
    assert_int_equal(fake.link->rx_errors, 2);
    device_receive(60, 1);
    fake_poll();
    assert_int_equal(fake.frames, 1);
}

/* After nonsense: reset, then all works again. */
static void expect_recovery(void)
{
    uint64_t resets = fake.link->resets;
    unsigned frames = fake.frames, sent = dev.sent;

    assert_int_equal(fake.link->ops->transmit(fake.link, NULL), 0);
    fake_sleep(2 * NS_PER_S);
    fake_poll();
    assert_true(dev.status & VIRTIO_DRIVER_OK);
    assert_int_equal(fake.link->resets, resets);
    device_receive(60, 1);
    fake_poll();
    assert_int_equal(fake.frames, frames + 1);
    assert_int_equal(fake_transmit(1, 10), 1);
    assert_int_equal(dev.sent, sent + 1);
}

static void nonsense_in_the_receive_queue_resets(void **state) /* C-VIRTIO-7 */
{
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        if (i == 0)
            put(VN_RX, 999, 60);
        else if (i == 1)
            put(VN_RX, (uint32_t)take(VN_RX), 2049); /* longer than the buffer */
        else if (i == 2)
            used(VN_RX)[1] = 300; /* more than there are */
        else if (i == 3) {
            uint32_t id = (uint32_t)take(VN_RX);
            put(VN_RX, id, 60);
            put(VN_RX, id, 60); /* twice in one turn */
        } else if (i == 4)
            put(VN_RX, 0xffffffff, 0xffffffff);
        else
            put(VN_TX, 0, 0); /* nothing was sent */
        fake_poll();
        if (i == 5)
            fake_transmit(1, 0); /* with something in flight it shows */
        fake_poll();
        if (i < 5)
            assert_int_equal(fake.link->resets, i + 1);
        expect_recovery();
    }
}

static void resets_slow_down(void **state)
{
    unsigned resets = 0;

    (void)state;
    while (fake.now < 3 * NS_PER_S) {
        if (dev.vq[0] != NULL && dev.status & VIRTIO_DRIVER_OK) {
            used(VN_RX)[1] = 300;
            fake.link->ops->poll(fake.link, 64);
            resets++;
        }
        fake_sleep(NS_PER_MS / 2);
    }
    assert_in_range(resets, 5, 15);
    expect_recovery();
}

static void a_transmitter_that_stands_still_is_reset(void **state) /* C-BOUND-7 */
{
    (void)state;
    dev.tx_hangs = true;
    assert_int_equal(fake_transmit(20, 100), 20);
    fake_sleep(3 * NS_PER_S);
    assert_int_equal(fake.link->resets, 0);
    fake_sleep(10 * NS_PER_S);
    assert_int_equal(fake.link->resets, 1);
    assert_int_equal(fake.done_bad, 20);
    assert_int_equal(fake.last_status, -ENOBUFS);
    dev.tx_hangs = false;
    expect_recovery();
}

static void a_device_that_does_not_come_back_is_cut_off(void **state) /* C-DMA-4, C-DMA-6 */
{
    (void)state;
    fake_transmit(3, 100);
    dev.reset_hangs = true;
    used(VN_RX)[1] = 300;
    fake_poll();
    fake_sleep(2 * NS_PER_S);
    assert_false(fake.bus_master);
    assert_false(fake.carrier);
    assert_int_equal(fake.done_ok + fake.done_bad, 3); /* nobody waits for ever */
    assert_int_equal(fake_transmit(3, 0), 0);
    assert_int_equal(fake_poll(), 0);
    dev.reset_hangs = false;
    assert_int_equal(fake.link->ops->reset(fake.link), 0); /* on request it may try again */
    expect_recovery();
}

static void other_terms_after_a_reset_are_refused(void **state) /* C-VIRTIO-6 */
{
    (void)state;
    dev.offered &= ~(1ull << VIRTIO_F_EVENT_IDX);
    assert_true(fake.link->ops->reset(fake.link) < 0);
    dev.offered |= 1ull << VIRTIO_F_EVENT_IDX;
    dev.queue_size[1] = 64;
    assert_true(fake.link->ops->reset(fake.link) < 0);
    dev.queue_size[1] = 1024;
    assert_int_equal(fake.link->ops->reset(fake.link), 0);
    expect_recovery();
}

static void the_link_is_watched(void **state)
{
    (void)state;
    dev.config[6] = 0;
    assert_true(fake.handler(fake.arg[VEC_CONFIG]));
    fake_poll();
    assert_false(fake.carrier);
    dev.config[6] = 1;
    fake.handler(fake.arg[VEC_CONFIG]);
    fake_poll();
    assert_true(fake.carrier);
    dev.status |= VIRTIO_NEEDS_RESET;
    fake.handler(fake.arg[VEC_CONFIG]);
    fake_poll();
    assert_int_equal(fake.link->resets, 1);
    expect_recovery();
}

static void a_shared_line_is_not_ours_without_isr(void **state) /* C-IRQ-1 */
{
    (void)state;
    dev.isr = 0;
    assert_false(fake.handler(fake.arg[0]));
    dev.isr = 0xff;
    assert_false(fake.handler(fake.arg[0]));
    dev.isr = VIRTIO_ISR_QUEUE;
    assert_true(fake.handler(fake.arg[0]));
    assert_true(fake.poll_wanted);
}

static void refused(int want)
{
    int r = virtio_net_attach(&pci);

    assert_int_equal(r, want);
    assert_null(fake.link);
    assert_false(fake.bus_master);
    assert_int_equal(fake.detached, fake.handler == NULL ? 0 : fake.mode == IRQ_MSIX ? 3 : 1);
    assert_int_equal(fake.allocations, 0);
}
static void bad_devices_are_left_alone(void **state) /* C-VIRTIO-1, C-VIRTIO-3, C-VIRTIO-4 */
{
    (void)state;
    begin(true, IRQ_MSIX);
    dev.offered = 1ull << VN_F_MAC; /* modern without VERSION_1 */
    refused(-ENOTSUP);
    begin(true, IRQ_MSIX);
    dev.refuses = true;
    refused(-ENOTSUP);
    begin(true, IRQ_MSIX);
    dev.reset_hangs = true;
    refused(-ETIMEDOUT);
    assert_true(fake.now < 3 * NS_PER_S);
    begin(true, IRQ_MSIX);
    dev.queue_size[1] = 0;
    refused(-ENODEV);
    begin(false, IRQ_MSIX);
    dev.queue_size[0] = 100; /* not a power of two */
    refused(-ENODEV);
    begin(false, IRQ_MSIX);
    dev.queue_size[0] = 8;
    refused(-ENODEV);
    begin(true, IRQ_MSIX);
    dev.no_vectors = true;
    refused(-EIO);
    begin(true, IRQ_PIC);
    fake.links_full = true;
    refused(-ENFILE);
}

static void a_missing_or_bad_address_is_replaced(void **state)
{
    (void)state;
    begin(true, IRQ_MSIX);
    dev.offered &= ~(1ull << VN_F_MAC);
    attach();
    assert_int_equal(fake.link->mac[0], 0xfe); /* local, unicast */
    detach(NULL);
    begin(true, IRQ_MSIX);
    dev.config[0] = 0x53; /* a group address */
    dev.config[10] = 0xff, dev.config[11] = 0xff; /* and an MTU beyond what we take */
    attach();
    assert_int_equal(fake.link->mac[0], 0xfe);
    assert_int_equal(fake.link->mtu, 1500);
    detach(NULL);
}

/* Random words in the device's part of both rings, good traffic in between. */
static void random_lies(void **state)
{
    (void)state;
    srand(5);
    for (unsigned round = 0; round < 3000; round++) {
        for (unsigned q = 0; q < 2 && dev.vq[q] != NULL; q++) {
            used((int)q)[1] = (uint16_t)(dev.vq[q]->last_used + rand() % 4);
            for (unsigned i = 0; i < 4; i++)
                dev.vq[q]->used_ring[(dev.vq[q]->last_used + i) % dev.vq[q]->size] = (struct vring_used_elem){
                    (uint32_t)rand() % 300, (uint32_t)rand() % 2100};
        }
        dev.tx_hangs = rand() & 1;
        if (dev.status & VIRTIO_DRIVER_OK)
            fake_transmit((unsigned)rand() % 8, (uint32_t)rand() % 1400);
        fake_poll();
        fake_sleep((uint64_t)rand() % (20 * NS_PER_MS));
    }
    dev.tx_hangs = false;
    fake_sleep(20 * NS_PER_S);
    assert_int_equal(fake.link->ops->reset(fake.link), 0);
    expect_recovery();
}

int main(void)
{
#define M(f) cmocka_unit_test_setup_teardown(f, modern, detach)
#define L(f) cmocka_unit_test_setup_teardown(f, legacy, detach)
    const struct CMUnitTest tests[] = {
        M(what_is_agreed),
        L(what_legacy_agrees),
        M(packets_go_out_whole),
        M(completion_comes_without_interrupt),
        M(a_full_queue_takes_no_more_and_says_when_it_drains),
        M(frames_come_in),
        L(frames_come_in),
        M(a_bare_header_is_an_error_not_a_frame),
        M(nonsense_in_the_receive_queue_resets),
        M(resets_slow_down),
        M(a_transmitter_that_stands_still_is_reset),
        L(a_transmitter_that_stands_still_is_reset),
        M(a_device_that_does_not_come_back_is_cut_off),
        M(other_terms_after_a_reset_are_refused),
        M(the_link_is_watched),
        L(a_shared_line_is_not_ours_without_isr),
        cmocka_unit_test(a_missing_or_bad_address_is_replaced),
        M(random_lies),
        L(random_lies),
        cmocka_unit_test(bad_devices_are_left_alone),
    };
    return cmocka_run_group_tests_name("virtio_net", tests, NULL, NULL);
}
