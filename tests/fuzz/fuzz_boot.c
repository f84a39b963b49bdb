/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/fuzz_boot.c: libFuzzer entry: any bytes as the boot loader's
 * information, and its command line as boot options.
 *
 * What must hold: no access outside of the bytes (they lie in a buffer of exactly
 * their size), and what is accepted keeps the promises of kernel/boot_info.h.
 */
#include <kernel/boot_info.h>
#include <kernel/options.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void report(const char *word, const char *why)
{
    if (word[0] == 0 || why[0] == 0)
        abort();
}

/* Every look-up ends, with a string that lies in the parsed copy. */
static void look_options_up(void)
{
    static const char *const keys[] = {"clock", "event", "irq", "pci", "com1", "net.eth0", "slip", "start", "test"};

    for (unsigned i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *v = option(keys[i]);
        if (v != NULL && strlen(v) >= BOOT_CMDLINE_MAX)
            abort();
        (void)option_has(keys[i], "echo");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_info bi;
    const char *why = NULL;
    uint8_t *exact = aligned_alloc(8, (size + 8) & ~(size_t)7);
    /* the tail is filled up to the buffer's end, so that ASan sees one byte more */
    uint8_t *at = exact + (((size + 8) & ~(size_t)7) - size);

    if (((uintptr_t)at & 7) != 0) { /* the loader aligns it */
        free(exact);
        exact = malloc(size != 0 ? size : 1);
        at = exact;
    }
    memcpy(at, data, size);
    if (boot_info_parse(&bi, at, size, &why) == 0) {
        if (bi.magic != BOOT_INFO_MAGIC || memchr(bi.cmdline, 0, sizeof bi.cmdline) == NULL)
            abort();
        options_parse(bi.cmdline, report);
        look_options_up();
    } else if (why == NULL) {
        abort();
    }
    free(exact);
    char *line = malloc(size + 1); /* the same bytes as options */
    memcpy(line, data, size);
    line[size] = 0;
    options_parse(line, report);
    look_options_up();
    free(line);
    return 0;
}
