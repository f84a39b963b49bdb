/* SPDX-License-Identifier: MIT
 *
 * tests/sim/sim.c: virtual time, events, chance.
 */
#include <tests/sim/sim.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct sim sim;

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

/* xoshiro256** 1.0 */
uint64_t sim_random(void)
{
    uint64_t *s = sim.rng, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint32_t sim_below(uint32_t n)
{
    return n == 0 ? 0 : (uint32_t)((sim_random() >> 32) * n >> 32);
}

bool sim_chance(uint32_t per_mille)
{
    return sim_below(1000) < per_mille;
}

void sim_note(const void *p, size_t n)
{
    const uint8_t *b = (const uint8_t *)p;

    for (size_t i = 0; i < n; i++)
        sim.digest = (sim.digest ^ b[i]) * 0x100000001b3ull;
}

void sim_start(uint64_t seed)
{
    uint64_t z = seed;

    memset(&sim, 0, sizeof(sim));
    for (int i = 0; i < 4; i++) { /* splitmix64 */
        uint64_t x = z += 0x9e3779b97f4a7c15ull;
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
        x = (x ^ x >> 27) * 0x94d049bb133111ebull;
        sim.rng[i] = x ^ x >> 31;
    }
    sim.digest = 0xcbf29ce484222325ull;
    sim.now = 1000 * SIM_S; /* not zero, so that "never" is not "now" */
}

void sim_stop(void)
{
    free(sim.heap);
    sim.heap = NULL;
    sim.n = sim.room = 0;
}

void sim_fail(const char *fmt, ...)
{
    va_list ap;

    if (sim.failed)
        return;
    sim.failed = true;
    va_start(ap, fmt);
    vsnprintf(sim.why, sizeof(sim.why), fmt, ap);
    va_end(ap);
}

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->when != b->when ? a->when < b->when : a->order < b->order;
}

void sim_at(uint64_t when, void (*fn)(void *), void *arg)
{
    struct sim_event e = {
        .when = when < sim.now ? sim.now : when, .order = sim.order++, .fn = fn, .arg = arg};
    uint32_t i;

    if (sim.n == sim.room) {
        sim.room = sim.room != 0 ? sim.room * 2 : 256;
        sim.heap = realloc(sim.heap, sim.room * sizeof(*sim.heap));
        if (sim.heap == NULL)
            abort();
    }
    for (i = sim.n++; i > 0 && before(&e, &sim.heap[(i - 1) / 2]); i = (i - 1) / 2)
        sim.heap[i] = sim.heap[(i - 1) / 2];
    sim.heap[i] = e;
}

bool sim_step(void)
{
    struct sim_event top, last;
    uint32_t i = 0;

    if (sim.n == 0)
        return false;
    top = sim.heap[0];
    last = sim.heap[--sim.n];
    for (;;) {
        uint32_t c = 2 * i + 1;
        if (c >= sim.n)
            break;
        if (c + 1 < sim.n && before(&sim.heap[c + 1], &sim.heap[c]))
            c++;
        if (!before(&sim.heap[c], &last))
            break;
        sim.heap[i] = sim.heap[c];
        i = c;
    }
    sim.heap[i] = last;
    sim.now = top.when;
    top.fn(top.arg);
    return true;
}
