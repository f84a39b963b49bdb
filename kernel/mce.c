/* SPDX-License-Identifier: MIT
 *
 * kernel/mce.c: machine-check banks (Intel SDM vol. 3 ch. 15): what the hardware
 * says when it has broken.
 *
 * Owns: the banks' registers of the CPU it runs on.
 * Called by: boot on each CPU; the machine-check exception, which ends in a panic.
 */
#include <kernel/cpu.h>
#include <kernel/log.h>

#define MSR_MCG_CAP    0x179u
#define MSR_MCG_STATUS 0x17au
#define MSR_MCG_CTL    0x17bu
#define MSR_MC0_CTL    0x400u /* then STATUS, ADDR, MISC; four a bank */

#define CAP_COUNT      0xffu
#define CAP_HAS_CTL    (1u << 8)
#define BANKS_MAX      32u
#define STATUS_VALID   (1ull << 63)
#define STATUS_MISC    (1ull << 59)
#define STATUS_ADDRESS (1ull << 58)

static unsigned bank_count(void)
{
    unsigned n = (unsigned)(rdmsr(MSR_MCG_CAP) & CAP_COUNT);

    return n < BANKS_MAX ? n : BANKS_MAX;
}

/* What the banks hold; how many had something. */
static unsigned report_banks(enum log_level level, const char *when)
{
    unsigned found = 0;

    for (unsigned i = 0; i < bank_count(); i++) {
        uint32_t msr = MSR_MC0_CTL + 4 * i;
        uint64_t status = rdmsr(msr + 1);

        if (!(status & STATUS_VALID))
            continue;
        found++;
        klog(level, "machine check%s: bank %u status %016lx address %lx misc %lx", when, i, status,
             status & STATUS_ADDRESS ? rdmsr(msr + 2) : 0, status & STATUS_MISC ? rdmsr(msr + 3) : 0);
    }
    return found;
}

/* Family 6 before model 0x1a: bank 0 is the firmware's (SDM 15.3.2.1). */
static bool bank0_is_firmwares(void)
{
    uint32_t r[4], family, model;

    cpuid(1, 0, r);
    family = r[0] >> 8 & 0xf;
    model = (r[0] >> 4 & 0xf) | (r[0] >> 12 & 0xf0);
    return family == 6 && model < 0x1a;
}

void mce_init(void)
{
    if (!cpu.mce)
        return;
    (void)report_banks(LOG_WARN, " before the last reset");
    if (rdmsr(MSR_MCG_CAP) & CAP_HAS_CTL)
        wrmsr(MSR_MCG_CTL, ~0ull);
    for (unsigned i = 0; i < bank_count(); i++) {
        if (i > 0 || !bank0_is_firmwares())
            wrmsr(MSR_MC0_CTL + 4 * i, ~0ull);
        wrmsr(MSR_MC0_CTL + 4 * i + 1, 0);
    }
}

void mce_report(void)
{
    if (!cpu.mce)
        return;
    klog(LOG_ERROR, "machine check: global status %lx", rdmsr(MSR_MCG_STATUS));
    if (report_banks(LOG_ERROR, "") == 0)
        klog(LOG_ERROR, "machine check: no bank says why");
}
