/* SPDX-License-Identifier: MIT
 *
 * kernel/acpi.h: the static ACPI tables (ACPI 6.4), without AML.
 *
 * Owns: what MADT, HPET, MCFG and FADT say, verified (lengths, checksums).
 * The parsers are pure and build on the host for tests and fuzzing.
 */
#ifndef KERNEL_ACPI_H
#define KERNEL_ACPI_H

#include <stdbool.h>
#include <stdint.h>

#define ACPI_IOAPICS_MAX 8
#define ACPI_CPUS_MAX 64
#define ACPI_MCFG_MAX 8

/* Where a register lies (ACPI 6.4 table 5.1). */
#define ACPI_SPACE_MEMORY 0
#define ACPI_SPACE_IO     1
#define ACPI_SPACE_PCI    2 /* bus 0: device << 32 | function << 16 | offset */

struct acpi_info {
    bool present;
    uint64_t lapic_base;
    bool has_8259;
    unsigned ncpus;
    uint32_t cpu_apic_id[ACPI_CPUS_MAX];
    unsigned nioapics;
    struct { uint64_t base; uint32_t gsi_base; uint8_t id; } ioapic[ACPI_IOAPICS_MAX];
    struct { bool set; uint32_t gsi; uint16_t flags; } isa_override[16];
    uint64_t hpet_base;
    unsigned nmcfg;
    struct { uint64_t base; uint16_t segment; uint8_t bus_first, bus_last; } mcfg[ACPI_MCFG_MAX];
    uint32_t pm_timer_port; /* 0: none */
    bool pm_timer_32bit;
    uint32_t pm1a_control, pm1b_control, smi_command;
    uint8_t acpi_enable;
    bool s5_known;
    uint8_t s5_a, s5_b; /* SLP_TYP values of \_S5 */
    bool reset_known;
    uint8_t reset_space, reset_value;
    uint64_t reset_addr;
    volatile uint8_t *reset_memory; /* mapped, when the reset register is memory */
    uint16_t sci_irq;
    uint16_t boot_arch;
};
extern struct acpi_info acpi;

struct boot_info;
void acpi_init(const struct boot_info *bi); /* acpi=off leaves present false */
/* What goes to QEMU's isa-debug-exit (iobase=0xf4): QEMU ends with status 33
 * after a pass, 35 after a failure. power_off uses the first when ACPI cannot. */
#define TEST_EXIT_PASS 0x10u
#define TEST_EXIT_FAIL 0x11u
void power_off(void) __attribute__((noreturn));
void power_reboot(void) __attribute__((noreturn)); /* ACPI, keyboard controller, 0xcf9, triple fault */
void power_triple_fault(void) __attribute__((noreturn));
void power_test_exit(bool passed) __attribute__((noreturn)); /* isa-debug-exit at 0xf4, else power_off */

#endif
