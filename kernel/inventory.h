/* SPDX-License-Identifier: MIT
 *
 * kernel/inventory.h: the device inventory behind INFO_DEVICE and /dev.
 */
#ifndef KERNEL_INVENTORY_H
#define KERNEL_INVENTORY_H

#include <stdbool.h>
#include <stdint.h>

struct info_device;
struct memobj;

void inventory_init(void); /* once the drivers have taken what is theirs */
bool inventory_get(uint64_t index, struct info_device *i); /* i is zeroed; false past the last */
/* The screen's pixels as a memory object; NULL: text mode, or no memory. */
struct memobj *inventory_framebuffer(void);

#endif
