/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_groups.c: several endpoints behind one port: who may join, who
 * gets what when members come and go; and the offer of a port or a connection
 * to whoever shows its token.
 */
#include <tests/unit/net_harness.h>

#define CLIENTS 400

static struct proc master, worker[3], thief;

static void serve_start(struct proc *p, const char *name, const char *family)
{
    proc_init(p, name, RIGHT_NET_EPHEMERAL);
    memset(p->owner.family, 0, sizeof(p->owner.family));
    strcpy(p->owner.family, family);
    allow_port(p, port_key(NET_TCP, 80, 80), "", true);
    allow_port(p, port_key(NET_UDP, 53, 53), "", true);
    proc_open(p);
}

static int up(void **state)
{
    world_up(state);
    memset(worker, 0, sizeof(worker));
    serve_start(&master, "web", "web");
    serve_start(&thief, "web-worker", "thief"); /* has the right, and the name, but not the family */
    return 0;
}

static int down(void **state)
{
    struct proc *all[] = {&master, &worker[0], &worker[1], &worker[2], &thief};

    for (unsigned i = 0; i < 5; i++)
        if (all[i]->ep != NULL)
            endpoint_close(all[i]->ep);
    check_books();
    return world_down(state);
}

static int join(struct proc *p, struct net_endpoint *e, uint8_t proto, uint16_t port, struct net_port_op *op)
{
    struct net_port_op local;

    op = op != NULL ? op : &local;
    *op = (struct net_port_op){.key = port_key(proto, port, port), .flags = PORT_JOIN};
    (void)p;
    return port_register(e, op);
}

/* Which member gets a segment of each client? -1: none. */
static void shares(int to[CLIENTS], uint8_t flags)
{
    struct proc *all[] = {&master, &worker[0], &worker[1], &worker[2]};

    for (uint16_t c = 0; c < CLIENTS; c++) {
        to[c] = -1;
        rx_tcp((uint16_t)(2000 + c), 80, flags);
        for (int i = 0; i < 4; i++) {
            unsigned n = all[i]->ep != NULL ? ring_count(all[i]->ring) : 0;
            assert_true(n <= 1 && (n == 0 || to[c] < 0)); /* one gets it, once */
            if (n == 1)
                to[c] = i;
        }
    }
}

static void four(void)
{
    assert_int_equal(join(&master, master.ep, NET_TCP, 80, NULL), 0);
    for (int i = 0; i < 3; i++) {
        serve_start(&worker[i], "web-worker", "web");
        assert_int_equal(join(&worker[i], worker[i].ep, NET_TCP, 80, NULL), 0);
    }
}

static void gone(struct proc *p)
{
    proc_exit(p, false);
    p->ep = NULL;
}

static void only_the_family_joins(void **state) /* C-REG-11 */
{
    struct net_port_op mine, hers;

    (void)state;
    assert_int_equal(join(&master, master.ep, NET_TCP, 80, &mine), 0);
    assert_int_equal(join(&thief, thief.ep, NET_TCP, 80, NULL), -EADDRINUSE);
    serve_start(&worker[0], "another", "web"); /* a child, whatever it calls itself */
    assert_int_equal(join(&worker[0], worker[0].ep, NET_TCP, 80, &hers), 0);
    assert_int_equal(mine.id, hers.id);
    assert_memory_equal(mine.secret, hers.secret, NET_SECRET_BYTES); /* sequence numbers stay in order */
    assert_int_equal(try_register(&worker[0], port_key(NET_TCP, 80, 80), NULL), 0); /* idempotent */
    gone(&master);
    assert_int_equal(join(&thief, thief.ep, NET_TCP, 80, NULL), -EADDRINUSE);
    /* A right is needed, family or not. */
    assert_int_equal(join(&worker[0], worker[0].ep, NET_TCP, 81, NULL), -EACCES);
}

static void nobody_is_joined_unasked(void **state) /* C-REG-11 */
{
    struct net_endpoint *second = open_ring(&master, 0, 0);
    struct net_port_op unknown = {.key = port_key(NET_TCP, 80, 80), .flags = 0x80};

    (void)state;
    assert_int_equal(try_register(&master, port_key(NET_TCP, 80, 80), NULL), 0); /* no group */
    serve_start(&worker[0], "web-worker", "web");
    assert_int_equal(join(&worker[0], worker[0].ep, NET_TCP, 80, NULL), -EADDRINUSE);
    assert_int_equal(join(&master, second, NET_TCP, 80, NULL), -EADDRINUSE);
    assert_int_equal(port_register(master.ep, &unknown), -EINVAL);
    endpoint_close(second);
}

static void a_reserved_port_is_the_familys(void **state)
{
    (void)state;
    four();
    for (int i = 0; i < 3; i++)
        gone(&worker[i]);
    proc_exit(&master, true); /* the last one, and it will be back */
    master.ep = NULL;
    struct net_port_info info;
    assert_int_equal(net_info_read(NETINFO_PORT, 0, &info, sizeof(info)), sizeof(info));
    assert_true(info.reserved_ms > 0 && info.members == 0 && info.pid == 0);
    rx_tcp(7, 80, F_SYN);
    assert_int_equal(join(&thief, thief.ep, NET_TCP, 80, NULL), -EADDRINUSE);
    serve_start(&master, "web", "web");
    assert_int_equal(join(&master, master.ep, NET_TCP, 80, NULL), 0);
    assert_int_equal(ring_count(master.ring), 1); /* the SYN that had waited */
}

static void only_the_share_of_the_dead_moves(void **state)
{
    int before[CLIENTS], after[CLIENTS], moved[4] = {0}, count[4] = {0};

    (void)state;
    four();
    shares(before, F_SYN);
    gone(&worker[1]);
    shares(after, F_ACK);
    for (int c = 0; c < CLIENTS; c++) {
        assert_true(before[c] >= 0 && after[c] >= 0);
        count[before[c]]++;
        if (before[c] != 2)
            assert_int_equal(after[c], before[c]);
        else
            moved[after[c]]++;
    }
    for (int i = 0; i < 4; i++)
        assert_in_range(count[i], CLIENTS / 4 - 50, CLIENTS / 4 + 50);
    assert_true(moved[0] > 0 && moved[1] > 0 && moved[2] == 0 && moved[3] > 0); /* spread over all that are left */
}

static struct net_port_op flow_of(uint16_t rport)
{
    struct net_port_op op = {.is_flow = 1};

    op.flow = (struct net_flow_key){
        .family = NET_INET, .proto = NET_TCP, .link = LINK_ANY, .lport = 80, .rport = rport};
    op.flow.laddr = addr4(HOST_IP);
    op.flow.raddr = addr4(PEER_IP);
    return op;
}

static void registered_flows_stay_when_the_group_grows(void **state) /* C-TCP-5 */
{
    int before[CLIENTS], after[CLIENTS], bare[CLIENTS], lost = 0;

    (void)state;
    assert_int_equal(join(&master, master.ep, NET_TCP, 80, NULL), 0);
    for (uint16_t c = 0; c < CLIENTS; c++) {
        struct net_port_op op = flow_of((uint16_t)(2000 + c));
        assert_int_equal(port_register(master.ep, &op), 0);
    }
    shares(before, F_ACK);
    for (int i = 0; i < 3; i++) {
        serve_start(&worker[i], "web-worker", "web");
        assert_int_equal(join(&worker[i], worker[i].ep, NET_TCP, 80, NULL), 0);
    }
    shares(after, F_ACK);
    assert_memory_equal(before, after, sizeof(before));
    for (uint16_t c = 0; c < CLIENTS; c++) {
        struct net_port_op op = flow_of((uint16_t)(2000 + c));
        assert_int_equal(port_unregister(&master.owner, NULL, &op), 0);
    }
    shares(bare, F_ACK); /* that is what they would have lost */
    for (int c = 0; c < CLIENTS; c++)
        lost += bare[c] != before[c];
    assert_in_range(lost, CLIENTS / 2, CLIENTS - 20);
}

static void an_ephemeral_port_can_be_shared_by_its_owner(void **state)
{
    struct net_endpoint *second = open_ring(&master, 0, 0);
    struct net_port_op any, same;

    (void)state;
    assert_int_equal(join(&master, master.ep, NET_UDP, 0, &any), 0);
    assert_int_equal(join(&master, second, NET_UDP, any.key.port_lo, &same), 0);
    assert_memory_equal(any.secret, same.secret, NET_SECRET_BYTES);
    serve_start(&worker[0], "web-worker", "web");
    assert_int_equal(join(&worker[0], worker[0].ep, NET_UDP, any.key.port_lo, NULL), -EACCES);
    endpoint_close(second);
}

static void members_are_listed(void **state)
{
    struct net_port_info port;
    struct net_member_info m;
    uint64_t sum = 0;
    uint32_t pids = 0;

    (void)state;
    four();
    for (uint16_t i = 0; i < 40; i++)
        rx_tcp((uint16_t)(3000 + i), 80, F_SYN);
    assert_int_equal(net_info_read(NETINFO_PORT, 0, &port, sizeof(port)), sizeof(port));
    assert_int_equal(port.members, 4);
    for (uint64_t n = 0; net_info_read(NETINFO_MEMBER, (uint64_t)port.id << 8 | n, &m, sizeof(m)) > 0; n++) {
        assert_int_equal(m.id, port.id);
        assert_true(m.pid == master.owner.pid || m.pid == worker[n < 3 ? 2 - n : 0].owner.pid);
        pids++;
        sum += m.delivered;
    }
    assert_int_equal(pids, 4);
    assert_int_equal(sum, 40);
    assert_int_equal(net_info_read(NETINFO_MEMBER, (uint64_t)(port.id + 1) << 8, &m, sizeof(m)), 0);
}

static void a_group_has_a_limit(void **state)
{
    struct net_endpoint *more[16];

    (void)state;
    master.rights.ring_limit = 64u << 20;
    assert_int_equal(join(&master, master.ep, NET_TCP, 80, NULL), 0);
    for (unsigned i = 0; i < 16; i++) {
        more[i] = open_ring(&master, 0, 0);
        assert_int_equal(join(&master, more[i], NET_TCP, 80, NULL), i < 15 ? 0 : -ENOSPC);
    }
    for (unsigned i = 0; i < 16; i++)
        endpoint_close(more[i]);
}

/* --- offers ------------------------------------------------------------------------------ */

static void an_offered_flow_goes_to_who_shows_the_token(void **state) /* C-REG-12, C-REG-13 */
{
    struct net_endpoint *lot = open_ring(&master, 0, 0);
    struct net_port_op offer = flow_of(7), take, wrong;

    (void)state;
    assert_int_equal(try_register(&master, port_key(NET_TCP, 80, 80), NULL), 0);
    assert_int_equal(port_transfer(&master.owner, lot, &offer), 0); /* out of the way of our own stack */
    offer.flags = PORT_OFFER;
    assert_int_equal(port_register(thief.ep, &offer), -ENOENT); /* not hers to give */
    assert_int_equal(port_register(lot, &offer), 0);
    for (unsigned i = 0; i < 5; i++)
        rx_tcp(7, 80, F_ACK); /* they wait */
    take = (struct net_port_op){.is_flow = 1, .id = offer.id, .flags = PORT_TAKE};
    wrong = take;
    assert_int_equal(port_take(thief.ep, &wrong), -ENOENT);
    memcpy(take.secret, offer.secret, sizeof(take.secret));
    wrong = take;
    wrong.secret[15] ^= 1;
    assert_int_equal(port_take(thief.ep, &wrong), -ENOENT);
    wrong = take;
    wrong.id += 1u << 16;
    assert_int_equal(port_take(thief.ep, &wrong), -ENOENT);
    serve_start(&worker[0], "child", "web");
    struct net_port_op again = take;
    assert_int_equal(port_take(worker[0].ep, &take), 0);
    assert_int_equal(take.flow.rport, 7);
    assert_int_equal(ring_count(worker[0].ring), 5);
    assert_int_equal(ring_count(endpoint_ring(lot)), 0);
    rx_tcp(7, 80, F_ACK);
    assert_int_equal(ring_count(worker[0].ring), 1);
    assert_int_equal(port_take(thief.ep, &again), -ENOENT); /* good once */
    endpoint_close(lot);
    rx_tcp(7, 80, F_ACK);
    assert_int_equal(ring_count(worker[0].ring), 1);
}

static void taking_needs_the_right(void **state)
{
    struct net_port_op offer = flow_of(7), take = {.flags = PORT_TAKE};
    struct proc nobody;

    (void)state;
    assert_int_equal(try_register(&master, port_key(NET_TCP, 80, 80), NULL), 0);
    assert_int_equal(port_register(master.ep, &offer), 0);
    offer.flags = PORT_OFFER;
    assert_int_equal(port_register(master.ep, &offer), 0);
    proc_start(&nobody, "nobody", 0);
    take.is_flow = 1;
    take.id = offer.id;
    memcpy(take.secret, offer.secret, sizeof(take.secret));
    assert_int_equal(port_take(nobody.ep, &take), -EACCES);
    struct net_port_op port = {.key = port_key(NET_TCP, 80, 80), .flags = PORT_OFFER};
    assert_int_equal(port_register(master.ep, &port), 0);
    port.flags = PORT_TAKE;
    assert_int_equal(port_take(nobody.ep, &port), -EACCES);
    endpoint_close(nobody.ep);
}

static void an_offered_port_moves_with_what_waits(void **state)
{
    struct net_port_op offer = {.key = port_key(NET_UDP, 53, 53)}, first;

    (void)state;
    assert_int_equal(port_register(master.ep, &offer), 0);
    first = offer;
    offer.flags = PORT_OFFER;
    assert_int_equal(port_register(master.ep, &offer), 0);
    for (unsigned i = 0; i < 3; i++)
        rx_udp(9, 53, 20);
    serve_start(&worker[0], "child", "web");
    offer.flags = PORT_TAKE;
    memset(&offer.key, 0, sizeof(offer.key));
    assert_int_equal(port_take(worker[0].ep, &offer), 0);
    assert_int_equal(offer.key.port_lo, 53);
    assert_memory_equal(offer.secret, first.secret, NET_SECRET_BYTES);
    assert_int_equal(ring_count(worker[0].ring), 3);
    rx_udp(9, 53, 20);
    assert_int_equal(ring_count(master.ring), 0);
    assert_int_equal(ring_count(worker[0].ring), 1);
}

/* --- all of it at random, and the books ----------------------------------------------------- */

static uint32_t below(uint32_t n)
{
    return (uint32_t)(host_random() % n);
}

static void random_members(void **state)
{
    struct proc *all[] = {&master, &worker[0], &worker[1], &worker[2]};
    struct net_port_op offers[8] = {{.id = 0}};

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        struct proc *p = all[below(4)];
        struct net_port_op op = flow_of((uint16_t)(2000 + below(50)));

        if (p->ep == NULL) {
            serve_start(p, "web", "web");
            continue;
        }
        switch (below(12)) {
        case 0:
            if (below(8) != 0)
                break;
            proc_exit(p, below(2));
            p->ep = NULL;
            break;
        case 1:
            (void)join(p, p->ep, NET_TCP, 80, NULL);
            break;
        case 2:
            (void)port_register(p->ep, &op);
            break;
        case 3:
            (void)port_unregister(&p->owner, NULL, &op);
            break;
        case 4:
            op.flags = PORT_OFFER;
            op.is_flow = below(2);
            op.key = port_key(NET_TCP, 80, 80);
            if (port_register(p->ep, &op) == 0)
                offers[below(8)] = op;
            break;
        case 5:
            op = offers[below(8)];
            op.flags = PORT_TAKE;
            (void)port_take(p->ep, &op);
            break;
        case 6:
            ring_count(p->ring);
            break;
        case 7:
            host_advance(below(500000000));
            break;
        default:
            rx_tcp((uint16_t)(2000 + below(60)), 80, below(2) ? F_SYN : F_ACK);
            break;
        }
        if (round % 64 == 0)
            check_books();
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
    const struct CMUnitTest tests[] = {
        T(only_the_family_joins),
        T(nobody_is_joined_unasked),
        T(a_reserved_port_is_the_familys),
        T(only_the_share_of_the_dead_moves),
        T(registered_flows_stay_when_the_group_grows),
        T(an_ephemeral_port_can_be_shared_by_its_owner),
        T(members_are_listed),
        T(a_group_has_a_limit),
        T(an_offered_flow_goes_to_who_shows_the_token),
        T(taking_needs_the_right),
        T(an_offered_port_moves_with_what_waits),
        T(random_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
