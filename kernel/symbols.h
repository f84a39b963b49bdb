/* SPDX-License-Identifier: MIT
 *
 * kernel/symbols.h: names for kernel text addresses.
 *
 * Owns: the table's layout. The build makes it in a second link pass: one
 * ksym per text symbol of the first pass, sorted by offset, in a file that
 * defines ksyms, ksym_count and ksym_names (const, section .ksyms). The weak
 * empty table in kernel/symbols.c lets the first pass link.
 */
#ifndef KERNEL_SYMBOLS_H
#define KERNEL_SYMBOLS_H

#include <stdint.h>

struct ksym {
    uint32_t offset; /* address - KERNEL_BASE */
    uint32_t name;   /* offset of the NUL-terminated name in ksym_names */
};
extern const struct ksym ksyms[];
extern const uint32_t ksym_count;
extern const char ksym_names[];

#endif
