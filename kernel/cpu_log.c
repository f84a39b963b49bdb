/* SPDX-License-Identifier: MIT
 *
 * kernel/cpu_log.c: one line of the log about the processor: its name, and what
 * of it is used or has been seen.
 *
 * Owns: nothing. Called by: kmain. Context: boot.
 */
#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/string.h>

#define XCR0_AVX    (1u << 2)
#define XCR0_AVX512 (7u << 5)

void cpu_log(void)
{
    const struct {
        bool there;
        const char *name;
    } table[] = {
        {cpu.nx, "nx"},
        {cpu.smep, "smep"},
        {cpu.smap, "smap"},
        {cpu.umip, "umip"},
        {cpu.xsave, "xsave"},
        {!cpu.xsave, "fxsave"},
        {(cpu.xcr0 & XCR0_AVX) != 0, "avx"},
        {(cpu.xcr0 & XCR0_AVX512) == XCR0_AVX512, "avx512"},
        {cpu.rdrand, "rdrand"},
        {cpu.gb_pages, "1g-pages"},
        {cpu.pcid, "pcid"},
        {cpu.x2apic, "x2apic"},
        {cpu.tsc_deadline, "tsc-deadline"},
        {cpu.invariant_tsc, "invariant-tsc"},
        {cpu.mce, "machine-check"},
        {cpu.emulated, "emulated"},
    };
    const char *name = cpu.brand[0] != 0 ? cpu.brand : cpu.vendor;
    char line[200];
    size_t n = 0;

    while (*name == ' ') /* some are right-aligned */
        name++;
    line[0] = 0;
    for (unsigned i = 0; i < sizeof table / sizeof table[0] && n + 20 < sizeof line; i++)
        if (table[i].there)
            n += (size_t)ksnprintf(line + n, sizeof line - n, " %s", table[i].name);
    klog(LOG_INFO, "cpu: %s:%s", name, line);
}
