/* SPDX-License-Identifier: MIT
 *
 * kernel/pci_config.h: configuration space by address, before there is a
 * struct pci_device. For kernel/pci.c and kernel/pci_config.c only.
 */
#ifndef KERNEL_PCI_CONFIG_H
#define KERNEL_PCI_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

struct pci_address {
    uint16_t segment;
    uint8_t bus, device, function;
};

void pci_config_init(void); /* chooses ECAM or ports */
bool pci_config_is_ecam(void);
unsigned pci_config_bytes(void); /* 4096 or 256 */
/* Reads of what is not there give all ones. */
uint32_t pci_config_read(struct pci_address a, unsigned reg, unsigned bytes);
void pci_config_write(struct pci_address a, unsigned reg, unsigned bytes, uint32_t v);

#endif
