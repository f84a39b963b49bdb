/* SPDX-License-Identifier: MIT
 *
 * boot/multiboot2.h: numbers and layouts of the Multiboot2 specification 2.0
 * (sections 3.1 header, 3.4 machine state, 3.6 boot information).
 *
 * Owns: nothing. Used by boot/entry.S and boot/multiboot2.c, and by the tests
 * that forge boot information.
 */
#ifndef BOOT_MULTIBOOT2_H
#define BOOT_MULTIBOOT2_H

#define MB2_HEADER_MAGIC 0xe85250d6
#define MB2_BOOT_MAGIC   0x36d76289

#define MB2_HEADER_END          0
#define MB2_HEADER_INFO_REQUEST 1
#define MB2_HEADER_FRAMEBUFFER  5
#define MB2_HEADER_MODULE_ALIGN 6
#define MB2_HEADER_OPTIONAL     1

#define MB2_TAG_END               0
#define MB2_TAG_CMDLINE           1
#define MB2_TAG_LOADER            2
#define MB2_TAG_MODULE            3
#define MB2_TAG_MEMORY            6
#define MB2_TAG_FRAMEBUFFER       8
#define MB2_TAG_EFI32             11
#define MB2_TAG_EFI64             12
#define MB2_TAG_RSDP_OLD          14
#define MB2_TAG_RSDP_NEW          15
#define MB2_TAG_EFI_MEMORY        17
#define MB2_TAG_EFI_BOOT_SERVICES 18

#ifndef __ASSEMBLER__
#include <stdint.h>

struct mb2_info {
    uint32_t total_bytes, reserved;
};
struct mb2_tag {
    uint32_t type, bytes;
};
struct mb2_module {
    uint32_t type, bytes, start, end;
};
struct mb2_memory {
    uint32_t type, bytes, entry_bytes, entry_version;
};
struct mb2_memory_entry {
    uint64_t base, bytes;
    uint32_t type, reserved;
};
struct mb2_framebuffer {
    uint32_t type, bytes;
    uint64_t base;
    uint32_t pitch, width, height;
    uint8_t bpp, kind; /* kind: 0 indexed, 1 RGB, 2 EGA text */
    uint16_t reserved;
    uint8_t red_pos, red_bits, green_pos, green_bits, blue_pos, blue_bits;
};
#endif

#endif
