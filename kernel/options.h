/* SPDX-License-Identifier: MIT
 *
 * kernel/options.h: the boot command line.
 *
 * Owns: the parsed options. Unknown or malformed ones are reported on the
 * console and ignored. Pure code, tested on the host.
 */
#ifndef KERNEL_OPTIONS_H
#define KERNEL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* Splits and checks; `report` is called for each bad word with a reason. */
void options_parse(const char *cmdline, void (*report)(const char *word, const char *why));
/* Value of "key=value"; NULL when absent. For a repeated key, the last. */
const char *option(const char *key);
/* The n-th option whose key starts with prefix: its key, NULL past the last. */
const char *option_key(const char *prefix, unsigned n);
/* Is the key known as a whole, and not only by how it begins (net.eth0)? */
bool option_is_setting(const char *key);
bool option_is(const char *key, const char *value);
/* Is `word` in the comma-separated value of key? */
bool option_has(const char *key, const char *word);

#endif
