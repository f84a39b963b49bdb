/* SPDX-License-Identifier: MIT
 *
 * kernel/random.c: one generator for everybody.
 *
 * Owns: the key, the pool of moments not mixed in yet, the estimate of what is
 * known to be unpredictable. Called by: address-space layout, the net core,
 * the random call. Context: random_event any (it touches the pool only), the
 * rest thread or poll.
 *
 * Output is ChaCha20; each request's first bytes become the next key ("fast
 * key erasure"), so that what was given out cannot be computed later.
 */
#include <kernel/chacha20.h>
#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/random.h>
#include <kernel/string.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <slipway/errno.h>

#define POOL_WORDS 8u
#define SEEDED_BITS 256u
#define RDRAND_TRIES 10
#define BOOT_SAMPLES 1024u /* moments measured at boot when there is no RDRAND */
#define KEY_WORDS 8u
#define OUT_WORDS (16u - KEY_WORDS)
#define WAIT_NS NS_PER_MS

static struct {
    uint32_t key[KEY_WORDS];
    uint64_t counter;
    uint64_t pool[POOL_WORDS];
    uint32_t pool_at, bits; /* bits: credited so far */
    bool dirty, announced;
    uint64_t last, last_delta;
} rng;

static void block(uint32_t out[16], const uint32_t input[4])
{
    uint32_t state[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

    memcpy(state + 4, rng.key, sizeof rng.key);
    memcpy(state + 12, input, 16);
    chacha20_block(state, out);
}

/* The pool's words go into the key, one after the other. */
static void mix_pool(void)
{
    uint32_t out[16], input[4];

    for (unsigned i = 0; i < POOL_WORDS; i += 2) {
        memcpy(input, &rng.pool[i], sizeof input);
        block(out, input);
        memcpy(rng.key, out, sizeof rng.key);
    }
    rng.dirty = false;
}

void random_event(void)
{
    uint64_t now = rdtsc(), delta = now - rng.last;
    uint64_t *word = &rng.pool[rng.pool_at++ % POOL_WORDS];

    *word = (*word << 11 | *word >> 53) ^ now;
    rng.dirty = true;
    /* One bit for a moment whose distance from the last one is a new one: a
     * fixed rhythm is worth nothing. */
    if (rng.bits < SEEDED_BITS && delta != rng.last_delta)
        rng.bits++;
    rng.last = now;
    rng.last_delta = delta;
}

bool random_seeded(void)
{
    return rng.bits >= SEEDED_BITS;
}

static bool rdrand(uint64_t *v)
{
    bool ok = false;

    for (int i = 0; i < RDRAND_TRIES && !ok; i++)
        __asm__ volatile("rdrand %0; setc %1" : "=r"(*v), "=qm"(ok)::"cc");
    return ok;
}

static void seed_rdrand(void)
{
    uint64_t v;

    for (unsigned i = 0; i < POOL_WORDS; i++) {
        if (!rdrand(&v))
            return;
        rng.pool[i] ^= v;
    }
    rng.dirty = true;
    rng.bits = SEEDED_BITS;
}

/* The clock against a slow port: the bus and the emulator below it never take
 * quite the same time. */
static void seed_jitter(void)
{
    for (unsigned i = 0; i < BOOT_SAMPLES && !random_seeded(); i++) {
        (void)inb(0x61);
        random_event();
    }
}

static uint8_t rtc_read(uint8_t reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

void random_init(void)
{
    /* The date keeps two boots apart, but nobody is kept from guessing it. */
    for (uint8_t reg = 0; reg < 10; reg++)
        rng.pool[reg % POOL_WORDS] ^= (uint64_t)rtc_read(reg) << (reg * 6);
    rng.pool[0] ^= rdtsc();
    rng.dirty = true;
    if (cpu.rdrand)
        seed_rdrand();
    if (!random_seeded())
        seed_jitter();
    if (!random_seeded())
        klog(LOG_WARN, "random: not seeded yet, %u of %u bits", rng.bits, SEEDED_BITS);
    rng.announced = random_seeded();
}

void random_bytes(void *buf, size_t bytes)
{
    uint32_t out[16], input[4] = {0, 0, 0, 0};
    uint8_t *to = buf;

    if (rng.dirty)
        mix_pool();
    while (bytes > 0) {
        size_t n = bytes < OUT_WORDS * 4 ? bytes : OUT_WORDS * 4;
        rng.counter++;
        memcpy(input, &rng.counter, sizeof rng.counter);
        block(out, input);
        memcpy(rng.key, out, sizeof rng.key);
        memcpy(to, out + KEY_WORDS, n);
        to += n;
        bytes -= n;
    }
    memset(out, 0, sizeof out);
}

uint64_t random_u64(void)
{
    uint64_t v;

    random_bytes(&v, sizeof v);
    return v;
}

int random_wait_seeded(void)
{
    while (!random_seeded()) {
        int r = thread_block(now_ns() + WAIT_NS); /* the timer's interrupts are events too */
        if (r == -EINTR)
            return r;
        random_event();
    }
    if (!rng.announced)
        klog(LOG_INFO, "random: seeded");
    rng.announced = true;
    return 0;
}
