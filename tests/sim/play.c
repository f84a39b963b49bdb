/* SPDX-License-Identifier: MIT
 *
 * tests/sim/play.c: the main loop of the simulations. A failing seed prints the
 * one command that replays it with a pcap.
 */
#include <tests/sim/play.h>

uint64_t play_took_ns;
uint64_t play_first = 1, play_seeds = 40, play_twice = 40;

struct setting {
    const char *program, *pcap;
    uint64_t (*play)(const void *scenario, uint64_t seed, const char *pcap);
    uint64_t from, seeds;
    bool verbose;
};

static unsigned run_seed(const struct setting *t, const void *scenario, const char *name, uint64_t seed)
{
    uint64_t digest = t->play(scenario, seed, t->pcap);
    bool failed = sim.failed;

    if (t->verbose)
        printf("# %s %llu: %s, digest %016llx, %llu packets, %llu lost, %llu bytes, %llu echoes, %.3f s\n",
               name, (unsigned long long)seed, failed ? sim.why : "good", (unsigned long long)digest,
               (unsigned long long)wire_stats.sent, (unsigned long long)wire_stats.lost,
               (unsigned long long)app_stats.bytes, (unsigned long long)app_stats.echoes,
               (double)play_took_ns / SIM_S);
    if (failed)
        printf("# %s: %s\n# replay: %s --scenario %s --from %llu --seeds 1 --pcap sim.pcap -v\n", name,
               sim.why, t->program, name, (unsigned long long)seed);
    sim_stop();
    if ((seed - t->from) % play_twice != 0 || t->pcap != NULL || failed)
        return failed;
    if (t->play(scenario, seed, NULL) != digest) {
        printf("# %s: seed %llu did not repeat\n", name, (unsigned long long)seed);
        failed = true;
    }
    sim_stop();
    return failed;
}

static int usage(const char *program)
{
    fprintf(stderr, "usage: %s [--seeds N] [--from SEED] [--scenario NAME] [--pcap FILE] [-v]\n", program);
    return 2;
}

/* Ends the program over what is no number. */
static uint64_t number_of(const char *option, const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);

    if (end == text || *end != 0) {
        fprintf(stderr, "%s %s: no number\n", option, text);
        exit(2);
    }
    return value;
}

int play_main(int argc, char **argv, const char *program, const void *scenarios, size_t n, size_t size,
              uint64_t (*play)(const void *scenario, uint64_t seed, const char *pcap))
{
    struct setting t = {.program = argv[0], .play = play, .from = play_first, .seeds = play_seeds};
    const char *only = NULL;
    unsigned number = 0, bad = 0, wanted = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-v") == 0)
            t.verbose = true;
        else if (i + 1 == argc)
            return usage(program);
        else if (strcmp(argv[i], "--seeds") == 0)
            t.seeds = number_of("--seeds", argv[++i]);
        else if (strcmp(argv[i], "--from") == 0)
            t.from = number_of("--from", argv[++i]);
        else if (strcmp(argv[i], "--scenario") == 0)
            only = argv[++i];
        else if (strcmp(argv[i], "--pcap") == 0)
            t.pcap = argv[++i];
        else
            return usage(program);
    }
    for (size_t i = 0; i < n; i++)
        wanted +=
            only == NULL || strcmp(only, *(const char *const *)((const char *)scenarios + i * size)) == 0;
    if (wanted == 0 && only != NULL)
        fprintf(stderr, "--scenario %s: there is none of that name\n", only);
    if (wanted == 0)
        return 2; /* nothing played is nothing shown */
    printf("1..%u\n", wanted);
    for (size_t i = 0; i < n; i++) {
        const void *s = (const char *)scenarios + i * size;
        const char *name = *(const char *const *)s;
        unsigned b = 0;
        if (only != NULL && strcmp(only, name) != 0)
            continue;
        for (uint64_t seed = t.from; seed < t.from + t.seeds; seed++)
            b += run_seed(&t, s, name, seed);
        printf("%sok %u - %s, %llu seeds\n", b != 0 ? "not " : "", ++number, name,
               (unsigned long long)t.seeds);
        fflush(stdout);
        bad += b;
    }
    return bad != 0;
}
