/* SPDX-License-Identifier: MIT
 *
 * kernel/symbols.c: the symbol table as the first link pass sees it: empty.
 *
 * Owns: the weak fallback. Alone in its file, so that no compiler can look
 * through it. Look-up is symbolise() in kernel/panic.c.
 */
#include <kernel/symbols.h>

const struct ksym ksyms[1] __attribute__((weak, section(".ksyms"))) = {{0, 0}};
const uint32_t ksym_count __attribute__((weak, section(".ksyms"))) = 0;
const char ksym_names[1] __attribute__((weak, section(".ksyms"))) = "";
