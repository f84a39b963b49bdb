/* SPDX-License-Identifier: MIT
 *
 * tests/sim/sim_chaos.c: everything at once; TAP on standard output.
 *
 * Each seed draws a world of its own: a machine with the real net core, netd, two
 * servers and perhaps a client inside, and one to four machines outside (two to
 * eight libnets in all, netd not counted where it only answers pings); a medium
 * that loses, delays, repeats, reorders and damages; and what goes wrong on the
 * way: links down for seconds, limits of packet size that change on the link or
 * at a router, processes that sleep while their rings overflow, processes that
 * die and come back.
 *
 * Whatever happens: streams arrive whole and in order or end in the right error
 * (app.c); with the server "steady" none may fail that has come about. Afterwards
 * no connection hangs, no timer is left, nothing leaked, and at every moment the
 * net core's books balance.
 *
 *   sim_chaos [--seeds N] [--from SEED] [--pcap FILE] [-v]
 */
#include <net/stack/ns.h>
#include <slipway/rights.h>
#include <tests/sim/play.h>

#define MACHINE_IP   0x0a000001u
#define PLAY_LIMIT   (1500 * SIM_S)
#define SETTLE_LIMIT (1300 * SIM_S) /* narrow paths are remembered for twenty minutes */
#ifndef CHAOS_SEEDS /* the sanitised share of make check's */
#define CHAOS_FIRST 1
#define CHAOS_SEEDS 800
#endif
#define PORT_STEADY  7
#define PORT_FRAIL   8

enum { NETD, STEADY, FRAIL, INNER, OUTER, HOSTS = OUTER + 4 };
static struct host host[HOSTS];
static const char *const names[HOSTS] = {"netd",   "steady", "frail",  "inner",
                                         "outer1", "outer2", "outer3", "outer4"};

/* What this seed's world is like. */
static struct {
    bool inner, dying, link_loss, resizing, routed, lazy, group;
    uint32_t outers;
    struct app_plan plan;
} world;

/* What happened in all of this run's worlds: that it is not a quiet one. */
static struct {
    uint64_t worlds, deaths, outages, too_big, swallowed, overflows, failed;
} tally;

#define PICK(...)                                                                                            \
    ((const uint32_t[]){__VA_ARGS__}[sim_below(sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))])

static bool half(void)
{
    return sim_chance(500);
}

static struct wire_model draw_wire(void)
{
    struct wire_model m = {.mtu = 1500};

    m.loss = PICK(0, 5, 20, 60);
    m.duplicate = PICK(0, 0, 20, 100);
    m.corrupt = PICK(0, 0, 10, 20);
    m.reorder = PICK(0, 0, 50, 200);
    m.delay_ns = PICK(50, 500, 3000, 20000) * SIM_US;
    m.jitter_ns = half() ? m.delay_ns / 2 : 0;
    m.reorder_ns = PICK(1, 10, 50) * SIM_MS;
    m.byte_ns = PICK(0, 0, 80, 800, 4000);
    m.queue_bytes = PICK(16384, 65536);
    m.mtu = (uint16_t)PICK(1500, 1500, 1280, 1006, 576);
    return m;
}

static void draw_world(void)
{
    memset(&world, 0, sizeof(world));
    world.inner = half();
    world.outers = 1 + sim_below(4);
    world.dying = half();
    world.link_loss = half();
    world.resizing = half();
    world.routed = half();
    world.lazy = half();
    world.group = world.dying && sim_chance(300);
    world.plan.connections = 1 + sim_below(4);
    world.plan.bytes_up = PICK(0, 3000, 30000, 100000);
    world.plan.bytes_down = PICK(0, 3000, 30000, 100000);
    world.plan.closes_first = half();
    world.plan.pause_ms = PICK(0, 0, 0, 100);
    world.plan.chunk = PICK(0, 0, 100);
    world.plan.datagrams = PICK(0, 10);
    world.plan.group = world.group;
    world.plan.may_time_out = true;
}

static void boot(uint32_t i)
{
    struct host_options o = {.lazy_ns = world.lazy ? PICK(0, 3, 30) * SIM_MS : 0};
    struct machine_rights rights = {.bits = RIGHT_NET_EPHEMERAL};
    struct app_plan plan = world.plan;
    bool to_frail = i == OUTER + 1;

    o.cfg.icmp_echo_reply = o.cfg.reset_unbound = i == NETD || i >= OUTER; /* who speaks for its machine */
    if (world.lazy && i >= OUTER)
        o.rx_bytes = PICK(16384, 65536);
    if (i >= OUTER) {
        host_start(&host[i], names[i], MACHINE_IP + i, &direct_kernel, &o);
    } else {
        rights.bits |= i == NETD ? RIGHT_NET_DEFAULT | RIGHT_NET_INJECT : 0;
        rights.slots = i == NETD;
        if (i == STEADY || i == FRAIL) {
            rights.port = i == STEADY || world.group ? PORT_STEADY : PORT_FRAIL;
            rights.family = world.group ? "steady" : NULL;
        }
        machine_grant(&host[i], &rights);
        host_start(&host[i], names[i], i == INNER ? 0x7f000001 : MACHINE_IP, &machine_kernel, &o);
    }
    if (!host[i].alive || i == NETD)
        return;
    plan.may_fail = world.dying && (i == FRAIL || to_frail || world.group);
    if (i == STEADY || i == FRAIL)
        app_server(&host[i], rights.port, &plan);
    else
        app_client(&host[i], i == INNER ? 0x7f000001 : MACHINE_IP,
                   to_frail && !world.group ? PORT_FRAIL : PORT_STEADY, &plan);
}

static bool plays(uint32_t i)
{
    return i < INNER || (i == INNER ? world.inner : i < OUTER + world.outers);
}

static bool finished(void)
{
    for (uint32_t i = INNER; i < HOSTS; i++)
        if (plays(i) && host[i].alive && !app_client_done(&host[i]))
            return false;
    return true;
}

/* --- what goes wrong ------------------------------------------------------------------ */
static void rebirth(void *arg)
{
    if (!finished())
        boot((uint32_t)((struct host *)arg - host));
}

/* frail, netd and the client that talks to frail die; nobody else may notice. */
static void death(void *arg)
{
    static const int mortals[] = {NETD, FRAIL, OUTER + 1};
    struct host *h = &host[mortals[sim_below(world.outers > 1 ? 3 : 2)]];

    if (finished())
        return;
    if (h->alive && (h != &host[OUTER + 1] || !app_client_done(h))) {
        host_die(h);
        tally.deaths++;
        sim_at(sim.now + (10 + sim_below(1500)) * SIM_MS, rebirth, h);
    }
    sim_at(sim.now + (20 + sim_below(2500)) * SIM_MS, death, arg);
}

static void link_changes(void *arg)
{
    bool down = wire_model.down;

    if (finished()) {
        wire_model.down = false;
        return;
    }
    wire_model.down = !down;
    tally.outages += down;
    sim_at(sim.now + (down ? 100 + sim_below(10000) : 1 + sim_below(PICK(50, 500, 4000))) * SIM_MS,
           link_changes, arg);
}

static void router_changes(void *arg)
{
    wire_model.path_mtu = (uint16_t)PICK(0, 1400, 1280, 1006, 576);
    wire_model.black_hole = sim_chance(300);
    if (!finished())
        sim_at(sim.now + (10 + sim_below(3000)) * SIM_MS, router_changes, arg);
}

static void size_changes(void *arg)
{
    wire_model.mtu = (uint16_t)PICK(1500, 1280, 1006, 576);
    machine_set_mtu(wire_model.mtu);
    if (!finished())
        sim_at(sim.now + (10 + sim_below(3000)) * SIM_MS, size_changes, arg);
}

static void audit(void *arg)
{
    machine_check_books();
    if (!finished())
        sim_at(sim.now + (1 + sim_below(500)) * SIM_MS, audit, arg);
}

/* --- afterwards -------------------------------------------------------------------------- */
/* Until nothing is due any more: TIME_WAITs have ended, the dead are noticed. */
static void settle(void)
{
    uint64_t end = sim.now + SETTLE_LIMIT;

    wire_model.down = false;
    while (!sim.failed && sim_step())
        if (sim.now > end)
            sim_fail("something still runs %llu s after the last connection", SETTLE_LIMIT / SIM_S);
    for (uint32_t i = 0; i < HOSTS && !sim.failed; i++) {
        struct nsock **at[APP_SOCKETS_MAX];
        unsigned mine;
        if (!plays(i) || !host[i].alive)
            continue;
        tally.overflows += host[i].ring->rx_dropped;
        mine = host[i].app != NULL ? app_sockets(&host[i], at) : 0;
        if (app_open(&host[i]) != 0)
            sim_fail("%s: %u connections hang", names[i], app_open(&host[i]));
        else if (netstack_sockets(host[i].ns) != mine)
            sim_fail("%s: %u sockets, %u of them known", names[i], netstack_sockets(host[i].ns), mine);
        else if (netstack_deadline(host[i].ns) != NS_NEVER)
            sim_fail("%s: a timer is left", names[i]);
        else if (host[i].ns->conn_n != 0)
            sim_fail("%s: %u connections in the table", names[i], host[i].ns->conn_n);
    }
}

static uint64_t play(const void *scenario, uint64_t seed, const char *pcap)
{
    struct wire_model wire;
    uint64_t end;

    (void)scenario;
    sim_start(seed);
    draw_world();
    wire = draw_wire();
    wire_start(&wire, pcap);
    memset(&app_stats, 0, sizeof(app_stats));
    memset(host, 0, sizeof(host));
    machine_start(MACHINE_IP, seed);
    for (uint32_t i = 0; i < HOSTS && !sim.failed; i++)
        if (plays(i))
            boot(i);
    sim_at(sim.now + 5 * SIM_MS, audit, NULL);
    if (world.dying)
        sim_at(sim.now + sim_below(200) * SIM_MS, death, NULL);
    if (world.link_loss)
        sim_at(sim.now + sim_below(500) * SIM_MS, link_changes, NULL);
    if (world.routed)
        sim_at(sim.now, router_changes, NULL);
    if (world.resizing)
        sim_at(sim.now + sim_below(500) * SIM_MS, size_changes, NULL);
    end = sim.now + PLAY_LIMIT;
    while (!sim.failed && !finished() && sim.now < end)
        if (!sim_step())
            break;
    play_took_ns = sim.now - SIM_EPOCH;
    if (!sim.failed && !finished())
        sim_fail("not over after %llu virtual seconds", PLAY_LIMIT / SIM_S);
    settle();
    for (int i = 0; i < HOSTS; i++)
        host_stop(&host[i]);
    while (sim_step()) /* what is still under way frees itself */
        ;
    machine_stop();
    tally.worlds++;
    tally.too_big += wire_stats.too_big;
    tally.swallowed += wire_stats.swallowed;
    tally.failed += app_stats.failed;
    sim_note(&app_stats, sizeof(app_stats));
    wire_stop();
    return sim.digest;
}

int main(int argc, char **argv)
{
    static const char *const scenarios[] = {"chaos"};
    int r;

    play_first = CHAOS_FIRST;
    play_seeds = CHAOS_SEEDS;
    play_twice = 50;
    r = play_main(argc, argv, "sim_chaos", scenarios, 1, sizeof(scenarios[0]), play);
    printf("# %llu worlds: %llu deaths, %llu outages, %llu packets too big (%llu without a word), %llu lost to full "
           "rings, %llu connections failed as they should\n",
           (unsigned long long)tally.worlds, (unsigned long long)tally.deaths, (unsigned long long)tally.outages,
           (unsigned long long)tally.too_big, (unsigned long long)tally.swallowed,
           (unsigned long long)tally.overflows, (unsigned long long)tally.failed);
    if (tally.worlds >= 100 && (tally.deaths == 0 || tally.outages == 0 || tally.too_big == tally.swallowed ||
                                tally.swallowed == 0 || tally.overflows == 0 || tally.failed == 0))
        return 1; /* the worlds have become too kind */
    return r;
}
