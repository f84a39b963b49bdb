/* SPDX-License-Identifier: MIT
 *
 * kernel/acpi_tables.h: parsers of the static ACPI tables (ACPI 6.4 chapter 5).
 *
 * Owns: nothing. Pure: bytes in, struct acpi_info out; builds on the host for
 * tests and fuzzing. A table is whatever lies in [t, t + bytes): no length in it
 * is believed beyond that.
 */
#ifndef KERNEL_ACPI_TABLES_H
#define KERNEL_ACPI_TABLES_H

#include <kernel/acpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_HEADER_BYTES 36u
#define ACPI_TABLE_MAX    (1u << 20) /* larger ones are refused */

struct acpi_root {
    uint64_t address;
    bool is_xsdt; /* 64-bit entries */
};

bool acpi_checksum_ok(const uint8_t *t, size_t bytes);
/* The RSDP, as the boot loader copied it. */
bool acpi_parse_rsdp(const uint8_t *t, size_t bytes, struct acpi_root *root);
/* Length that a header claims: 0 when it is impossible. */
uint32_t acpi_header_length(const uint8_t *t, size_t bytes);
bool acpi_is(const uint8_t *t, const char *signature);
/* Number of entries of an RSDT or XSDT, and one of them. */
size_t acpi_root_entries(const uint8_t *t, size_t bytes, bool is_xsdt);
uint64_t acpi_root_entry(const uint8_t *t, size_t index, bool is_xsdt);

/* Each takes a whole table with a good checksum. False: too short to use. */
bool acpi_parse_madt(struct acpi_info *info, const uint8_t *t, size_t bytes);
bool acpi_parse_hpet(struct acpi_info *info, const uint8_t *t, size_t bytes);
bool acpi_parse_mcfg(struct acpi_info *info, const uint8_t *t, size_t bytes);
/* *dsdt becomes the address of the DSDT. */
bool acpi_parse_fadt(struct acpi_info *info, const uint8_t *t, size_t bytes, uint64_t *dsdt);
/* Looks for Name(\_S5, Package {...}) in a DSDT or SSDT. No interpreter: the
 * byte pattern of the definition, as every firmware writes it. */
bool acpi_find_s5(struct acpi_info *info, const uint8_t *t, size_t bytes);

#endif
