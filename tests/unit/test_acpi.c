/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_acpi.c: the ACPI table parsers, with tables as firmware makes
 * them, cut short at every length, and with lies in them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <kernel/acpi_tables.h>
#include <stdlib.h>
#include <string.h>

/* A table that is being built. */
static uint8_t table[1024];
static size_t length;

static void begin(const char *signature, size_t bytes)
{
    memset(table, 0, sizeof(table));
    memcpy(table, signature, 4);
    table[8] = 1; /* revision */
    memcpy(table + 10, "TESTER", 6);
    length = bytes;
}

static void put(size_t at, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        table[at + i] = (uint8_t)(v >> (8 * i));
}

static void add(const uint8_t *bytes, size_t n)
{
    memcpy(table + length, bytes, n);
    length += n;
}

static void finish(void)
{
    uint8_t sum = 0;

    put(4, length, 4);
    table[9] = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + table[i]);
    table[9] = (uint8_t)-sum;
}

static void make_madt(void)
{
    static const uint8_t cpu0[] = {0, 8, 0, 0, 1, 0, 0, 0}, cpu1[] = {0, 8, 1, 1, 1, 0, 0, 0},
                         off[] = {0, 8, 2, 2, 0, 0, 0, 0},
                         ioapic[] = {1, 12, 4, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0},
                         timer[] = {2, 10, 0, 0, 2, 0, 0, 0, 0, 0}, sci[] = {2, 10, 0, 9, 9, 0, 0, 0, 13, 0},
                         wild[] = {2, 10, 0, 200, 9, 0, 0, 0, 13, 0},
                         x2apic[] = {9, 16, 0, 0, 0x34, 0x12, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0},
                         nmi[] = {4, 6, 0xff, 0, 0, 1};

    begin("APIC", 44);
    put(36, 0xfee00000, 4);
    put(40, 1, 4);
    add(cpu0, sizeof(cpu0));
    add(cpu1, sizeof(cpu1));
    add(off, sizeof(off));
    add(ioapic, sizeof(ioapic));
    add(timer, sizeof(timer));
    add(sci, sizeof(sci));
    add(wild, sizeof(wild));
    add(x2apic, sizeof(x2apic));
    add(nmi, sizeof(nmi));
    finish();
}

static void make_fadt(void)
{
    begin("FACP", 244);
    put(40, 0x1000, 4);
    put(46, 9, 2);
    put(48, 0xb2, 4);
    table[52] = 2;
    put(64, 0x604, 4);
    put(76, 0x608, 4);
    table[91] = 4;
    put(112, 1u << 10 | 1u << 8, 4);
    table[116] = 1;
    table[117] = 8;
    put(120, 0xcf9, 8);
    table[128] = 0x0f;
    put(140, 0x7fe0000, 8);
    finish();
}

static void test_rsdp(void **state)
{
    uint8_t rsdp[36] = "RSD PTR ";
    struct acpi_root root;

    (void)state;
    rsdp[16] = 0x34;
    rsdp[18] = 0xfe;
    rsdp[8] = (uint8_t) - (0x34 + 0xfe + 'R' * 2 + 'S' + 'D' + 'P' + 'T' + ' ' * 2);
    assert_true(acpi_parse_rsdp(rsdp, 20, &root));
    assert_false(root.is_xsdt);
    assert_int_equal(root.address, 0xfe0034);
    assert_false(acpi_parse_rsdp(rsdp, 19, &root));
    rsdp[3] = 'X';
    assert_false(acpi_parse_rsdp(rsdp, 20, &root));
    rsdp[3] = ' ';

    rsdp[15] = 2;
    rsdp[8] = (uint8_t)(rsdp[8] - 2);
    rsdp[20] = 36;
    rsdp[24] = 0x77;
    assert_true(acpi_parse_rsdp(rsdp, 36, &root)); /* bad long checksum: the old part serves */
    assert_false(root.is_xsdt);
    rsdp[32] = (uint8_t) - (36 + 0x77);
    assert_true(acpi_parse_rsdp(rsdp, 36, &root));
    assert_true(root.is_xsdt);
    assert_int_equal(root.address, 0x77);
    rsdp[8]++;
    assert_false(acpi_parse_rsdp(rsdp, 36, &root));
}

static void test_header(void **state)
{
    (void)state;
    begin("TEST", 40);
    finish();
    assert_int_equal(acpi_header_length(table, 36), 40);
    assert_true(acpi_checksum_ok(table, 40));
    assert_int_equal(acpi_header_length(table, 35), 0);
    put(4, 35, 4);
    assert_int_equal(acpi_header_length(table, 36), 0);
    put(4, 0xffffffff, 4);
    assert_int_equal(acpi_header_length(table, 36), 0);
}

static void test_root_table(void **state)
{
    (void)state;
    begin("XSDT", 36 + 16 + 3);
    put(36, 0x1122334455, 8);
    put(44, 0x66, 8);
    finish();
    assert_int_equal(acpi_root_entries(table, length, true), 2);
    assert_true(acpi_root_entry(table, 0, true) == 0x1122334455ull);
    assert_int_equal(acpi_root_entries(table, length, false), 4);
    assert_int_equal(acpi_root_entry(table, 2, false), 0x66);
    assert_int_equal(acpi_root_entries(table, 35, false), 0);
}

static void test_madt(void **state)
{
    struct acpi_info info = {0};

    (void)state;
    make_madt();
    assert_true(acpi_parse_madt(&info, table, length));
    assert_int_equal(info.lapic_base, 0xfee00000);
    assert_true(info.has_8259);
    assert_int_equal(info.ncpus, 3);
    assert_int_equal(info.cpu_apic_id[1], 1);
    assert_int_equal(info.cpu_apic_id[2], 0x1234);
    assert_int_equal(info.nioapics, 1);
    assert_int_equal(info.ioapic[0].base, 0xfec00000);
    assert_true(info.isa_override[0].set);
    assert_int_equal(info.isa_override[0].gsi, 2);
    assert_int_equal(info.isa_override[9].flags, 13);
    assert_false(info.isa_override[1].set);
}

static void test_madt_is_full(void **state)
{
    static const uint8_t ioapic[] = {1, 12, 4, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0};
    struct acpi_info info = {0};
    uint8_t cpu[] = {0, 8, 0, 0, 1, 0, 0, 0};

    (void)state;
    begin("APIC", 44);
    for (unsigned i = 0; i < ACPI_CPUS_MAX + 10; i++) {
        cpu[3] = (uint8_t)i;
        add(cpu, sizeof(cpu));
    }
    for (unsigned i = 0; i < ACPI_IOAPICS_MAX + 2; i++)
        add(ioapic, sizeof(ioapic));
    finish();
    assert_true(acpi_parse_madt(&info, table, length));
    assert_int_equal(info.ncpus, ACPI_CPUS_MAX);
    assert_int_equal(info.nioapics, ACPI_IOAPICS_MAX);
}

static void test_madt_zero_length_entry(void **state) /* C-BOUND-6 */
{
    static const uint8_t bad[] = {0, 0, 0, 0}, cpu[] = {0, 8, 0, 0, 1, 0, 0, 0};
    struct acpi_info info = {0};

    (void)state;
    begin("APIC", 44);
    add(bad, sizeof(bad));
    add(cpu, sizeof(cpu));
    finish();
    assert_true(acpi_parse_madt(&info, table, length)); /* ends there, does not loop */
    assert_int_equal(info.ncpus, 0);
}

static void test_hpet_mcfg(void **state)
{
    struct acpi_info info = {0};

    (void)state;
    begin("HPET", 56);
    put(44, 0xfed00000, 8);
    finish();
    assert_true(acpi_parse_hpet(&info, table, length));
    assert_int_equal(info.hpet_base, 0xfed00000);
    assert_false(acpi_parse_hpet(&info, table, 55));
    table[40] = 1; /* in I/O space */
    assert_false(acpi_parse_hpet(&info, table, length));

    begin("MCFG", 44 + 3 * 16);
    put(44, 0xb0000000, 8);
    table[44 + 11] = 0xff;
    put(60, 0xb0000001, 8); /* not aligned */
    put(76, 0xc0000000, 8);
    table[76 + 8] = 1;
    table[76 + 10] = 9;
    table[76 + 11] = 3; /* last bus before the first */
    finish();
    assert_true(acpi_parse_mcfg(&info, table, length));
    assert_int_equal(info.nmcfg, 1);
    assert_int_equal(info.mcfg[0].base, 0xb0000000);
    assert_int_equal(info.mcfg[0].bus_last, 0xff);
}

static void test_fadt(void **state)
{
    struct acpi_info info = {0};
    uint64_t dsdt = 0;

    (void)state;
    make_fadt();
    assert_true(acpi_parse_fadt(&info, table, length, &dsdt));
    assert_true(dsdt == 0x7fe0000);
    assert_int_equal(info.pm1a_control, 0x604);
    assert_int_equal(info.pm1b_control, 0);
    assert_int_equal(info.pm_timer_port, 0x608);
    assert_true(info.pm_timer_32bit);
    assert_true(info.reset_known);
    assert_int_equal(info.reset_addr, 0xcf9);
    assert_int_equal(info.sci_irq, 9);

    table[172] = 1; /* extended PM1a block in I/O space */
    put(176, 0xb004, 8);
    assert_true(acpi_parse_fadt(&info, table, length, &dsdt));
    assert_int_equal(info.pm1a_control, 0xb004);
    put(64, 0xfe000000, 4); /* no port can be there */
    table[172] = 0;
    assert_true(acpi_parse_fadt(&info, table, length, &dsdt));
    assert_int_equal(info.pm1a_control, 0);

    memset(&info, 0, sizeof(info));
    assert_true(acpi_parse_fadt(&info, table, 116, &dsdt)); /* ACPI 1.0 */
    assert_int_equal(dsdt, 0x1000);
    assert_false(info.reset_known);
    assert_false(acpi_parse_fadt(&info, table, 115, &dsdt));
}

static void test_s5(void **state)
{
    static const uint8_t bytes_form[] = {0x08, '_',  'S',  '5',  '_',  0x12, 0x08,
                                         0x04, 0x0a, 0x05, 0x0a, 0x06, 0,    0},
                         zeros[] = {0x08, '\\', '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0, 0, 0, 0},
                         reference[] = {0x14, 0x09, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 7},
                         long_form[] = {0x08, '_',  'S',  '5',  '_', 0x12, 0x40,
                                        0x01, 0x02, 0x0b, 0x03, 0,   0x01},
                         wide_form[] = {0x08, '_', 'S', '5', '_', 0x12, 0x11, 0x02, 0x0c, 0x07, 0,
                                        0,    0,   0x0e, 0x02, 0,  0,    0,    0,    0,    0,    0};
    struct acpi_info info = {0};

    (void)state;
    begin("DSDT", 37);
    add(reference, sizeof(reference)); /* a mention that is no definition */
    finish();
    assert_false(acpi_find_s5(&info, table, length));
    add(bytes_form, sizeof(bytes_form));
    finish();
    assert_true(acpi_find_s5(&info, table, length));
    assert_int_equal(info.s5_a, 5);
    assert_int_equal(info.s5_b, 6);

    memset(&info, 0, sizeof(info));
    begin("DSDT", 37);
    add(zeros, sizeof(zeros));
    finish();
    assert_true(acpi_find_s5(&info, table, length));
    assert_int_equal(info.s5_a, 0);

    begin("DSDT", 37);
    add(long_form, sizeof(long_form));
    finish();
    assert_true(acpi_find_s5(&info, table, length));
    assert_int_equal(info.s5_a, 3);
    assert_int_equal(info.s5_b, 1);

    begin("DSDT", 37);
    add(wide_form, sizeof(wide_form));
    finish();
    assert_true(acpi_find_s5(&info, table, length));
    assert_int_equal(info.s5_a, 7);
    assert_int_equal(info.s5_b, 2);

    memset(&info, 0, sizeof(info));
    begin("DSDT", 37);
    add(bytes_form, sizeof(bytes_form));
    table[37 + 9] = 9; /* no such sleep type */
    finish();
    assert_false(acpi_find_s5(&info, table, length));
}

static void parse_all(const uint8_t *t, size_t bytes)
{
    struct acpi_info info = {0};
    struct acpi_root root;
    uint64_t dsdt;

    (void)acpi_parse_rsdp(t, bytes, &root);
    (void)acpi_header_length(t, bytes);
    (void)acpi_parse_madt(&info, t, bytes);
    (void)acpi_parse_hpet(&info, t, bytes);
    (void)acpi_parse_mcfg(&info, t, bytes);
    (void)acpi_parse_fadt(&info, t, bytes, &dsdt);
    (void)acpi_find_s5(&info, t, bytes);
    for (size_t i = 0; i < acpi_root_entries(t, bytes, true); i++)
        (void)acpi_root_entry(t, i, true);
    assert_true(info.ncpus <= ACPI_CPUS_MAX && info.nioapics <= ACPI_IOAPICS_MAX &&
                info.nmcfg <= ACPI_MCFG_MAX);
    assert_true(info.s5_a <= 7 && info.s5_b <= 7);
}

/* Every prefix, in a block of exactly its size: the sanitizer sees each read
 * beyond it. Then the same with bytes flipped. */
static void test_hostile(void **state) /* C-BOUND-6 */
{
    void (*const makers[])(void) = {make_madt, make_fadt};
    uint32_t x = 99;

    (void)state;
    for (unsigned m = 0; m < 2; m++) {
        makers[m]();
        for (size_t n = 0; n <= length; n++) {
            uint8_t *copy = malloc(n != 0 ? n : 1);

            memcpy(copy, table, n);
            parse_all(copy, n);
            for (unsigned round = 0; round < 20 && n > 0; round++) {
                x = x * 1664525u + 1013904223u;
                copy[(x >> 8) % n] = (uint8_t)(x >> 24);
                parse_all(copy, n);
            }
            free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rsdp),         cmocka_unit_test(test_header),
        cmocka_unit_test(test_root_table),   cmocka_unit_test(test_madt),
        cmocka_unit_test(test_madt_is_full), cmocka_unit_test(test_madt_zero_length_entry),
        cmocka_unit_test(test_hpet_mcfg),    cmocka_unit_test(test_fadt),
        cmocka_unit_test(test_s5),           cmocka_unit_test(test_hostile),
    };

    return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
