/* SPDX-License-Identifier: MIT
 *
 * drivers/keys.h: from scan codes to the bytes that a terminal would send.
 *
 * Owns: which modifiers are held, the prefix of a scan code of several bytes. US
 * layout, scan code set 1. Pure; called by the keyboard's hard interrupt.
 */
#ifndef DRIVERS_KEYS_H
#define DRIVERS_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYS_BYTES_MAX 8u /* of one key */

struct keys {
    uint8_t shift, ctrl, alt; /* bit 0 left, bit 1 right */
    bool caps, num;
    bool extended; /* after 0xe0 */
    uint8_t skip;  /* rest of Pause, which begins with 0xe1 */
};

void keys_init(struct keys *k);
/* One byte from the keyboard; returns how many bytes it types. */
size_t keys_byte(struct keys *k, uint8_t code, char out[KEYS_BYTES_MAX]);

#endif
