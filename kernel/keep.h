/* SPDX-License-Identifier: MIT
 *
 * kernel/keep.h: the last log, kept in RAM over a warm reset.
 *
 * Owns: 32 KiB of RAM in two halves. This run writes its log's end into one half;
 * the other holds what the run before it left. A cold start finds neither. The
 * place is found again by its mark, so a memory map that differs a little from
 * boot to boot does no harm. Context: keep_append any, under the log's lock or in
 * a panic; the rest thread.
 */
#ifndef KERNEL_KEEP_H
#define KERNEL_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct boot_info;

#define KEEP_BYTES (32u * 1024)
#define KEEP_TEXT  (KEEP_BYTES / 2 - 64)

/* How a run ended, as far as it could say so. */
enum keep_end { KEEP_RUNNING = 0, KEEP_PANIC = 1, KEEP_REBOOT = 2, KEEP_OFF = 3 };

/* Finds or chooses the place. After the boot information, before mem_init, which
 * leaves [keep_base(), + KEEP_BYTES) alone. taken: other places in use. */
struct keep_range {
    uint64_t first, end;
};
void keep_init(const struct boot_info *bi, const struct keep_range *taken, unsigned ntaken);
uint64_t keep_base(void); /* 0: there is no place */

void keep_append(const char *text, size_t bytes);
void keep_ending(enum keep_end how); /* this run ends now, and so; the first word counts */

/* The log of the run before, oldest byte first: how much there is, and a piece. */
size_t keep_previous_bytes(void);
size_t keep_previous(size_t from, char *buf, size_t bytes);
void keep_report(void); /* says in the log how that run ended, and its last lines if badly */

/* The choice, pure: the address that `found` says holds a log, else one in the
 * middle of the largest free region; 0 when there is none. */
uint64_t keep_choose(const struct boot_info *bi, const struct keep_range *taken, unsigned ntaken,
                     bool (*found)(uint64_t base));

#endif
