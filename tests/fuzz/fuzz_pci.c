/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/fuzz_pci.c: libFuzzer entry: any bytes as a function's configuration
 * space, searched for every capability from every place.
 *
 * A space has 256 or 4096 bytes; a shorter input is filled up with zeroes. What
 * must hold: aligned reads inside of the space only, a bounded number of them,
 * and what is found has the id that was asked for.
 */
#include <kernel/pci_caps.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define READS_MAX 5000u /* of one search: status, header, and a turn of the longest list */

struct space {
    uint8_t bytes[4096];
    unsigned limit, reads;
};

static uint32_t read32(void *arg, unsigned reg)
{
    struct space *s = arg;
    uint32_t v;

    if (reg % 4 != 0 || reg + 4 > s->limit || ++s->reads > READS_MAX)
        abort();
    memcpy(&v, s->bytes + reg, 4);
    return v;
}

static void search(struct space *s, bool extended)
{
    struct pci_space p = {read32, s, s->limit};
    unsigned ids = extended ? 64 : 256;

    for (unsigned id = 0; id < ids; id++) {
        unsigned at = 0;
        for (unsigned n = 0; n < 4; n++) {
            s->reads = 0;
            at = extended ? pci_ext_cap_find(&p, (uint16_t)id, at) : pci_cap_find(&p, (uint8_t)id, at);
            if (at == 0)
                break;
            if (at >= s->limit || (extended ? s->bytes[at] | s->bytes[at + 1] << 8 : s->bytes[at]) != (int)id)
                abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct space *s = calloc(1, sizeof *s);

    memcpy(s->bytes, data, size < sizeof s->bytes ? size : sizeof s->bytes);
    s->limit = size > 256 ? 4096 : 256;
    search(s, false);
    search(s, true);
    free(s);
    return 0;
}
