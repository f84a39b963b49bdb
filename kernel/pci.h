/* SPDX-License-Identifier: MIT
 *
 * kernel/pci.h: PCI functions and their configuration space.
 *
 * Owns: the device list (bridges walked, multi-function honoured), BAR sizes,
 * capability walks (bounded), the driver table.
 */
#ifndef KERNEL_PCI_H
#define KERNEL_PCI_H

#include <stdbool.h>
#include <stdint.h>

struct pci_bar {
    uint64_t base, bytes; /* bytes 0: absent */
    bool is_io, is_64, prefetch;
};

struct pci_device {
    uint16_t segment;
    uint8_t bus, device, function;
    uint16_t vendor, product, subsystem_vendor, subsystem;
    uint32_t class_code; /* class << 16 | subclass << 8 | prog-if */
    uint8_t revision, irq_line, irq_pin;
    struct pci_bar bar[6];
    const char *driver;  /* NULL until taken */
    char node[16];
    const struct link *link; /* a network card's */
    const char *irq_mode;
    struct pci_device *next;
};

void pci_init(void); /* scan; ECAM if MCFG and pci= allow, else ports */
struct pci_device *pci_first(void);
uint8_t pci_read8(struct pci_device *d, unsigned reg);
uint16_t pci_read16(struct pci_device *d, unsigned reg);
uint32_t pci_read32(struct pci_device *d, unsigned reg);
void pci_write8(struct pci_device *d, unsigned reg, uint8_t v);
void pci_write16(struct pci_device *d, unsigned reg, uint16_t v);
void pci_write32(struct pci_device *d, unsigned reg, uint32_t v);
/* Offset of the next capability with this id after `from` (0: from the start);
 * 0 when there is none. */
unsigned pci_find_cap(struct pci_device *d, uint8_t id, unsigned from);
unsigned pci_find_ext_cap(struct pci_device *d, uint16_t id, unsigned from); /* with ECAM only */
/* Sets the three bits of the command register as given. */
void pci_enable(struct pci_device *d, bool memory, bool io, bool bus_master);
void *pci_map_bar(struct pci_device *d, unsigned bar); /* memory BARs; NULL for I/O */
const char *pci_access_name(void); /* "ecam" or "ports" */

/* The driver table (drivers/table.c): one line each. */
struct pci_driver {
    const char *name;
    uint16_t vendor, product; /* product 0xffff: any of the vendor, `match` decides */
    int (*attach)(struct pci_device *d); /* 0, or -errno: device stays free */
};
extern const struct pci_driver pci_drivers[];
extern const unsigned pci_driver_count;
void pci_attach_drivers(void);

#endif
