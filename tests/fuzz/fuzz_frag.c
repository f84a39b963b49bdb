/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/fuzz_frag.c: libFuzzer entry: IPv4 fragments in any order and shape.
 * Five bytes of the input make one fragment of a datagram whose bytes are known,
 * so that what comes out whole is right; every eighth is taken as it comes.
 */
#include <net/stack/frag.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static long blocks;
static struct frag f;

static void *do_alloc(void *ctx, size_t bytes)
{
    (void)ctx;
    blocks++;
    return calloc(1, bytes);
}
static void do_free(void *ctx, void *p)
{
    (void)ctx;
    blocks -= p != NULL;
    free(p);
}

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8));
}

static void give(const uint8_t *p, size_t n, uint64_t now, bool known)
{
    uint8_t *exact = malloc(n != 0 ? n : 1), *whole;
    size_t len = 0;

    memcpy(exact, p, n);
    whole = frag_input(&f, exact, n, now, &len);
    free(exact);
    if (whole == NULL)
        return;
    if (len < 20 || len > 65535)
        abort();
    for (size_t i = 20; known && i < len; i++)
        if (whole[i] != byte_at(i - 20))
            abort();
    do_free(NULL, whole);
}

static void make(const uint8_t *d, uint64_t now)
{
    static uint8_t p[20 + 2048] = {0x45};
    size_t start = (size_t)(d[1] << 8 | d[2]) * 8 & 0x1fff8, n = d[3] * 8u;
    uint32_t at = (uint32_t)(start / 8) & 0x1fff;

    if ((d[0] & 0x80) == 0) { /* the last one: any length */
        n += d[4] & 7;
        p[6] = 0;
    } else {
        p[6] = 0x20;
    }
    p[2] = (uint8_t)((20 + n) >> 8);
    p[3] = (uint8_t)(20 + n);
    p[5] = d[0] & 3;
    p[6] |= (uint8_t)(at >> 8);
    p[7] = (uint8_t)at;
    p[8] = 64;
    p[9] = 17;
    p[12] = 10;
    p[15] = d[0] >> 2 & 7;
    for (size_t i = 0; i < n; i++)
        p[20 + i] = byte_at((size_t)at * 8 + i);
    give(p, 20 + n, now, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t now = 1000000000ull;

    blocks = 0;
    frag_init(&f, NULL, do_alloc, do_free);
    for (unsigned i = 0; size >= 5; i++) {
        if (i % 8 == 7) {
            size_t n = data[0] < size - 1 ? data[0] : size - 1;
            uint8_t raw[255];
            memcpy(raw, data + 1, n);
            if (n > 12)
                raw[12] = 99; /* apart from the sources whose bytes are known */
            give(raw, n, now, false);
            data += 1 + n;
            size -= 1 + n;
        } else {
            make(data, now);
            data += 5;
            size -= 5;
        }
        now += 500000000ull;
        frag_run(&f, now);
        if (f.bytes > FRAG_BYTES)
            abort();
    }
    frag_run(&f, now + 2 * FRAG_TIMEOUT_NS);
    if (blocks != 0 || f.bytes != 0)
        abort();
    return 0;
}
