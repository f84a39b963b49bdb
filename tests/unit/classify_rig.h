/* SPDX-License-Identifier: MIT
 *
 * tests/unit/classify_rig.h: a process with ports and a netd in every slot, for the
 * tests of whose a received packet is. Included by test_classify.c and
 * test_classify6.c, each of which has its own.
 */
#ifndef TESTS_UNIT_CLASSIFY_RIG_H
#define TESTS_UNIT_CLASSIFY_RIG_H

#include <tests/unit/net6_rig.h>

static struct proc app, netd[SLOT_COUNT];
static uint8_t p[70000];
#define TO_APP SLOT_COUNT

/* app owns TCP 80, UDP 7 and the echo identifier 77 of this family. */
static void rig_up(uint8_t family)
{
    struct net_port_key keys[3] = {port_key(NET_TCP, 80, 80), port_key(NET_UDP, 7, 7),
                                   port_key(family == NET_INET ? NET_ICMP : NET_ICMP6, 77, 77)};

    proc_init(&app, "app", RIGHT_NET_EPHEMERAL);
    for (unsigned i = 0; i < 3; i++) {
        keys[i].family = family;
        allow_port(&app, keys[i], "", false);
    }
    proc_open(&app);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(try_register(&app, keys[i], NULL), 0);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        proc_start(&netd[i], "netd", RIGHT_NET_DEFAULT | RIGHT_NET_FORWARD | RIGHT_NET_INJECT);
        assert_int_equal(slot_register(netd[i].ep, i), 0);
    }
}

static int down(void **state)
{
    endpoint_close(app.ep);
    for (unsigned i = 0; i < SLOT_COUNT; i++)
        endpoint_close(netd[i].ep);
    check_books();
    return world_down(state);
}

/* The one record that came, in this slot's ring (or the app's) and nowhere else. */
static const struct net_rx *only_in(unsigned where)
{
    const struct net_rx *r = NULL;

    for (unsigned i = 0; i <= SLOT_COUNT; i++) {
        struct net_ring *ring = i == TO_APP ? app.ring : netd[i].ring;
        const struct net_rx *x = ring_take(ring);

        assert_true((x != NULL) == (i == where));
        if (x != NULL)
            r = x;
        assert_null(ring_take(ring));
    }
    assert_int_equal(r->slot, where == TO_APP ? 0 : where + 1);
    check_books();
    return r;
}

#endif
