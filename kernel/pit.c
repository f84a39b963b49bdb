/* SPDX-License-Identifier: MIT
 *
 * kernel/pit.c: the 8254 timer: channel 2 as a clock, channel 0 as an event.
 *
 * Owns: ports 0x40, 0x42, 0x43 and the gate bits of port 0x61. Channel 2 runs
 * freely (rate generator over 65536 counts, its output disconnected from the
 * speaker), so that reading time never disturbs the event channel.
 * Context: read any; the rest boot or interrupts off.
 */
#include <kernel/clock.h>
#include <kernel/cpu.h>
#include <kernel/intctl.h>
#include <kernel/lock.h>
#include <stddef.h>

#define PIT_HZ       1193182ull
#define PIT_CHANNEL0 0x40
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND  0x43
#define PORT_B       0x61 /* bit 0: gate of channel 2, bit 1: speaker */

#define COMMAND_CH0_ONE_SHOT     0x30 /* both bytes, mode 0 */
#define COMMAND_CH2_FREE_RUNNING 0xb4 /* both bytes, mode 2 */
#define COMMAND_CH2_LATCH        0x80

#define EVENT_MAX_NS 50000000ull /* 59659 of 65536 counts */

static struct spinlock lock = SPINLOCK("pit", RANK_CHIP);

static uint64_t read_up(void)
{
    uint64_t flags = spin_lock_irqsave(&lock), count;

    outb(PIT_COMMAND, COMMAND_CH2_LATCH);
    count = inb(PIT_CHANNEL2);
    count |= (uint64_t)inb(PIT_CHANNEL2) << 8;
    spin_unlock_irqrestore(&lock, flags);
    return -count & 0xffff; /* it counts down */
}

static void event_arm(uint64_t delta_ns)
{
    uint64_t flags, count = delta_ns * PIT_HZ / 1000000000ull + 1;

    flags = spin_lock_irqsave(&lock);
    outb(PIT_COMMAND, COMMAND_CH0_ONE_SHOT);
    outb(PIT_CHANNEL0, (uint8_t)count);
    outb(PIT_CHANNEL0, (uint8_t)(count >> 8));
    spin_unlock_irqrestore(&lock, flags);
}

bool pit_init(void)
{
    uint64_t first;

    outb(PORT_B, (uint8_t)((inb(PORT_B) & ~2u) | 1u));
    outb(PIT_COMMAND, COMMAND_CH2_FREE_RUNNING);
    outb(PIT_CHANNEL2, 0);
    outb(PIT_CHANNEL2, 0);
    /* The firmware's periodic tick on channel 0 ends here. */
    event_arm(EVENT_MAX_NS);
    first = read_up();
    for (unsigned i = 0; i < 100; i++)
        if (read_up() != first)
            return true;
    return false;
}

const struct clock_source pit_clock = {.name = "pit", .read = read_up, .mask = 0xffff, .hz = PIT_HZ};

static struct irq pit_irq;

static int event_start(bool (*fired)(void *))
{
    return irq_attach_timer_line(&pit_irq, 0, fired, "pit");
}

/* Mode 0 without a count: the output stays low. */
static void event_stop(void)
{
    outb(PIT_COMMAND, COMMAND_CH0_ONE_SHOT);
    irq_detach(&pit_irq);
}

const struct event_source pit_event = {.name = "pit",
                                       .start = event_start,
                                       .arm = event_arm,
                                       .stop = event_stop,
                                       .min_ns = 2000,
                                       .max_ns = EVENT_MAX_NS};
