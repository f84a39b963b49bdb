/* SPDX-License-Identifier: MIT
 *
 * kernel/acpi_tables.c: what the static ACPI tables say.
 *
 * Called by: kernel/acpi.c at boot, tests/unit/test_acpi.c, the fuzz target.
 */
#include <kernel/acpi_tables.h>

#define RSDP_V1_BYTES 20u
#define RSDP_V2_BYTES 36u

#define MADT_ENTRIES       44u
#define MADT_LAPIC         0
#define MADT_IOAPIC        1
#define MADT_OVERRIDE      2
#define MADT_LAPIC_ADDRESS 5
#define MADT_X2APIC        9
#define MADT_PCAT_COMPAT   1u
#define LAPIC_ENABLED      1u

#define MCFG_ENTRIES     44u
#define MCFG_ENTRY_BYTES 16u
#define HPET_BYTES       56u
#define FADT_V1_BYTES    116u

#define FADT_TIMER_32BIT     (1u << 8)
#define FADT_RESET_SUPPORTED (1u << 10)

#define AML_NAME    0x08
#define AML_PACKAGE 0x12
#define AML_ZERO    0x00
#define AML_ONE     0x01
#define AML_BYTE    0x0a
#define AML_WORD    0x0b
#define AML_DWORD   0x0c
#define AML_QWORD   0x0e

static uint16_t le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t le32(const uint8_t *p)
{
    return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static uint64_t le64(const uint8_t *p)
{
    return le32(p) | (uint64_t)le32(p + 4) << 32;
}

bool acpi_checksum_ok(const uint8_t *t, size_t bytes)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + t[i]);
    return sum == 0;
}

bool acpi_is(const uint8_t *t, const char *signature)
{
    for (unsigned i = 0; i < 4; i++)
        if (t[i] != (uint8_t)signature[i])
            return false;
    return true;
}

bool acpi_parse_rsdp(const uint8_t *t, size_t bytes, struct acpi_root *root)
{
    if (bytes < RSDP_V1_BYTES || !acpi_is(t, "RSD ") || !acpi_is(t + 4, "PTR ") ||
        !acpi_checksum_ok(t, RSDP_V1_BYTES))
        return false;
    root->is_xsdt = false;
    root->address = le32(t + 16);
    if (t[15] >= 2 && bytes >= RSDP_V2_BYTES && acpi_checksum_ok(t, RSDP_V2_BYTES) && le64(t + 24) != 0) {
        root->is_xsdt = true;
        root->address = le64(t + 24);
    }
    return root->address != 0;
}

uint32_t acpi_header_length(const uint8_t *t, size_t bytes)
{
    uint32_t length;

    if (bytes < ACPI_HEADER_BYTES)
        return 0;
    length = le32(t + 4);
    return length < ACPI_HEADER_BYTES || length > ACPI_TABLE_MAX ? 0 : length;
}

size_t acpi_root_entries(const uint8_t *t, size_t bytes, bool is_xsdt)
{
    (void)t;
    return bytes < ACPI_HEADER_BYTES ? 0 : (bytes - ACPI_HEADER_BYTES) / (is_xsdt ? 8 : 4);
}

uint64_t acpi_root_entry(const uint8_t *t, size_t index, bool is_xsdt)
{
    return is_xsdt ? le64(t + ACPI_HEADER_BYTES + index * 8) : le32(t + ACPI_HEADER_BYTES + index * 4);
}

/* --- MADT (5.2.12) --- */

static void add_cpu(struct acpi_info *info, uint32_t apic_id, uint32_t flags)
{
    if (!(flags & LAPIC_ENABLED) || info->ncpus >= ACPI_CPUS_MAX)
        return;
    for (unsigned i = 0; i < info->ncpus; i++)
        if (info->cpu_apic_id[i] == apic_id)
            return;
    info->cpu_apic_id[info->ncpus++] = apic_id;
}

static void madt_entry(struct acpi_info *info, const uint8_t *e, size_t bytes)
{
    switch (e[0]) {
    case MADT_LAPIC:
        if (bytes >= 8)
            add_cpu(info, e[3], le32(e + 4));
        break;
    case MADT_X2APIC:
        if (bytes >= 16)
            add_cpu(info, le32(e + 4), le32(e + 8));
        break;
    case MADT_IOAPIC:
        if (bytes >= 12 && info->nioapics < ACPI_IOAPICS_MAX && le32(e + 4) != 0) {
            info->ioapic[info->nioapics].id = e[2];
            info->ioapic[info->nioapics].base = le32(e + 4);
            info->ioapic[info->nioapics].gsi_base = le32(e + 8);
            info->nioapics++;
        }
        break;
    case MADT_OVERRIDE:
        if (bytes >= 10 && e[2] == 0 && e[3] < 16) {
            info->isa_override[e[3]].set = true;
            info->isa_override[e[3]].gsi = le32(e + 4);
            info->isa_override[e[3]].flags = le16(e + 8);
        }
        break;
    case MADT_LAPIC_ADDRESS:
        if (bytes >= 12)
            info->lapic_base = le64(e + 4);
        break;
    default:
        break;
    }
}

bool acpi_parse_madt(struct acpi_info *info, const uint8_t *t, size_t bytes)
{
    if (bytes < MADT_ENTRIES)
        return false;
    info->lapic_base = le32(t + 36);
    info->has_8259 = le32(t + 40) & MADT_PCAT_COMPAT;
    for (size_t at = MADT_ENTRIES; bytes - at >= 2;) {
        size_t length = t[at + 1];

        if (length < 2 || length > bytes - at) /* C-BOUND-6 */
            break; /* the rest cannot be told apart */
        madt_entry(info, t + at, length);
        at += length;
    }
    return true;
}

/* --- HPET, MCFG --- */

bool acpi_parse_hpet(struct acpi_info *info, const uint8_t *t, size_t bytes)
{
    if (bytes < HPET_BYTES || t[40] != ACPI_SPACE_MEMORY)
        return false;
    info->hpet_base = le64(t + 44);
    return info->hpet_base != 0;
}

bool acpi_parse_mcfg(struct acpi_info *info, const uint8_t *t, size_t bytes)
{
    if (bytes < MCFG_ENTRIES)
        return false;
    for (size_t at = MCFG_ENTRIES; bytes - at >= MCFG_ENTRY_BYTES && info->nmcfg < ACPI_MCFG_MAX;
         at += MCFG_ENTRY_BYTES) {
        uint64_t base = le64(t + at);

        if (base == 0 || (base & 0xfffff) != 0 || t[at + 10] > t[at + 11])
            continue;
        info->mcfg[info->nmcfg].base = base;
        info->mcfg[info->nmcfg].segment = le16(t + at + 8);
        info->mcfg[info->nmcfg].bus_first = t[at + 10];
        info->mcfg[info->nmcfg].bus_last = t[at + 11];
        info->nmcfg++;
    }
    return true;
}

/* --- FADT (5.2.9) --- */

/* An extended (64-bit) register address wins over the old field, if it is there
 * and in I/O space: nothing else is of use here. */
static uint32_t port_of(const uint8_t *t, size_t bytes, size_t old, size_t extended)
{
    if (bytes >= extended + 12 && t[extended] == ACPI_SPACE_IO && le64(t + extended + 4) != 0 &&
        le64(t + extended + 4) <= 0xffff)
        return (uint32_t)le64(t + extended + 4);
    return le32(t + old) <= 0xffff ? le32(t + old) : 0;
}

bool acpi_parse_fadt(struct acpi_info *info, const uint8_t *t, size_t bytes, uint64_t *dsdt)
{
    uint32_t flags;

    if (bytes < FADT_V1_BYTES)
        return false;
    *dsdt = le32(t + 40);
    if (bytes >= 148 && le64(t + 140) != 0)
        *dsdt = le64(t + 140);
    flags = le32(t + 112);
    info->sci_irq = le16(t + 46);
    info->smi_command = le32(t + 48) <= 0xffff ? le32(t + 48) : 0;
    info->acpi_enable = t[52];
    info->pm1a_control = port_of(t, bytes, 64, 172);
    info->pm1b_control = port_of(t, bytes, 68, 184);
    info->pm_timer_port = t[91] == 4 ? port_of(t, bytes, 76, 208) : 0;
    info->pm_timer_32bit = flags & FADT_TIMER_32BIT;
    info->boot_arch = le16(t + 109);
    if (bytes >= 129 && (flags & FADT_RESET_SUPPORTED) && le64(t + 120) != 0) {
        info->reset_known = true;
        info->reset_space = t[116];
        info->reset_addr = le64(t + 120);
        info->reset_value = t[128];
    }
    return true;
}

/* --- \_S5 (7.4.2, 20.2) --- */

/* One integer constant of a package. Returns the bytes it takes, 0 for none. */
static size_t aml_integer(const uint8_t *p, size_t bytes, uint32_t *v)
{
    if (bytes >= 1 && (p[0] == AML_ZERO || p[0] == AML_ONE)) {
        *v = p[0];
        return 1;
    }
    if (bytes >= 2 && p[0] == AML_BYTE) {
        *v = p[1];
        return 2;
    }
    if (bytes >= 3 && p[0] == AML_WORD) {
        *v = le16(p + 1);
        return 3;
    }
    if ((bytes >= 5 && p[0] == AML_DWORD) || (bytes >= 9 && p[0] == AML_QWORD)) {
        *v = le32(p + 1); /* a sleep type has three bits; the rest is zero or nonsense */
        return p[0] == AML_DWORD ? 5 : 9;
    }
    return 0;
}

static bool s5_package(struct acpi_info *info, const uint8_t *p, size_t bytes)
{
    uint32_t a = 0, b = 0;
    size_t at, n;

    if (bytes < 3 || p[0] != AML_PACKAGE)
        return false;
    at = 2u + (p[1] >> 6); /* PkgLength is 1 to 4 bytes long */
    if (at >= bytes || p[at] < 1)
        return false;
    at++; /* NumElements */
    n = aml_integer(p + at, bytes - at, &a);
    if (n == 0 || a > 7)
        return false;
    (void)aml_integer(p + at + n, bytes - at - n, &b);
    info->s5_known = true;
    info->s5_a = (uint8_t)a;
    info->s5_b = (uint8_t)(b > 7 ? 0 : b);
    return true;
}

bool acpi_find_s5(struct acpi_info *info, const uint8_t *t, size_t bytes)
{
    for (size_t i = ACPI_HEADER_BYTES + 1; i + 4 < bytes; i++) {
        if (t[i] != '_' || !acpi_is(t + i, "_S5_"))
            continue;
        if (t[i - 1] != AML_NAME && !(t[i - 1] == '\\' && t[i - 2] == AML_NAME))
            continue;
        if (s5_package(info, t + i + 4, bytes - i - 4))
            return true;
    }
    return false;
}
