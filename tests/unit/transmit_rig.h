/* SPDX-License-Identifier: MIT
 *
 * tests/unit/transmit_rig.h: a process that owns ports and a netd beside it, for
 * the tests of what goes out. Included by test_transmit.c,
 * test_transmit_turns.c, test_transmit6.c and test_fragment.c, each of which has its own.
 */
#ifndef TESTS_UNIT_TRANSMIT_RIG_H
#define TESTS_UNIT_TRANSMIT_RIG_H

#include <tests/unit/net6_rig.h>

static struct proc app, netd;
static uint8_t p[70000];
#define APP_PORT 7

static int up(void **state)
{
    static const struct {
        uint8_t proto, proto6;
        uint16_t port;
    } own[] = {{NET_UDP, NET_UDP, APP_PORT}, {NET_TCP, NET_TCP, 80}, {NET_ICMP, NET_ICMP6, 5}};

    world6_up(state);
    proc_init(&app, "app", RIGHT_NET_EPHEMERAL);
    app.rights.ring_limit = 8u << 20;
    app.ep = open_ring(&app, 256 * 1024, 512 * 1024);
    app.ring = endpoint_ring(app.ep);
    app.base = (uint8_t *)app.ring;
    for (unsigned i = 0; i < 3; i++) {
        struct net_port_key both = port_key(own[i].proto, own[i].port, own[i].port);

        both.family = 0;
        allow_port(&app, both, "", own[i].proto == NET_TCP);
        assert_int_equal(try_register(&app, port_key(own[i].proto, own[i].port, own[i].port), NULL), 0);
        assert_int_equal(try_register(&app, port_key6(own[i].proto6, own[i].port, own[i].port), NULL), 0);
    }
    proc_init(&netd, "netd", RIGHT_NET_DEFAULT | RIGHT_NET_INJECT | RIGHT_NET_EPHEMERAL);
    netd.ep = open_ring(&netd, 0, 256 * 1024);
    netd.ring = endpoint_ring(netd.ep);
    netd.base = (uint8_t *)netd.ring;
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
