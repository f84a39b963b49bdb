/* SPDX-License-Identifier: MIT
 *
 * kernel/pci.c: which functions there are, and which driver takes them.
 *
 * Owns: the device list, in order of discovery. The scan follows bridges from
 * bus 0; it never tries all 256 buses, because each absent function costs a
 * slow access.
 * Context: boot.
 */
#include <kernel/acpi.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/pci.h>
#include <kernel/pci_caps.h>
#include <kernel/pci_config.h>
#include <slipway/errno.h>
#include <stddef.h>

#define REG_VENDOR        0x00
#define REG_COMMAND       0x04
#define REG_CLASS         0x08
#define REG_HEADER_TYPE   0x0e
#define REG_BAR0          0x10
#define REG_SECONDARY_BUS 0x19
#define REG_SUBSYSTEM     0x2c
#define REG_IRQ_LINE      0x3c

#define HEADER_MULTI      0x80
#define HEADER_BRIDGE     0x01
#define COMMAND_IO        0x1u
#define COMMAND_MEMORY    0x2u
#define COMMAND_MASTER    0x4u
#define BAR_IO            0x1u
#define BAR_TYPE_64       0x4u
#define BAR_PREFETCH      0x8u
#define CLASS_HOST_BRIDGE 0x0600u
#define DEVICES_MAX       256u

static struct pci_device *devices, **devices_end = &devices;
static unsigned device_count;
static uint32_t buses_seen[8]; /* bit map: a loop of bridges ends here */

static struct pci_address address_of(const struct pci_device *d)
{
    return (struct pci_address){d->segment, d->bus, d->device, d->function};
}

uint8_t pci_read8(struct pci_device *d, unsigned reg)
{
    return (uint8_t)pci_config_read(address_of(d), reg, 1);
}

uint16_t pci_read16(struct pci_device *d, unsigned reg)
{
    return (uint16_t)pci_config_read(address_of(d), reg, 2);
}

uint32_t pci_read32(struct pci_device *d, unsigned reg)
{
    return pci_config_read(address_of(d), reg, 4);
}

void pci_write8(struct pci_device *d, unsigned reg, uint8_t v)
{
    pci_config_write(address_of(d), reg, 1, v);
}

void pci_write16(struct pci_device *d, unsigned reg, uint16_t v)
{
    pci_config_write(address_of(d), reg, 2, v);
}

void pci_write32(struct pci_device *d, unsigned reg, uint32_t v)
{
    pci_config_write(address_of(d), reg, 4, v);
}

static uint32_t space_read(void *arg, unsigned reg)
{
    return pci_read32(arg, reg);
}

unsigned pci_find_cap(struct pci_device *d, uint8_t id, unsigned from)
{
    struct pci_space s = {space_read, d, pci_config_bytes()};

    return pci_cap_find(&s, id, from);
}

unsigned pci_find_ext_cap(struct pci_device *d, uint16_t id, unsigned from)
{
    struct pci_space s = {space_read, d, pci_config_bytes()};

    return pci_ext_cap_find(&s, id, from);
}

void pci_enable(struct pci_device *d, bool memory, bool io, bool bus_master)
{
    uint16_t command =
        pci_read16(d, REG_COMMAND) & (uint16_t) ~(COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER);

    command |=
        (uint16_t)((io ? COMMAND_IO : 0) | (memory ? COMMAND_MEMORY : 0) | (bus_master ? COMMAND_MASTER : 0));
    pci_write16(d, REG_COMMAND, command);
}

void *pci_map_bar(struct pci_device *d, unsigned bar)
{
    const struct pci_bar *b = bar < 6 ? &d->bar[bar] : NULL;
    uint8_t *p;

    if (b == NULL || b->is_io || b->bytes == 0 || b->base == 0)
        return NULL;
    p = mmio_map(b->base & ~(PAGE_SIZE - 1), page_round_up((b->base & (PAGE_SIZE - 1)) + b->bytes));
    return p != NULL ? p + (b->base & (PAGE_SIZE - 1)) : NULL;
}

/* --- scan --- */

/* PCI 3.0 section 6.2.5.1: the bits that stay zero after writing ones are the
 * size. Returns how many registers the BAR took. */
static unsigned size_bar(struct pci_device *d, unsigned i, unsigned count)
{
    unsigned reg = REG_BAR0 + 4 * i;
    uint32_t lo = pci_read32(d, reg), lo_mask, hi = 0, hi_mask = 0xffffffffu;
    struct pci_bar *b = &d->bar[i];
    uint64_t mask;

    b->is_io = lo & BAR_IO;
    b->is_64 = !b->is_io && (lo & 0x6) == BAR_TYPE_64 && i + 1 < count;
    b->prefetch = !b->is_io && (lo & BAR_PREFETCH);
    pci_write32(d, reg, 0xffffffffu);
    lo_mask = pci_read32(d, reg);
    pci_write32(d, reg, lo);
    if (b->is_64) {
        hi = pci_read32(d, reg + 4);
        pci_write32(d, reg + 4, 0xffffffffu);
        hi_mask = pci_read32(d, reg + 4);
        pci_write32(d, reg + 4, hi);
    }
    if (lo_mask == 0)
        return b->is_64 ? 2 : 1;
    if (b->is_io) {
        b->base = lo & 0xfffc;
        b->bytes = (~(lo_mask & 0xfffcu) & 0xffff) + 1;
    } else {
        mask = (uint64_t)hi_mask << 32 | (lo_mask & ~0xfu);
        b->base = (uint64_t)hi << 32 | (lo & ~0xfu);
        b->bytes = ~mask + 1;
    }
    return b->is_64 ? 2 : 1;
}

static void size_bars(struct pci_device *d, unsigned count)
{
    uint16_t command = pci_read16(d, REG_COMMAND);

    /* A BAR that reads as all ones must not answer meanwhile. */
    pci_write16(d, REG_COMMAND, command & (uint16_t) ~(COMMAND_IO | COMMAND_MEMORY));
    for (unsigned i = 0; i < count;)
        i += size_bar(d, i, count);
    pci_write16(d, REG_COMMAND, command);
}

static void scan_bus(uint16_t segment, uint8_t bus, unsigned depth);

static uint8_t scan_function(struct pci_address a, unsigned depth)
{
    uint32_t id = pci_config_read(a, REG_VENDOR, 4), class_rev;
    struct pci_device *d;
    uint8_t header;

    if ((id & 0xffff) == 0xffff || (id & 0xffff) == 0 || device_count >= DEVICES_MAX)
        return 0;
    header = (uint8_t)pci_config_read(a, REG_HEADER_TYPE, 1);
    d = kzalloc(sizeof(*d));
    if (d == NULL)
        return header;
    class_rev = pci_config_read(a, REG_CLASS, 4);
    d->segment = a.segment;
    d->bus = a.bus;
    d->device = a.device;
    d->function = a.function;
    d->vendor = (uint16_t)id;
    d->product = (uint16_t)(id >> 16);
    d->class_code = class_rev >> 8;
    d->revision = (uint8_t)class_rev;
    d->irq_line = pci_read8(d, REG_IRQ_LINE);
    d->irq_pin = pci_read8(d, REG_IRQ_LINE + 1);
    *devices_end = d;
    devices_end = &d->next;
    device_count++;
    if ((header & 0x7f) == 0) {
        d->subsystem_vendor = pci_read16(d, REG_SUBSYSTEM);
        d->subsystem = pci_read16(d, REG_SUBSYSTEM + 2);
        if (d->class_code >> 8 != CLASS_HOST_BRIDGE) /* memory itself may be behind its decoder */
            size_bars(d, 6);
    } else if ((header & 0x7f) == HEADER_BRIDGE) {
        uint8_t secondary = pci_read8(d, REG_SECONDARY_BUS);

        size_bars(d, 2);
        if (secondary != 0)
            scan_bus(a.segment, secondary, depth + 1);
        else
            klog(LOG_WARN, "pci: bridge %02x:%02x.%u has no bus number, what is behind it stays unseen",
                 a.bus, a.device, a.function);
    }
    return header;
}

static void scan_bus(uint16_t segment, uint8_t bus, unsigned depth)
{
    struct pci_address a = {segment, bus, 0, 0};

    if (depth > 16 || (segment == 0 && (buses_seen[bus / 32] >> (bus % 32) & 1)))
        return;
    if (segment == 0)
        buses_seen[bus / 32] |= 1u << (bus % 32);
    for (a.device = 0; a.device < 32; a.device++) {
        a.function = 0;
        if (!(scan_function(a, depth) & HEADER_MULTI))
            continue;
        for (a.function = 1; a.function < 8; a.function++)
            (void)scan_function(a, depth);
    }
}

void pci_init(void)
{
    pci_config_init();
    scan_bus(0, 0, 0);
    for (unsigned i = 0; pci_config_is_ecam() && i < acpi.nmcfg; i++)
        if (acpi.mcfg[i].segment != 0)
            scan_bus(acpi.mcfg[i].segment, acpi.mcfg[i].bus_first, 0);
    klog(LOG_INFO, "pci: %u functions, by %s", device_count, pci_access_name());
}

struct pci_device *pci_first(void)
{
    return devices;
}

const char *pci_access_name(void)
{
    return pci_config_is_ecam() ? "ecam" : "ports";
}

/* --- drivers --- */

static void attach(struct pci_device *d)
{
    for (unsigned i = 0; i < pci_driver_count && d->driver == NULL; i++) {
        const struct pci_driver *driver = &pci_drivers[i];
        int r;

        if (driver->vendor != d->vendor || (driver->product != 0xffff && driver->product != d->product))
            continue;
        d->driver = driver->name;
        r = driver->attach(d);
        if (r == 0)
            continue;
        d->driver = NULL;
        if (r != -ENODEV)
            klog(LOG_WARN, "pci: %s cannot use %02x:%02x.%u (error %d)", driver->name, d->bus, d->device,
                 d->function, -r);
    }
}

void pci_attach_drivers(void)
{
    for (struct pci_device *d = devices; d != NULL; d = d->next)
        attach(d);
}
