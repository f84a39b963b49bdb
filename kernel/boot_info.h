/* SPDX-License-Identifier: MIT
 *
 * kernel/boot_info.h: all that is known from the boot loader, validated once.
 *
 * Owns: struct boot_info, filled in by boot/multiboot2.c. Later code reads
 * nothing else of what the loader left behind. Pointers are direct-map
 * addresses of memory that the page allocator never hands out.
 */
#ifndef KERNEL_BOOT_INFO_H
#define KERNEL_BOOT_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_INFO_MAGIC 0x736c6970u
#define BOOT_INFO_VERSION 1u
#define BOOT_REGIONS_MAX 128
#define BOOT_CMDLINE_MAX 1024

enum boot_region_type { REGION_FREE = 1, REGION_RESERVED = 2, REGION_ACPI = 3, REGION_NVS = 4, REGION_BAD = 5 };

struct boot_region {
    uint64_t base, bytes;
    uint32_t type, pad;
};

struct boot_info {
    uint32_t magic, version, size, nregions;
    struct boot_region region[BOOT_REGIONS_MAX];
    char cmdline[BOOT_CMDLINE_MAX];
    char loader[64];
    uint64_t initrd_base, initrd_bytes; /* physical; 0 bytes: none */
    uint64_t fb_base;
    uint32_t fb_width, fb_height, fb_pitch;
    uint8_t fb_bpp, fb_type; /* fb_type: 0 none, 1 RGB, 2 EGA text */
    uint8_t fb_red_pos, fb_green_pos, fb_blue_pos;
    uint8_t fb_red_bits, fb_green_bits, fb_blue_bits;
    bool efi;
    uint8_t rsdp_version; /* 0 none, 1 old, 2 new */
    uint8_t rsdp[36];     /* the table itself, copied */
};

/* Parse the loader's information at physical address `info`. Returns 0, or a
 * negative errno with *why naming the tag and the fault. Pure: builds on the
 * host for tests and fuzzing; `base` is the host address of the structure. */
int boot_info_parse(struct boot_info *bi, const void *base, size_t max_bytes, const char **why);

/* The one that this boot came with (kernel/main.c). */
const struct boot_info *boot_info_get(void);

#endif
