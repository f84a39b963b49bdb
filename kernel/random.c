/* SPDX-License-Identifier: MIT
 *
 * kernel/random.c: one generator for everybody.
 *
 * Owns: the key, the pool of what is not mixed in yet, the books of what is known
 * to be unpredictable (kernel/random.h says how they are kept). Called by:
 * address-space layout, the net core, the random call. Context: random_event any
 * (it touches the pool and the books only), the rest thread or poll.
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
#define CREDIT_BIT 4u /* the books are in quarters of a bit */
#define CREDIT_BYTE (8 * CREDIT_BIT)
#define CREDIT_SEEDED (256 * CREDIT_BIT)
#define RDRAND_TRIES 10
#define BOOT_SAMPLES 4096u /* moments measured at boot when there is no RDRAND */
#define WAIT_SAMPLES 64u   /* and each millisecond while somebody waits */
#define KEY_WORDS 8u
#define OUT_WORDS (16u - KEY_WORDS)
#define DEVICE_BYTES 64u
#define RESEED_BYTES (1u << 20)
#define RESEED_CYCLES (1ull << 37) /* about a minute */
#define WAIT_NS NS_PER_MS

static struct {
    uint32_t key[KEY_WORDS];
    uint64_t counter;
    uint64_t pool[POOL_WORDS];
    uint32_t pool_at, credit;
    bool dirty, begun, announced;
    bool rdrand, jitter;                    /* it has counted */
    uint64_t last, last_delta, last_change; /* of moments */
    uint64_t given, reseeded;               /* bytes since then, TSC then */
    struct random_device *devices;
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

    rng.dirty = false;
    for (unsigned i = 0; i < POOL_WORDS; i += 2) {
        memcpy(input, &rng.pool[i], sizeof input);
        block(out, input);
        memcpy(rng.key, out, sizeof rng.key);
    }
    memset(out, 0, sizeof out);
}

/* --- the books --- */

bool random_seeded(void)
{
    return rng.credit >= CREDIT_SEEDED;
}

static void credit(uint32_t quarters)
{
    rng.credit = CREDIT_SEEDED - rng.credit > quarters ? rng.credit + quarters : CREDIT_SEEDED;
}

static void name_append(char buf[RANDOM_NAMES_MAX], const char *name)
{
    size_t at = strlen(buf);

    if (at != 0)
        at += strlcpy(buf + at, " ", RANDOM_NAMES_MAX - at);
    if (at < RANDOM_NAMES_MAX)
        strlcpy(buf + at, name, RANDOM_NAMES_MAX - at);
}

void random_names(char buf[RANDOM_NAMES_MAX])
{
    buf[0] = 0;
    if (rng.rdrand)
        name_append(buf, "rdrand");
    for (struct random_device *d = rng.devices; d != NULL; d = d->next)
        if (d->counted)
            name_append(buf, d->name);
    if (rng.jitter)
        name_append(buf, "jitter");
    if (buf[0] == 0)
        name_append(buf, "none");
}

static void announce(void)
{
    char names[RANDOM_NAMES_MAX];

    if (rng.announced || !random_seeded())
        return;
    rng.announced = true;
    random_names(names);
    klog(LOG_INFO, "random: seeded from %s", names);
}

/* --- moments --- */

/* Is this moment off every rhythm of those before it? */
static bool surprising(uint64_t now)
{
    uint64_t delta = now - rng.last, change = delta - rng.last_delta, turn = change - rng.last_change;

    rng.last = now;
    rng.last_delta = delta;
    rng.last_change = change;
    return delta != 0 && change != 0 && turn != 0;
}

void random_event(void)
{
    uint64_t now = rdtsc();
    uint64_t *word = &rng.pool[rng.pool_at++ % POOL_WORDS];

    *word = (*word << 11 | *word >> 53) ^ now;
    rng.dirty = true;
    if (rng.credit < CREDIT_SEEDED && surprising(now)) { /* C-RANDOM-1 */
        rng.jitter = true;
        credit(1);
    }
}

/* The clock against a slow port: the bus and the emulator below it never take
 * quite the same time. */
static void sample_jitter(unsigned samples)
{
    for (unsigned i = 0; i < samples && !random_seeded(); i++) {
        (void)inb(0x61);
        random_event();
    }
}

/* --- RDRAND and devices --- */

static bool rdrand(uint64_t *v)
{
    bool ok = false;

    for (int i = 0; i < RDRAND_TRIES && !ok; i++)
        __asm__ volatile("rdrand %0; setc %1" : "=r"(*v), "=qm"(ok)::"cc");
    return ok;
}

/* A broken one says the same again and again: then it does not count. */
static void add_rdrand(void)
{
    uint64_t v, before = 0;
    bool alive = true;

    for (unsigned i = 0; i < POOL_WORDS; i++, before = v) {
        if (!rdrand(&v))
            return;
        alive = alive && v != 0 && v != before;
        rng.pool[i] ^= v;
    }
    rng.dirty = true;
    if (!alive)
        return;
    rng.rdrand = true;
    credit(POOL_WORDS * 8 * CREDIT_BYTE);
}

static void take_from(struct random_device *d)
{
    uint64_t words[DEVICE_BYTES / 8] = {0};
    size_t n = d->take(d, (uint8_t *)words, sizeof words);

    if (n == 0)
        return;
    d->asked = false;
    for (unsigned i = 0; i < DEVICE_BYTES / 8; i++)
        rng.pool[i % POOL_WORDS] ^= words[i];
    memset(words, 0, sizeof words);
    rng.dirty = true;
    credit((uint32_t)n * CREDIT_BYTE);
    if (!d->counted && rng.announced)
        klog(LOG_INFO, "random: %s joins in", d->name);
    d->counted = true;
}

static void take_from_devices(void)
{
    for (struct random_device *d = rng.devices; d != NULL; d = d->next)
        if (d->asked)
            take_from(d);
}

static void ask(struct random_device *d)
{
    d->asked = true;
    d->ask(d);
}

void random_device_add(struct random_device *d)
{
    d->next = rng.devices;
    rng.devices = d;
    ask(d);
}

static void reseed(void) /* C-RANDOM-3 */
{
    rng.given = 0;
    rng.reseeded = rdtsc();
    if (cpu.rdrand)
        add_rdrand();
    for (struct random_device *d = rng.devices; d != NULL; d = d->next)
        if (!d->asked)
            ask(d);
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
    reseed();
    sample_jitter(BOOT_SAMPLES);
    announce();
    if (!random_seeded())
        klog(LOG_WARN, "random: not seeded yet, %u of %u bits", rng.credit / CREDIT_BIT,
             CREDIT_SEEDED / CREDIT_BIT);
}

/* --- output --- */

/* Before it is seeded, the pool goes in only once, and what was in it counts no
 * more: else who sees output after output could guess a few bits at a time. */
static void refresh(void)
{
    if (rng.dirty && random_seeded()) {
        mix_pool();
    } else if (!rng.begun) {
        mix_pool();
        rng.credit = 0; /* C-RANDOM-4 */
    }
    rng.begun = true;
}

void random_bytes(void *buf, size_t bytes)
{
    uint32_t out[16], input[4] = {0, 0, 0, 0};
    uint8_t *to = buf;

    if (rng.given > RESEED_BYTES || rdtsc() - rng.reseeded > RESEED_CYCLES)
        reseed();
    take_from_devices();
    announce();
    refresh();
    rng.given += bytes;
    while (bytes > 0) {
        size_t n = bytes < OUT_WORDS * 4 ? bytes : OUT_WORDS * 4;
        rng.counter++;
        memcpy(input, &rng.counter, sizeof rng.counter);
        block(out, input);
        memcpy(rng.key, out, sizeof rng.key); /* C-RANDOM-2 */
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
    while (!random_seeded()) { /* C-RANDOM-5 */
        int r = thread_block(now_ns() + WAIT_NS); /* the timer's interrupts are events too */
        if (r == -EINTR)
            return r;
        take_from_devices();
        sample_jitter(WAIT_SAMPLES);
    }
    announce();
    return 0;
}
