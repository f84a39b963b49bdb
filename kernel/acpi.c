/* SPDX-License-Identifier: MIT
 *
 * kernel/acpi.c: from the RSDP to each table, mapped and verified.
 *
 * Owns: struct acpi_info acpi. Context: boot.
 */
#include <kernel/acpi_tables.h>
#include <kernel/boot_info.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/options.h>

#define TABLES_MAX 64u

struct acpi_info acpi;

static const uint8_t *map(uint64_t address, size_t bytes)
{
    if (address == 0 || address >> 52 != 0)
        return NULL;
    return firmware_map(address, bytes);
}

/* A whole table with a good checksum, or NULL. */
static const uint8_t *map_table(uint64_t address, uint32_t *bytes)
{
    const uint8_t *t = map(address, ACPI_HEADER_BYTES);
    uint32_t length = t != NULL ? acpi_header_length(t, ACPI_HEADER_BYTES) : 0;

    if (length == 0)
        return NULL;
    t = map(address, length);
    if (t == NULL || !acpi_checksum_ok(t, length))
        return NULL;
    *bytes = length;
    return t;
}

static void use_fadt(const uint8_t *t, uint32_t bytes)
{
    uint64_t dsdt = 0;
    uint32_t dsdt_bytes;
    const uint8_t *d;

    if (!acpi_parse_fadt(&acpi, t, bytes, &dsdt))
        return;
    d = map_table(dsdt, &dsdt_bytes);
    if (d != NULL && acpi_is(d, "DSDT"))
        (void)acpi_find_s5(&acpi, d, dsdt_bytes);
}

/* Now, because a panic that restarts the machine can map nothing. */
static void map_reset_register(void)
{
    uint8_t *page;

    if (!acpi.reset_known || acpi.reset_space != ACPI_SPACE_MEMORY || acpi.reset_addr >> 52 != 0)
        return;
    page = mmio_map(acpi.reset_addr & ~(PAGE_SIZE - 1), PAGE_SIZE);
    acpi.reset_memory = page != NULL ? page + (acpi.reset_addr & (PAGE_SIZE - 1)) : NULL;
}

static void use_table(uint64_t address)
{
    uint32_t bytes;
    const uint8_t *t = map_table(address, &bytes);
    bool ok = true;

    if (t == NULL) {
        klog(LOG_WARN, "acpi: the table at %lx is broken, left out", address);
        return;
    }
    if (acpi_is(t, "APIC"))
        ok = acpi_parse_madt(&acpi, t, bytes);
    else if (acpi_is(t, "HPET"))
        ok = acpi_parse_hpet(&acpi, t, bytes);
    else if (acpi_is(t, "MCFG"))
        ok = acpi_parse_mcfg(&acpi, t, bytes);
    else if (acpi_is(t, "FACP"))
        use_fadt(t, bytes);
    else if (acpi_is(t, "SSDT") && !acpi.s5_known)
        (void)acpi_find_s5(&acpi, t, bytes);
    if (!ok)
        klog(LOG_WARN, "acpi: cannot use table %c%c%c%c", t[0], t[1], t[2], t[3]);
}

void acpi_init(const struct boot_info *bi)
{
    struct acpi_root root;
    const uint8_t *t;
    uint32_t bytes;
    size_t n;

    if (option_is("acpi", "off")) {
        klog(LOG_INFO, "acpi: off by option");
        return;
    }
    if (bi->rsdp_version == 0 || !acpi_parse_rsdp(bi->rsdp, bi->rsdp_version >= 2 ? 36 : 20, &root)) {
        klog(LOG_WARN, "acpi: no valid RSDP, going on without ACPI");
        return;
    }
    t = map_table(root.address, &bytes);
    if (t == NULL || !acpi_is(t, root.is_xsdt ? "XSDT" : "RSDT")) {
        klog(LOG_WARN, "acpi: the root table at %lx is broken, going on without ACPI", root.address);
        return;
    }
    acpi.present = true;
    n = acpi_root_entries(t, bytes, root.is_xsdt);
    for (size_t i = 0; i < n && i < TABLES_MAX; i++)
        use_table(acpi_root_entry(t, i, root.is_xsdt));
    map_reset_register();
    klog(LOG_INFO, "acpi: %u CPUs, %u IOAPICs, HPET %s, MCFG %s, PM timer %s, soft-off %s", acpi.ncpus,
         acpi.nioapics, acpi.hpet_base != 0 ? "yes" : "no", acpi.nmcfg != 0 ? "yes" : "no",
         acpi.pm_timer_port != 0 ? "yes" : "no", acpi.s5_known ? "yes" : "no");
}
