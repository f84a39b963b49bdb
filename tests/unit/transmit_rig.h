/* SPDX-License-Identifier: MIT
 *
 * tests/unit/transmit_rig.h: a process that owns ports and a netd beside it, for
 * the tests of what goes out. Included by test_transmit.c and
 * test_transmit_turns.c, each of which has its own.
 */
#ifndef TESTS_UNIT_TRANSMIT_RIG_H
#define TESTS_UNIT_TRANSMIT_RIG_H

#include <tests/unit/net_harness.h>

static struct proc app, netd;
static uint8_t p[70000];
#define APP_PORT 7

static int up(void **state)
{
    world_up(state);
    proc_init(&app, "app", RIGHT_NET_EPHEMERAL);
    allow_port(&app, port_key(NET_UDP, APP_PORT, APP_PORT), "", false);
    allow_port(&app, port_key(NET_TCP, 80, 80), "", true);
    app.ep = open_ring(&app, 0, 256 * 1024);
    app.ring = endpoint_ring(app.ep);
    app.base = (uint8_t *)app.ring;
    assert_int_equal(try_register(&app, port_key(NET_UDP, APP_PORT, APP_PORT), NULL), 0);
    assert_int_equal(try_register(&app, port_key(NET_TCP, 80, 80), NULL), 0);
    assert_int_equal(try_register(&app, port_key(NET_ICMP, 5, 5), NULL), 0);
    proc_start(&netd, "netd", RIGHT_NET_DEFAULT | RIGHT_NET_INJECT | RIGHT_NET_EPHEMERAL);
    return 0;
}

static int down(void **state)
{
    release_held(0);
    endpoint_close(app.ep);
    endpoint_close(netd.ep);
    host_run_polls(100);
    check_books();
    return world_down(state);
}

static inline uint32_t udp_to(uint32_t dst, uint32_t data)
{
    return make_udp(p, HOST_IP, APP_PORT, dst, 9, data);
}

#define T(f) cmocka_unit_test_setup_teardown(f, up, down)

#endif
