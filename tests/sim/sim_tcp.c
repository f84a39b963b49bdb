/* SPDX-License-Identifier: MIT
 *
 * tests/sim/sim_tcp.c: TCP and UDP between simulated hosts, over a medium that
 * gets worse from scenario to scenario; TAP on standard output.
 *
 *   sim_tcp [--seeds N] [--from SEED] [--scenario NAME] [--pcap FILE] [-v]
 *
 * A failing seed prints the one command that replays it with a pcap.
 */
#include <stdlib.h>
#include <string.h>
#include <tests/sim/sim.h>

#define HOSTS 4
#define SERVER_IP 0x0a000001u

struct scenario {
    const char *name;
    struct wire_model wire;
    struct app_plan plan;
    struct host_options host;
    uint32_t clients;
    uint64_t limit_s;   /* virtual seconds until all must be over */
    bool deaths;        /* clients and the server die and come back */
    uint32_t alloc_fail;
};

static const struct scenario scenarios[] = {
    {.name = "clean", .clients = 2, .limit_s = 20,
     .wire = {.delay_ns = 100 * SIM_US, .mtu = 1500},
     .plan = {.connections = 4, .bytes_up = 40000, .bytes_down = 40000}},
    {.name = "lossy", .clients = 2, .limit_s = 400,
     .wire = {.loss = 50, .delay_ns = 2 * SIM_MS, .jitter_ns = 1 * SIM_MS, .mtu = 1500},
     .plan = {.connections = 4, .bytes_up = 60000, .bytes_down = 60000, .closes_first = true}},
    {.name = "hostile", .clients = 3, .limit_s = 900,
     .wire = {.loss = 80, .duplicate = 50, .corrupt = 20, .reorder = 200, .delay_ns = 5 * SIM_MS,
              .jitter_ns = 10 * SIM_MS, .reorder_ns = 60 * SIM_MS, .mtu = 1500},
     .plan = {.connections = 3, .bytes_up = 30000, .bytes_down = 30000}},
    {.name = "slow-reader", .clients = 1, .limit_s = 2000,
     .wire = {.loss = 20, .delay_ns = 1 * SIM_MS, .mtu = 1500},
     .plan = {.connections = 2, .bytes_up = 100000, .bytes_down = 1000, .pause_ms = 2000},
     .host = {.cfg = {.tcp_rcvbuf = 4096}}},
    {.name = "serial", .clients = 1, .limit_s = 600,
     .wire = {.loss = 5, .delay_ns = 2 * SIM_MS, .byte_ns = 86806, .queue_bytes = 16384, .mtu = 1006},
     .plan = {.connections = 2, .bytes_up = 20000, .bytes_down = 20000, .closes_first = true}},
    {.name = "tight", .clients = 3, .limit_s = 900,
     .wire = {.loss = 20, .delay_ns = 500 * SIM_US, .mtu = 1500},
     .plan = {.connections = 8, .bytes_up = 30000, .bytes_down = 30000, .chunk = 100},
     .host = {.rx_bytes = 16384, .tx_entries = 8, .arena_bytes = 16384 + 2048}},
    {.name = "deaths", .clients = 3, .limit_s = 900, .deaths = true,
     .wire = {.loss = 30, .reorder = 50, .delay_ns = 2 * SIM_MS, .reorder_ns = 10 * SIM_MS, .mtu = 1500},
     .plan = {.connections = 6, .bytes_up = 40000, .bytes_down = 40000, .may_fail = true}},
    {.name = "no-memory", .clients = 2, .limit_s = 900, .alloc_fail = 20,
     .wire = {.loss = 20, .delay_ns = 1 * SIM_MS, .mtu = 1500},
     .plan = {.connections = 4, .bytes_up = 20000, .bytes_down = 20000, .may_fail = true}},
};
#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

static struct host host[HOSTS];
static const struct scenario *now_playing;
static uint64_t took_ns;

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

    host_start(&host[i], names[i], SERVER_IP + i, &now_playing->host);
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
    sim_at(sim.now + (100 + sim_below(4000)) * SIM_MS, death, &host[sim_below(now_playing->clients + 1)]);
}

static uint64_t play(const struct scenario *s, uint64_t seed, const char *pcap)
{
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
    while (!sim.failed && !finished() && sim.now < end)
        if (!sim_step())
            break;
    if (!sim.failed && !finished())
        sim_fail("not over after %llu virtual seconds", (unsigned long long)s->limit_s);
    took_ns = sim.now - 1000 * SIM_S;
    for (uint32_t i = 0; i <= s->clients; i++)
        host_stop(&host[i]);
    while (sim_step()) /* what is still under way frees itself */
        ;
    sim_note(&app_stats, sizeof(app_stats));
    wire_stop();
    return sim.digest;
}

static unsigned run_scenario(const struct scenario *s, uint64_t from, uint64_t seeds, const char *pcap, bool verbose)
{
    unsigned bad = 0;

    for (uint64_t seed = from; seed < from + seeds; seed++) {
        uint64_t digest = play(s, seed, pcap), again;
        bool failed = sim.failed;
        if (verbose)
            printf("# %s %llu: %s digest %016llx, %llu packets, %llu lost, %llu bytes, %.3f s\n", s->name,
                   (unsigned long long)seed, failed ? sim.why : "good", (unsigned long long)digest,
                   (unsigned long long)wire_stats.sent, (unsigned long long)wire_stats.lost,
                   (unsigned long long)app_stats.bytes, (double)took_ns / SIM_S);
        if (failed) {
            bad++;
            printf("# %s: %s\n# replay: sim_tcp --scenario %s --from %llu --seeds 1 --pcap sim.pcap -v\n", s->name,
                   sim.why, s->name, (unsigned long long)seed);
        }
        sim_stop();
        if (seed == from && pcap == NULL) { /* the first of each kind twice: the same run, bit for bit */
            again = play(s, seed, NULL);
            sim_stop();
            if (again != digest) {
                bad++;
                printf("# %s: seed %llu did not repeat\n", s->name, (unsigned long long)seed);
            }
        }
    }
    return bad;
}

int main(int argc, char **argv)
{
    const char *only = NULL, *pcap = NULL;
    uint64_t from = 1, seeds = 40;
    unsigned bad = 0, number = 0, total = 0;
    bool verbose = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
            seeds = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--from") == 0 && i + 1 < argc)
            from = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--scenario") == 0 && i + 1 < argc)
            only = argv[++i];
        else if (strcmp(argv[i], "--pcap") == 0 && i + 1 < argc)
            pcap = argv[++i];
        else if (strcmp(argv[i], "-v") == 0)
            verbose = true;
        else {
            fprintf(stderr, "usage: sim_tcp [--seeds N] [--from SEED] [--scenario NAME] [--pcap FILE] [-v]\n");
            return 2;
        }
    }
    for (size_t i = 0; i < SCENARIOS; i++)
        total += only == NULL || strcmp(only, scenarios[i].name) == 0;
    printf("1..%u\n", total);
    for (size_t i = 0; i < SCENARIOS; i++) {
        unsigned b;
        if (only != NULL && strcmp(only, scenarios[i].name) != 0)
            continue;
        b = run_scenario(&scenarios[i], from, seeds, pcap, verbose);
        printf("%sok %u - %s, %llu seeds\n", b != 0 ? "not " : "", ++number, scenarios[i].name,
               (unsigned long long)seeds);
        fflush(stdout);
        bad += b;
    }
    return bad != 0;
}
