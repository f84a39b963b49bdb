/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_virtio_filter.c: what a virtio card is told of the groups that it is
 * to let in, and what becomes of answers that do not come.
 */
#include "virtio_net_rig.h"

static int with_filter(void **state)
{
    (void)state;
    begin(true, IRQ_MSIX);
    dev.offered |= 1ull << VN_F_CTRL_VQ | 1ull << VN_F_CTRL_RX;
    dev.queue_size[2] = 64;
    attach();
    return 0;
}

static void want_groups(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        memcpy(fake.link->group[i], (uint8_t[]){0x33, 0x33, 0xff, 0, 1, (uint8_t)i}, 6);
    fake.link->ngroups = (uint8_t)n;
    fake.link->ops->filter(fake.link);
}

static void the_card_is_told_of_groups(void **state) /* C-VIRTIO-8 */
{
    (void)state;
    assert_int_equal(dev.agreed & (3ull << VN_F_CTRL_VQ), 3ull << VN_F_CTRL_VQ);
    assert_false(dev.promisc);
    assert_int_equal(dev.ngroups, 0);
    fake_sleep(20 * NS_PER_MS);
    for (unsigned n = 1; n <= LINK_GROUPS_MAX; n += 11) {
        want_groups(n);
        assert_int_equal(dev.ngroups, n);
        assert_memory_equal(dev.group, fake.link->group, 6 * n);
        fake_sleep(20 * NS_PER_MS);
    }
    fake.link->ops->reset(fake.link); /* forgets none */
    assert_false(dev.promisc);
    assert_int_equal(dev.ngroups, 34);
    fake_sleep(20 * NS_PER_MS);
    /* One that answers late gets the last word then. */
    dev.ctrl_silent = true;
    want_groups(2);
    want_groups(3);
    want_groups(5);
    unsigned before = dev.commands;
    dev.ctrl_silent = false;
    t_notify(NULL, dev.vq[VN_CTRL]);
    assert_int_equal(dev.ngroups, 2);
    fake_sleep(20 * NS_PER_MS);
    assert_int_equal(dev.ngroups, 5);
    assert_int_equal(dev.commands - before, 4);
    /* One that does not is left alone after a second. */
    dev.ctrl_silent = true;
    want_groups(6);
    fake_sleep(2 * NS_PER_S);
    want_groups(7);
    before = dev.kicks[VN_CTRL];
    fake_sleep(2 * NS_PER_S);
    assert_int_equal(dev.kicks[VN_CTRL], before);
}

static void a_card_that_refuses_lets_everything_through(void **state) /* C-VIRTIO-8 */
{
    (void)state;
    fake_sleep(20 * NS_PER_MS);
    dev.ctrl_answer = 1;
    want_groups(3);
    fake_sleep(20 * NS_PER_MS);
    assert_true(dev.promisc);
    unsigned before = dev.commands;
    want_groups(4);
    fake_sleep(2 * NS_PER_S);
    assert_int_equal(dev.commands, before);
}

/* The card would refuse the address that we made up. */
static void no_filter_with_an_address_of_our_own(void **state)
{
    (void)state;
    begin(true, IRQ_MSIX);
    dev.offered |= 1ull << VN_F_CTRL_VQ | 1ull << VN_F_CTRL_RX;
    dev.offered &= ~(1ull << VN_F_MAC);
    dev.queue_size[2] = 64;
    attach();
    want_groups(3);
    assert_int_equal(dev.commands, 0);
    assert_true(dev.promisc);
    detach(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_card_is_told_of_groups, with_filter, detach),
        cmocka_unit_test_setup_teardown(a_card_that_refuses_lets_everything_through, with_filter, detach),
        cmocka_unit_test(no_filter_with_an_address_of_our_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
