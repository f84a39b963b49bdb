/* SPDX-License-Identifier: MIT
 *
 * kernel/power.c: switching off, starting anew, leaving a test run.
 *
 * Owns: the last instructions that the machine executes. Each way out is tried
 * in turn and given a moment; none needs the scheduler or the log.
 * Context: any.
 */
#include <kernel/acpi.h>
#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/intctl.h>
#include <kernel/lock.h>
#include <kernel/keep.h>
#include <kernel/pci_config.h>
#include <kernel/time.h>
#include <stddef.h>

#define PM1_SCI_ENABLE       (1u << 0)
#define PM1_SLEEP_ENABLE     (1u << 13)
#define PM1_SLEEP_TYPE_SHIFT 10
#define PM1_SLEEP_MASK       (7u << PM1_SLEEP_TYPE_SHIFT | PM1_SLEEP_ENABLE)
#define DRAIN_NS             (500 * NS_PER_MS)
#define ACPI_ENABLE_WAIT_MS  300

#define DEBUG_EXIT_PORT 0xf4 /* QEMU's isa-debug-exit: status = value << 1 | 1 */

#define RESET_CONTROL   0xcf9
#define KBC_STATUS      0x64
#define KBC_INPUT_FULL  0x02
#define KBC_PULSE_RESET 0xfe

static void halt(void) __attribute__((noreturn));
static void halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void say(const char *text)
{
    size_t n = 0;

    while (text[n] != 0)
        n++;
    console_write_polled(text, n);
}

/* What was said leaves before the machine does: by the interrupts of whichever CPU
 * has the serial port, or with irq=poll by a timer. */
static void drain_console(void)
{
    uint64_t flags = irq_save(), end = now_ns() + DRAIN_NS;

    irq_restore(flags);
    if (!(flags & RFLAGS_IF))
        return;
    kernel_unlock(); /* the timer may be another CPU's */
    while (!console_drained() && now_ns() < end) {
        kernel_lock();
        timers_run();
        poll_run_pending(); /* text that shares its line with packets is framed by a poll */
        kernel_unlock();
        cpu_relax();
    }
    kernel_lock();
}

/* Firmware may own the power registers until it is told otherwise (ACPI 6.4
 * section 16.3.1). */
static void acpi_enable(void)
{
    uint16_t port = (uint16_t)acpi.pm1a_control;

    if ((inw(port) & PM1_SCI_ENABLE) || acpi.smi_command == 0 || acpi.acpi_enable == 0)
        return;
    outb((uint16_t)acpi.smi_command, acpi.acpi_enable);
    for (unsigned ms = 0; ms < ACPI_ENABLE_WAIT_MS && !(inw(port) & PM1_SCI_ENABLE); ms++)
        delay_us(1000);
}

static void acpi_soft_off(void)
{
    uint16_t a = (uint16_t)acpi.pm1a_control, b = (uint16_t)acpi.pm1b_control;

    if (!acpi.present || !acpi.s5_known || a == 0)
        return;
    acpi_enable();
    outw(a, (uint16_t)((inw(a) & ~PM1_SLEEP_MASK) | (uint32_t)acpi.s5_a << PM1_SLEEP_TYPE_SHIFT |
                       PM1_SLEEP_ENABLE));
    if (b != 0)
        outw(b, (uint16_t)((inw(b) & ~PM1_SLEEP_MASK) | (uint32_t)acpi.s5_b << PM1_SLEEP_TYPE_SHIFT |
                           PM1_SLEEP_ENABLE));
    delay_us(500000);
}

void power_off(void)
{
    drain_console();
    irq_disable();
    keep_ending(KEEP_OFF);
    acpi_soft_off();
    outb(DEBUG_EXIT_PORT, TEST_EXIT_PASS);
    say("It is now safe to switch off this machine.\n");
    halt();
}

static void acpi_reset(void)
{
    if (!acpi.present || !acpi.reset_known)
        return;
    if (acpi.reset_space == ACPI_SPACE_IO && acpi.reset_addr <= 0xffff) {
        outb((uint16_t)acpi.reset_addr, acpi.reset_value);
    } else if (acpi.reset_space == ACPI_SPACE_MEMORY && acpi.reset_memory != NULL) {
        *acpi.reset_memory = acpi.reset_value;
    } else if (acpi.reset_space == ACPI_SPACE_PCI) {
        struct pci_address a = {0, 0, acpi.reset_addr >> 32 & 31, acpi.reset_addr >> 16 & 7};

        pci_config_write(a, acpi.reset_addr & 0xff, 1, acpi.reset_value);
    }
    delay_us(50000);
}

static void keyboard_reset(void)
{
    for (unsigned i = 0; i < 100 && (inb(KBC_STATUS) & KBC_INPUT_FULL); i++)
        delay_us(100);
    outb(KBC_STATUS, KBC_PULSE_RESET);
    delay_us(50000);
}

/* The chip sets' own register (PIIX3, ICH): what kind, then do it. */
static void chipset_reset(void)
{
    outb(RESET_CONTROL, 0x02);
    outb(RESET_CONTROL, 0x06);
    delay_us(50000);
}

/* An exception without a table to handle it. */
void power_triple_fault(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) no_idt = {0, 0};

    __asm__ volatile("lidt %0; int3" ::"m"(no_idt));
    halt();
}

void power_reboot(void)
{
    irq_disable();
    keep_ending(KEEP_REBOOT);
    acpi_reset();
    keyboard_reset();
    chipset_reset();
    power_triple_fault();
}

void power_test_exit(bool passed)
{
    drain_console();
    irq_disable();
    outb(DEBUG_EXIT_PORT, passed ? TEST_EXIT_PASS : TEST_EXIT_FAIL);
    power_off();
}
