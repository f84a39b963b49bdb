/* SPDX-License-Identifier: MIT
 *
 * kernel/main.c: the boot order.
 *
 * Owns: struct boot_info and the sequence in which the parts start. Called by
 * boot/entry.S on the boot stack, interrupts off, with 4 GiB mapped three
 * times (identity, direct map, kernel image). The boot thread ends as the idle
 * thread.
 */
#include <kernel/acpi.h>
#include <kernel/boot_info.h>
#include <kernel/clock.h>
#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/initrd.h>
#include <kernel/inventory.h>
#include <kernel/irq.h>
#include <kernel/keep.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/options.h>
#include <kernel/pci.h>
#include <kernel/process.h>
#include <kernel/random.h>
#include <kernel/screen.h>
#include <kernel/selftest.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <net/core/core.h>

#include "slipway_version.h"

#define BOOT_INFO_BYTES_MAX (1u << 20)

static struct boot_info boot;

void kmain(uint32_t info_phys);
void uart_init(void);
void ps2_init(void);

static void report_option(const char *word, const char *why)
{
    klog(LOG_WARN, "boot option \"%s\" ignored: %s", word, why);
}

static void apply_log_level(void)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};

    for (unsigned i = 0; i < 4; i++)
        if (option_is("log", names[i]))
            log_set_level((enum log_level)i);
}

static void read_boot_info(uint32_t info_phys)
{
    const char *why;

    if (boot_info_parse(&boot, phys_to_virt(info_phys), BOOT_INFO_BYTES_MAX, &why) != 0)
        boot_stop("the boot loader's information is unusable: %s", why);
    klog(LOG_INFO, "boot: %s, %s firmware, %u memory regions, ACPI %u.0", boot.loader[0] ? boot.loader : "?",
         boot.efi ? "UEFI" : "BIOS", boot.nregions, boot.rsdp_version);
}

static void keep_log(void)
{
    extern char boot_start[], kernel_data_end[];
    const struct keep_range taken[] = {
        {(uint64_t)boot_start, (uint64_t)kernel_data_end - KERNEL_BASE},
        {boot.initrd_base, boot.initrd_base + boot.initrd_bytes},
    };

    keep_init(&boot, taken, sizeof taken / sizeof taken[0]);
}

const struct boot_info *boot_info_get(void)
{
    return &boot;
}

/* --- how long each step took --- */

#define STEPS_MAX 16u
static struct {
    const char *name;
    uint64_t tsc;
} steps[STEPS_MAX];
static unsigned nsteps;

/* Ends a step; the clock that tells how long it was may only come later. */
static void step_done(const char *name)
{
    if (nsteps < STEPS_MAX) {
        steps[nsteps].name = name;
        steps[nsteps++].tsc = rdtsc();
    }
}

static void report_steps(void)
{
    uint64_t from = cpu.entry_tsc;
    char line[240];
    size_t n = 0;

    for (unsigned i = 0; i < nsteps && n < sizeof line; i++) {
        uint64_t us = scale32(steps[i].tsc - from, ns_per_tick32(tsc_hz())) / NS_PER_US;

        n += (size_t)ksnprintf(line + n, sizeof line - n, "%s%s %lu", i > 0 ? ", " : "", steps[i].name, us);
        from = steps[i].tsc;
    }
    klog(LOG_INFO, "boot: steps in us: %s", line);
}

void kmain(uint32_t info_phys)
{
    cpu_init();           /* descriptor tables, traps, CPU features */
    console_early_init(); /* from here on there are words */
    log_plain("Slipway %s", SLIPWAY_VERSION);
    read_boot_info(info_phys);                  /* the loader's tags, checked and copied */
    (void)vga_init(&boot);                      /* text mode joins in */
    keep_log();                                 /* where a warm reset leaves it alone */
    options_parse(boot.cmdline, report_option); /* policy; bad words are named */
    apply_log_level();
    cpu_log();
    mce_init();                  /* machine checks are reported from here on */
    step_done("loader");
    console_configure();         /* console=... */
    mem_init(&boot);             /* own page tables, page allocator; kmalloc from here on */
    (void)framebuffer_init(&boot); /* or the screen in graphics mode does */
    step_done("memory");
    random_init();               /* secrets and address randomisation need it */
    acpi_init(&boot);            /* MADT, HPET, MCFG, FADT */
    step_done("acpi");
    irq_init();                  /* LAPIC and IOAPIC, or the PIC */
    step_done("irq");
    time_init();                 /* clock and event source */
    step_done("time");
    keep_report();               /* how the run before ended */
    irq_enable();                /* first interrupts may come */
    sched_init();                /* this context becomes a thread; system calls */
    if (initrd_init(&boot) != 0) /* the archive with init and everything */
        boot_stop("there is no usable initrd (see above), so there is nothing to start");
    step_done("initrd");
    pci_init();                                /* what is on the bus */
    step_done("pci");
    net_core_init();                           /* loopback, empty registry */
    uart_init();                               /* COM1 and COM2 by interrupt: SLIP, console */
    ps2_init();                                /* a keyboard, if there is one */
    step_done("serial");
    smp_init();                                /* the other processors */
    step_done("processors");
    pci_attach_drivers();                      /* network cards become links */
    inventory_init();                          /* block0, fb0: what else there is */
    step_done("drivers");
    report_steps();
    selftest_run();                            /* test=NAME */
    screen_defer();                            /* drawn by a poll from here on */
    if (process_start_first("sbin/init") != 0) /* ring 3 */
        boot_stop("sbin/init of the initrd could not be started (see above)");
    sched_idle(); /* the boot thread idles from now on */
}
