/* SPDX-License-Identifier: MIT
 *
 * kernel/pci_caps.h: walking capability lists, which hardware may have knotted.
 *
 * Owns: nothing. Pure: reads through a callback, so that tests and the fuzz
 * target can offer any bytes. Each walk visits an offset at most once by
 * counting its steps.
 */
#ifndef KERNEL_PCI_CAPS_H
#define KERNEL_PCI_CAPS_H

#include <stdint.h>

struct pci_space {
    uint32_t (*read32)(void *arg, unsigned reg); /* reg is a multiple of 4 */
    void *arg;
    unsigned bytes; /* 256 or 4096 */
};

/* Capability `id` behind offset `from` (0: the first); 0 when there is none. */
unsigned pci_cap_find(const struct pci_space *s, uint8_t id, unsigned from);
/* Extended capability (PCIe 4 KiB space); 0 when there is none. */
unsigned pci_ext_cap_find(const struct pci_space *s, uint16_t id, unsigned from);

#endif
