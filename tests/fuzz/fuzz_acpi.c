/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/fuzz_acpi.c: libFuzzer entry: any bytes as an ACPI table.
 *
 * An input is a table (or an RSDP) as it lies in memory. Its length field and
 * checksum are mended first, as far as they can be, so that the fuzzer gets past
 * them; both are tried as they came, too. The bytes lie in a buffer of exactly
 * their size. What must hold: no access outside of it, and counts in bounds.
 */
#include <kernel/acpi_tables.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct acpi_info *info)
{
    if (info->ncpus > ACPI_CPUS_MAX || info->nioapics > ACPI_IOAPICS_MAX || info->nmcfg > ACPI_MCFG_MAX ||
        info->s5_a > 7 || info->s5_b > 7 || info->pm_timer_port > 0xffff || info->pm1a_control > 0xffff)
        abort();
}

static void parse(const uint8_t *t, size_t bytes)
{
    struct acpi_info info = {0};
    struct acpi_root root;
    uint64_t dsdt, sum = 0;

    if (acpi_parse_rsdp(t, bytes, &root) && root.address == 0)
        abort();
    if (acpi_header_length(t, bytes) == 0)
        return;
    for (size_t i = 0; i < acpi_root_entries(t, bytes, false); i++)
        sum += acpi_root_entry(t, i, false);
    for (size_t i = 0; i < acpi_root_entries(t, bytes, true); i++)
        sum += acpi_root_entry(t, i, true);
    (void)sum;
    (void)acpi_parse_madt(&info, t, bytes);
    check(&info);
    (void)acpi_parse_hpet(&info, t, bytes);
    (void)acpi_parse_mcfg(&info, t, bytes);
    (void)acpi_parse_fadt(&info, t, bytes, &dsdt);
    (void)acpi_find_s5(&info, t, bytes);
    check(&info);
}

static void mend(uint8_t *t, size_t bytes)
{
    uint8_t sum = 0;
    size_t at = bytes >= 8 && memcmp(t, "RSD PTR ", 8) == 0 ? 8 : 9;

    if (bytes < ACPI_HEADER_BYTES)
        return;
    if (at == 9)
        for (unsigned i = 0; i < 4; i++)
            t[4 + i] = (uint8_t)(bytes >> (8 * i));
    t[at] = 0;
    for (size_t i = 0; i < (at == 9 ? bytes : 20); i++)
        sum = (uint8_t)(sum + t[i]);
    t[at] = (uint8_t)-sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size != 0 ? size : 1);

    memcpy(exact, data, size);
    parse(exact, size);
    mend(exact, size);
    parse(exact, size);
    free(exact);
    return 0;
}
