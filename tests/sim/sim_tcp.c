/* SPDX-License-Identifier: MIT
 *
 * tests/sim/sim_tcp.c: TCP and UDP between simulated hosts, over a medium that
 * gets worse from scenario to scenario; TAP on standard output.
 *
 *   sim_tcp [--seeds N] [--from SEED] [--scenario NAME] [--pcap FILE] [-v]
 */
#include <tests/sim/play.h>

#define HOSTS     4
#define SERVER_IP 0x0a000001u

struct scenario {
    const char *name;
    struct wire_model wire;
    struct app_plan plan;
    struct host_options host;
    uint32_t clients;
    uint64_t limit_s; /* virtual seconds until all must be over */
    bool deaths;      /* clients and the server die and come back */
    bool handovers; /* processes hand their sockets to successors */
    uint32_t alloc_fail;
};

static const struct scenario scenarios[] = {
    {.name = "clean",
     .clients = 2,
     .limit_s = 20,
     .wire = {.delay_ns = 100 * SIM_US, .mtu = 1500},
     .plan = {.connections = 4, .bytes_up = 40000, .bytes_down = 40000}},
    {.name = "lossy",
     .clients = 2,
     .limit_s = 400,
     .wire = {.loss = 50, .delay_ns = 2 * SIM_MS, .jitter_ns = 1 * SIM_MS, .mtu = 1500},
     .plan = {.connections = 4, .bytes_up = 60000, .bytes_down = 60000, .closes_first = true}},
    {.name = "hostile",
     .clients = 3,
     .limit_s = 900,
     .wire = {.loss = 80,
              .duplicate = 50,
              .corrupt = 20,
              .reorder = 200,
              .delay_ns = 5 * SIM_MS,
              .jitter_ns = 10 * SIM_MS,
              .reorder_ns = 60 * SIM_MS,
              .mtu = 1500},
     .plan = {.connections = 3, .bytes_up = 30000, .bytes_down = 30000}},
    {.name = "slow-reader",
     .clients = 1,
     .limit_s = 2000,
     .wire = {.loss = 100, .delay_ns = 1 * SIM_MS, .mtu = 1500},
     .plan = {.connections = 2, .bytes_up = 100000, .bytes_down = 1000, .pause_ms = 2000},
     .host = {.cfg = {.tcp_rcvbuf = 4096}}},
    {.name = "serial",
     .clients = 1,
     .limit_s = 600,
     .wire = {.loss = 5, .delay_ns = 2 * SIM_MS, .byte_ns = 86806, .queue_bytes = 16384, .mtu = 1006},
     .plan = {.connections = 2, .bytes_up = 20000, .bytes_down = 20000, .closes_first = true}},
    {.name = "tight",
     .clients = 3,
     .limit_s = 900,
     .wire = {.loss = 20, .delay_ns = 500 * SIM_US, .mtu = 1500},
     .plan = {.connections = 8, .bytes_up = 30000, .bytes_down = 30000, .chunk = 100},
     .host = {.rx_bytes = 16384, .tx_entries = 8, .arena_bytes = 16384 + 2048}},
    {.name = "deaths",
     .clients = 3,
     .limit_s = 900,
     .deaths = true,
     .wire = {.loss = 30, .reorder = 50, .delay_ns = 2 * SIM_MS, .reorder_ns = 10 * SIM_MS, .mtu = 1500},
     .plan = {.connections = 6, .bytes_up = 40000, .bytes_down = 40000, .may_fail = true}},
    {.name = "hand-over",
     .clients = 3,
     .limit_s = 900,
     .handovers = true,
     .wire = {.loss = 40,
              .duplicate = 20,
              .reorder = 100,
              .delay_ns = 3 * SIM_MS,
              .jitter_ns = 3 * SIM_MS,
              .reorder_ns = 20 * SIM_MS,
              .mtu = 1500},
     .plan = {.connections = 5, .bytes_up = 40000, .bytes_down = 40000, .datagrams = 10}},
    {.name = "both-families",
     .clients = 3,
     .limit_s = 900,
     .handovers = true,
     .wire = {.loss = 50,
              .duplicate = 30,
              .corrupt = 10,
              .reorder = 100,
              .delay_ns = 3 * SIM_MS,
              .jitter_ns = 3 * SIM_MS,
              .reorder_ns = 20 * SIM_MS,
              .mtu = 1500,
              .six = true},
     .plan = {.connections = 4, .bytes_up = 40000, .bytes_down = 40000, .datagrams = 10, .six = true}},
    {.name = "no-memory",
     .clients = 2,
     .limit_s = 900,
     .alloc_fail = 20,
     .wire = {.loss = 20, .delay_ns = 1 * SIM_MS, .mtu = 1500},
     .plan = {.connections = 4, .bytes_up = 20000, .bytes_down = 20000, .may_fail = true}},
};

static struct host host[HOSTS];
static const struct scenario *now_playing;

static bool finished(void)
{
    for (uint32_t i = 1; i <= now_playing->clients; i++)
        if (host[i].alive && !app_client_done(&host[i]))
            return false;
    return true;
}

static void boot(uint32_t i)
{
    static const char *const names[HOSTS] = {"server", "client1", "client2", "client3"};

    host_start(&host[i], names[i], SERVER_IP + i, &direct_kernel, &now_playing->host);
    if (i == 0)
        app_server(&host[i], 7, &now_playing->plan);
    else
        app_client(&host[i], SERVER_IP, 7, &now_playing->plan);
    host[i].alloc_fail = now_playing->alloc_fail;
}

static void death(void *arg)
{
    struct host *h = arg;
    uint32_t i = (uint32_t)(h - host);

    if (finished())
        return;
    host_die(h);
    boot(i);
    uint64_t at = sim.now + (100 + sim_below(4000)) * SIM_MS;
    sim_at(at, death, &host[sim_below(now_playing->clients + 1)]);
}

static void hand_over(void *arg)
{
    struct host *h = arg;
    uint64_t at;
    bool done;

    if (finished())
        return;
    done = host_hand_over(h);
    at = sim.now + (done ? 2 + sim_below(40) : 1) * SIM_MS;
    sim_at(at, hand_over, &host[sim_below(now_playing->clients + 1)]);
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
    for (uint32_t i = 0; i <= s->clients; i++)
        boot(i);
    end = sim.now + s->limit_s * SIM_S;
    if (s->deaths)
        sim_at(sim.now + 300 * SIM_MS, death, &host[sim_below(s->clients + 1)]);
    if (s->handovers)
        sim_at(sim.now + 10 * SIM_MS, hand_over, &host[0]);
    while (!sim.failed && !finished() && sim.now < end)
        if (!sim_step())
            break;
    if (!sim.failed && !finished())
        sim_fail("not over after %llu virtual seconds", (unsigned long long)s->limit_s);
    if (!sim.failed && s->handovers && app_stats.handovers < 3)
        sim_fail("hardly anything was handed over");
    play_took_ns = sim.now - SIM_EPOCH;
    for (uint32_t i = 0; i <= s->clients; i++)
        host_stop(&host[i]);
    while (sim_step()) /* what is still under way frees itself */
        ;
    sim_note(&app_stats, sizeof(app_stats));
    wire_stop();
    return sim.digest;
}

int main(int argc, char **argv)
{
    return play_main(argc, argv, "sim_tcp", scenarios, sizeof(scenarios) / sizeof(scenarios[0]),
                     sizeof(scenarios[0]), play);
}
