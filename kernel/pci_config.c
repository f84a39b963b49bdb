/* SPDX-License-Identifier: MIT
 *
 * kernel/pci_config.c: reading and writing configuration space, through memory
 * (ECAM, PCIe 3.0 section 7.2.2) or the ports of mechanism #1.
 *
 * Owns: ports 0xcf8 to 0xcff; the ECAM mappings, one for each bus that exists,
 * made on first use (a whole segment would be 256 MiB of page tables).
 * Context: any for a bus that was accessed before; the first access thread.
 */
#include <kernel/acpi.h>
#include <kernel/cpu.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/options.h>
#include <kernel/pci_config.h>
#include <stddef.h>

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  0x80000000u
#define BUS_BYTES      (1u << 20)

static bool use_ecam;
static volatile uint8_t *bus_map[ACPI_MCFG_MAX][256];

static volatile uint8_t *ecam(struct pci_address a, unsigned reg)
{
    for (unsigned i = 0; i < acpi.nmcfg; i++) {
        if (acpi.mcfg[i].segment != a.segment || a.bus < acpi.mcfg[i].bus_first ||
            a.bus > acpi.mcfg[i].bus_last)
            continue;
        if (bus_map[i][a.bus] == NULL)
            bus_map[i][a.bus] = mmio_map(acpi.mcfg[i].base + (uint64_t)a.bus * BUS_BYTES, BUS_BYTES);
        if (bus_map[i][a.bus] == NULL)
            return NULL;
        return bus_map[i][a.bus] + ((uint32_t)a.device << 15 | (uint32_t)a.function << 12 | reg);
    }
    return NULL;
}

static uint16_t select(struct pci_address a, unsigned reg)
{
    outl(CONFIG_ADDRESS, CONFIG_ENABLE | (uint32_t)a.bus << 16 | (uint32_t)a.device << 11 |
                             (uint32_t)a.function << 8 | (reg & 0xfc));
    return (uint16_t)(CONFIG_DATA + (reg & 3));
}

static struct spinlock lock = SPINLOCK("pci ports", RANK_CHIP);

static uint32_t port_read(struct pci_address a, unsigned reg, unsigned bytes)
{
    uint64_t flags;
    uint32_t v;
    uint16_t port;

    if (a.segment != 0 || reg > 0xff)
        return 0xffffffffu;
    flags = spin_lock_irqsave(&lock);
    port = select(a, reg);
    v = bytes == 4 ? inl(port) : bytes == 2 ? inw(port) : inb(port);
    spin_unlock_irqrestore(&lock, flags);
    return v;
}

static void port_write(struct pci_address a, unsigned reg, unsigned bytes, uint32_t v)
{
    uint64_t flags;
    uint16_t port;

    if (a.segment != 0 || reg > 0xff)
        return;
    flags = spin_lock_irqsave(&lock);
    port = select(a, reg);
    if (bytes == 4)
        outl(port, v);
    else if (bytes == 2)
        outw(port, (uint16_t)v);
    else
        outb(port, (uint8_t)v);
    spin_unlock_irqrestore(&lock, flags);
}

uint32_t pci_config_read(struct pci_address a, unsigned reg, unsigned bytes)
{
    volatile uint8_t *p;

    if (!use_ecam)
        return port_read(a, reg, bytes);
    p = reg < 4096 ? ecam(a, reg) : NULL;
    if (p == NULL)
        return 0xffffffffu;
    return bytes == 4 ? *(volatile uint32_t *)p : bytes == 2 ? *(volatile uint16_t *)p : *p;
}

void pci_config_write(struct pci_address a, unsigned reg, unsigned bytes, uint32_t v)
{
    volatile uint8_t *p;

    if (!use_ecam) {
        port_write(a, reg, bytes, v);
        return;
    }
    p = reg < 4096 ? ecam(a, reg) : NULL;
    if (p == NULL)
        return;
    if (bytes == 4)
        *(volatile uint32_t *)p = v;
    else if (bytes == 2)
        *(volatile uint16_t *)p = (uint16_t)v;
    else
        *p = (uint8_t)v;
}

bool pci_config_is_ecam(void)
{
    return use_ecam;
}

unsigned pci_config_bytes(void)
{
    return use_ecam ? 4096 : 256;
}

/* ECAM is believed when it shows the same first functions as the ports do: a
 * window that the firmware forgot to open reads as all ones. */
static bool ecam_agrees(void)
{
    struct pci_address a = {0, 0, 0, 0};
    bool any = false;

    for (; a.device < 32 && !any; a.device++) {
        uint32_t by_port = port_read(a, 0, 4);
        volatile uint8_t *p = ecam(a, 0);

        if (p == NULL || *(volatile uint32_t *)p != by_port)
            return false;
        any = by_port != 0xffffffffu;
    }
    return any;
}

void pci_config_init(void)
{
    bool wanted = !option_is("pci", "ports");

    use_ecam = wanted && acpi.present && acpi.nmcfg > 0 && ecam_agrees();
    if (option_is("pci", "ecam") && !use_ecam)
        klog(LOG_WARN, "pci: no usable ECAM window here, the ports serve");
}
