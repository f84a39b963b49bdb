/* SPDX-License-Identifier: MIT
 *
 * kernel/pmtimer.c: the ACPI power-management timer (ACPI 6.4 section 4.8.2.1),
 * a 24 or 32-bit counter at 3.579545 MHz in an I/O port.
 *
 * Only 24 bits are used: the upper eight are optional, and 4.7 s are enough
 * between two readings (kernel/time.c sees to that).
 */
#include <kernel/acpi.h>
#include <kernel/clock.h>
#include <kernel/cpu.h>

#define PMTIMER_HZ   3579545ull
#define PMTIMER_MASK 0xffffffull

static uint64_t read_port(void)
{
    return inl((uint16_t)acpi.pm_timer_port) & PMTIMER_MASK;
}

bool pmtimer_init(void)
{
    uint64_t first;

    if (!acpi.present || acpi.pm_timer_port == 0 || acpi.pm_timer_port > 0xfffc)
        return false;
    first = read_port();
    for (unsigned i = 0; i < 100; i++)
        if (read_port() != first)
            return true;
    return false;
}

const struct clock_source pmtimer_clock = {
    .name = "pmtmr", .read = read_port, .mask = PMTIMER_MASK, .hz = PMTIMER_HZ};
