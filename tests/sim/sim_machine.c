/* SPDX-License-Identifier: MIT
 *
 * tests/sim/sim_machine.c: a whole machine, the real net core with netd and
 * several servers on it, against hosts outside; TAP on standard output.
 *
 * "steady" (port 7) lives from beginning to end, and no connection to it may
 * fail, whatever happens to its neighbours: "frail" (port 8) and netd die and
 * come back. In "group" frail serves port 7, too, and joins anew after each death:
 * steady's own connections must not notice. An inner client reaches steady by loopback.
 *
 *   sim_machine [--seeds N] [--from SEED] [--scenario NAME] [--pcap FILE] [-v]
 */
#include <slipway/rights.h>
#include <tests/sim/play.h>

#define MACHINE_IP 0x0a000001u

enum { NETD, STEADY, FRAIL, INNER, OUTER1, OUTER2, OUTER3, HOSTS };
static struct host host[HOSTS];
static const char *const names[HOSTS] = {"netd", "steady", "frail", "inner", "outer1", "outer2", "outer3"};

struct scenario {
    const char *name;
    struct wire_model wire;
    struct app_plan plan;
    bool frail_dies, netd_dies;
    bool group; /* frail is another member behind port 7 */
};
static const struct scenario scenarios[] = {
    {.name = "quiet",
     .wire = {.delay_ns = 200 * SIM_US, .mtu = 1500},
     .plan = {.connections = 4, .bytes_up = 30000, .bytes_down = 30000, .datagrams = 20}},
    {.name = "netd-dies",
     .netd_dies = true,
     .wire = {.loss = 20, .corrupt = 10, .delay_ns = 2 * SIM_MS, .jitter_ns = SIM_MS, .mtu = 1500},
     .plan = {.connections = 6, .bytes_up = 50000, .bytes_down = 50000, .datagrams = 20}},
    {.name = "neighbour-dies",
     .frail_dies = true,
     .netd_dies = true,
     .wire = {.loss = 30,
              .duplicate = 20,
              .reorder = 50,
              .delay_ns = 2 * SIM_MS,
              .reorder_ns = 10 * SIM_MS,
              .mtu = 1500},
     .plan =
         {.connections = 6, .bytes_up = 50000, .bytes_down = 50000, .datagrams = 20, .closes_first = true}},
    {.name = "group",
     .frail_dies = true,
     .group = true,
     .wire = {.loss = 20, .reorder = 50, .delay_ns = 2 * SIM_MS, .reorder_ns = 10 * SIM_MS, .mtu = 1500},
     .plan = {.connections = 10, .bytes_up = 50000, .bytes_down = 50000, .datagrams = 20}},
    {.name = "slow-line",
     .frail_dies = true,
     .wire = {.loss = 5, .delay_ns = 2 * SIM_MS, .byte_ns = 8000, .queue_bytes = 8192, .mtu = 576},
     .plan = {.connections = 3, .bytes_up = 20000, .bytes_down = 20000, .datagrams = 10}},
};

static const struct scenario *now_playing;

static void boot(uint32_t i)
{
    static const struct host_options options,
        netd_options = {.cfg = {.icmp_echo_reply = true, .reset_unbound = true}};
    struct machine_rights rights = {.bits = RIGHT_NET_EPHEMERAL};
    struct app_plan plan = now_playing->plan;

    if (i == NETD) {
        rights.bits |= RIGHT_NET_DEFAULT | RIGHT_NET_INJECT;
        rights.slots = true;
    } else if (i == STEADY || i == FRAIL) {
        rights.port = i == STEADY || now_playing->group ? 7 : 8;
        rights.family = now_playing->group ? "steady" : NULL;
    }
    if (i >= OUTER1) {
        host_start(&host[i], names[i], MACHINE_IP + i, &direct_kernel, &options);
    } else {
        machine_grant(&host[i], &rights);
        host_start(&host[i], names[i], i == INNER ? 0x7f000001 : MACHINE_IP, &machine_kernel,
                   i == NETD ? &netd_options : &options);
    }
    if (!host[i].alive || i == NETD)
        return;
    plan.may_fail =
        now_playing->frail_dies && (i == FRAIL || i == OUTER3 || (now_playing->group && i != STEADY));
    plan.group = now_playing->group;
    if (i == STEADY || i == FRAIL)
        app_server(&host[i], rights.port, &plan);
    else
        app_client(&host[i], i == INNER ? 0x7f000001 : MACHINE_IP, i == OUTER3 && !now_playing->group ? 8 : 7,
                   &plan);
}

static bool finished(void)
{
    for (int i = INNER; i < HOSTS; i++)
        if (!app_client_done(&host[i]))
            return false;
    return true;
}

static void rebirth(void *arg)
{
    if (!finished())
        boot((uint32_t)((struct host *)arg - host));
}

static void death(void *arg)
{
    struct host *h = arg;

    if (finished())
        return;
    if (h->alive) {
        host_die(h);
        sim_at(sim.now + (10 + sim_below(1500)) * SIM_MS, rebirth, h);
    }
    sim_at(sim.now + (20 + sim_below(2500)) * SIM_MS, death, h);
}

static uint64_t play(const void *scenario, uint64_t seed, const char *pcap)
{
    const struct scenario *s = scenario;
    uint64_t end;

    sim_start(seed);
    wire_start(&s->wire, pcap);
    memset(&app_stats, 0, sizeof(app_stats));
    memset(host, 0, sizeof(host));
    now_playing = s;
    machine_start(MACHINE_IP, seed);
    for (uint32_t i = 0; i < HOSTS && !sim.failed; i++)
        boot(i);
    if (s->netd_dies)
        sim_at(sim.now + 30 * SIM_MS, death, &host[NETD]);
    if (s->frail_dies)
        sim_at(sim.now + 50 * SIM_MS, death, &host[FRAIL]);
    end = sim.now + 900 * SIM_S;
    while (!sim.failed && !finished() && sim.now < end)
        if (!sim_step())
            break;
    if (!sim.failed && !finished())
        sim_fail("not over after 900 virtual seconds");
    /* A connection of steady's whose segments went to another member would hang. C-TCP-5 */
    for (end = sim.now + 60 * SIM_S; !sim.failed && s->group && app_open(&host[STEADY]) != 0 && sim.now < end;)
        if (!sim_step())
            break;
    if (!sim.failed && s->group && app_open(&host[STEADY]) != 0)
        sim_fail("steady has %u connections that hang", app_open(&host[STEADY]));
    play_took_ns = sim.now - SIM_EPOCH;
    for (int i = 0; i < HOSTS; i++)
        host_stop(&host[i]);
    while (sim_step()) /* what is still under way frees itself */
        ;
    machine_stop();
    sim_note(&app_stats, sizeof(app_stats));
    wire_stop();
    return sim.digest;
}

int main(int argc, char **argv)
{
    return play_main(argc, argv, "sim_machine", scenarios, sizeof(scenarios) / sizeof(scenarios[0]),
                     sizeof(scenarios[0]), play);
}
