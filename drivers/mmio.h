/* SPDX-License-Identifier: MIT
 *
 * drivers/mmio.h: device registers in memory (pci_map_bar: uncached, so
 * that a write comes after every write to RAM in front of it).
 *
 * Owns: nothing. Any context.
 */
#ifndef DRIVERS_MMIO_H
#define DRIVERS_MMIO_H

#include <stdint.h>

static inline uint32_t mmio_read32(const volatile void *p) { return *(const volatile uint32_t *)p; }
static inline void mmio_write32(volatile void *p, uint32_t v)
{
    __asm__ volatile("" ::: "memory"); /* what was written to RAM before stays in front */
    *(volatile uint32_t *)p = v;
}

static inline uint16_t mmio_read16(const volatile void *p) { return *(const volatile uint16_t *)p; }
static inline void mmio_write16(volatile void *p, uint16_t v)
{
    __asm__ volatile("" ::: "memory");
    *(volatile uint16_t *)p = v;
}

#endif
