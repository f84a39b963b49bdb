/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_boot_info.c: what the boot loader hands over, good and forged.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <boot/multiboot2.h>
#include <kernel/boot_info.h>
#include <stdlib.h>
#include <string.h>

static struct boot_info bi;
static const char *why;
static uint8_t info[8192];
static size_t used;

static void begin(void)
{
    memset(info, 0, sizeof info);
    used = 8;
}

static void tag(uint32_t type, const void *body, size_t n)
{
    uint32_t head[2] = {type, (uint32_t)(8 + n)};
    memcpy(info + used, head, 8);
    memcpy(info + used + 8, body, n);
    used = (used + 8 + n + 7) & ~(size_t)7;
}

static void finish(void)
{
    tag(0, "", 0);
    memcpy(info, &(uint32_t){(uint32_t)used}, 4);
}

/* An exact heap copy, so that ASan sees every read past the end. */
static int parse_copy(size_t n)
{
    uint8_t *p = malloc(n ? n : 1);
    memcpy(p, info, n);
    int r = boot_info_parse(&bi, p, n, &why);
    free(p);
    return r;
}

struct map_entry {
    uint64_t base, bytes;
    uint32_t type, zero;
};

static void memory(const struct map_entry *e, size_t n)
{
    uint8_t body[4096];
    uint32_t head[2] = {24, 0};
    memcpy(body, head, 8);
    memcpy(body + 8, e, n * sizeof *e);
    tag(MB2_TAG_MEMORY, body, 8 + n * sizeof *e);
}

static const struct map_entry pc_map[] = {
    {0, 0x9fc00, 1, 0},          {0x9fc00, 0x400, 2, 0},     {0xf0000, 0x10000, 2, 0},
    {0x100000, 0x3ee0000, 1, 0}, {0x3fe0000, 0x20000, 2, 0},
};

static void module(uint32_t start, uint32_t end)
{
    uint8_t body[16] = {0};
    memcpy(body, &start, 4);
    memcpy(body + 4, &end, 4);
    memcpy(body + 8, "initrd", 7);
    tag(MB2_TAG_MODULE, body, sizeof body);
}

static void good(void)
{
    static uint8_t rsdp[36] = "RSD PTR ";
    begin();
    tag(MB2_TAG_CMDLINE, "log=debug", 10);
    tag(MB2_TAG_LOADER, "GRUB 2", 7);
    module(0x200000, 0x300000);
    memory(pc_map, 5);
    tag(MB2_TAG_RSDP_OLD, rsdp, 20);
    tag(MB2_TAG_RSDP_NEW, rsdp, 36);
    tag(77, "what is this", 12);
    finish();
}

static void test_good(void **state)
{
    (void)state;
    good();
    assert_int_equal(parse_copy(used), 0);
    assert_int_equal(bi.magic, BOOT_INFO_MAGIC);
    assert_int_equal(bi.size, sizeof bi);
    assert_string_equal(bi.cmdline, "log=debug");
    assert_string_equal(bi.loader, "GRUB 2");
    assert_int_equal(bi.initrd_base, 0x200000);
    assert_int_equal(bi.initrd_bytes, 0x100000);
    assert_int_equal(bi.nregions, 5);
    assert_int_equal(bi.rsdp_version, 2);
    assert_false(bi.efi);
    assert_int_equal(bi.fb_type, 0);
}

static void test_every_truncation_is_refused(void **state) /* C-BOOT-1 */
{
    (void)state;
    good();
    size_t whole = used;
    for (size_t n = 0; n < whole; n++) {
        assert_true(parse_copy(n) < 0); /* total size beyond what is there */
        assert_true(why[0] != 0);
        assert_int_equal(bi.magic, 0);
        if (n >= 8) { /* a header that admits to it: no end tag */
            memcpy(info, &(uint32_t){(uint32_t)n}, 4);
            assert_true(parse_copy(n) < 0);
            memcpy(info, &(uint32_t){(uint32_t)whole}, 4);
        }
    }
}

static void expect(const char *part)
{
    finish();
    assert_true(parse_copy(used) < 0);
    if (strstr(why, part) == NULL)
        print_message("got: %s\n", why);
    assert_non_null(strstr(why, part));
}

static void test_faults_are_named(void **state) /* C-BOOT-1 */
{
    (void)state;
    begin();
    expect("memory map tag (6): missing");
    begin();
    memory(pc_map, 0);
    expect("memory map tag (6): empty");
    begin();
    memory(pc_map, 5);
    memory(pc_map, 5);
    expect("memory map tag (6): given twice");
    begin();
    tag(MB2_TAG_MEMORY, "\x10\0\0\0\0\0\0\0", 8); /* entries of 16 bytes */
    expect("memory map tag (6): impossible entry size");
    begin();
    tag(MB2_TAG_MEMORY, "\x18\0\0\0\0\0\0\0half an entry", 21);
    expect("memory map tag (6): a part of an entry");
    begin();
    tag(MB2_TAG_MEMORY, "abc", 3);
    expect("memory map tag (6): too short");
    begin();
    memory((struct map_entry[]){{UINT64_MAX - 5, 100, 1, 0}}, 1);
    expect("memory map tag (6): a region beyond");
    begin();
    memory(pc_map, 5);
    tag(MB2_TAG_CMDLINE, "no end", 6);
    expect("command line tag (1): no end");
    begin();
    char longest[1100];
    memset(longest, 'x', sizeof longest);
    longest[1099] = 0;
    memory(pc_map, 5);
    tag(MB2_TAG_CMDLINE, longest, sizeof longest);
    expect("command line tag (1)");
    begin();
    memory(pc_map, 5);
    tag(MB2_TAG_CMDLINE, "", 1);
    tag(MB2_TAG_CMDLINE, "", 1);
    expect("command line tag (1): given twice");
    begin();
    memory(pc_map, 5);
    module(0x300000, 0x200000);
    expect("module tag (3): it ends before it starts");
    begin();
    memory(pc_map, 5);
    module(0x3fd0000, 0x3ff0000); /* reaches into reserved memory */
    expect("module tag (3): the module lies outside");
    begin();
    memory(pc_map, 5);
    module(0x200000, 0x210000);
    module(0x300000, 0x310000);
    expect("module tag (3): more than one");
    begin();
    memory(pc_map, 5);
    tag(MB2_TAG_MODULE, "\0\0\0\0", 4);
    expect("module tag (3): too short");
    begin();
    memory(pc_map, 5);
    tag(MB2_TAG_RSDP_OLD, "RSD PTR ", 8);
    expect("ACPI tag (14): too short");
    begin();
    memory(pc_map, 5);
    tag(MB2_TAG_RSDP_NEW, "RSD PTR ", 8);
    expect("ACPI tag (15): too short");
    begin();
    memory(pc_map, 5);
    tag(MB2_TAG_FRAMEBUFFER, "1234", 4);
    expect("framebuffer tag (8): too short");
    begin();
    memory(pc_map, 5);
    tag(MB2_TAG_EFI_BOOT_SERVICES, "", 0);
    expect("boot services tag (18)");
}

static void framebuffer(uint32_t width, uint32_t height, uint32_t pitch, uint8_t kind)
{
    uint8_t body[30] = {0};
    memcpy(body, &(uint64_t){0xe0000000}, 8);
    memcpy(body + 8, &pitch, 4);
    memcpy(body + 12, &width, 4);
    memcpy(body + 16, &height, 4);
    body[20] = 32;
    body[21] = kind;
    body[24] = 16;
    body[26] = 8;
    begin();
    memory(pc_map, 5);
    tag(MB2_TAG_FRAMEBUFFER, body, sizeof body);
}

static void test_framebuffer(void **state)
{
    (void)state;
    framebuffer(1024, 768, 4096, 1);
    finish();
    assert_int_equal(parse_copy(used), 0);
    assert_int_equal(bi.fb_type, 1);
    assert_int_equal(bi.fb_width, 1024);
    assert_int_equal(bi.fb_red_pos, 16);
    assert_int_equal(bi.fb_green_pos, 8);
    framebuffer(1024, 768, 100, 1); /* rows shorter than their pixels */
    expect("framebuffer tag (8): impossible geometry");
    framebuffer(0, 768, 4096, 1);
    expect("framebuffer tag (8): impossible geometry");
    framebuffer(80, 25, 0xffffffff, 0); /* indexed colour is not used */
    finish();
    assert_int_equal(parse_copy(used), 0);
    assert_int_equal(bi.fb_type, 0);
}

static uint32_t type_at(uint64_t addr)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < bi.nregions; i++)
        if (addr >= bi.region[i].base && addr - bi.region[i].base < bi.region[i].bytes) {
            assert_int_equal(found, 0); /* never two */
            found = bi.region[i].type;
        }
    return found;
}

static void test_overlaps_resolve_to_the_stricter(void **state)
{
    static const struct map_entry map[] = {
        {0x200000, 0x100000, 1, 0}, {0x280000, 0x100000, 2, 0}, {0x100000, 0x100000, 1, 0},
        {0x210000, 0x1000, 3, 0},   {0x400000, 0x1000, 99, 0},  {0x210000, 0x800, 5, 0},
    };
    (void)state;
    begin();
    memory(map, 6);
    finish();
    assert_int_equal(parse_copy(used), 0);
    assert_int_equal(type_at(0x100000), REGION_FREE);
    assert_int_equal(type_at(0x27ffff), REGION_FREE);
    assert_int_equal(type_at(0x280000), REGION_RESERVED);
    assert_int_equal(type_at(0x37ffff), REGION_RESERVED);
    assert_int_equal(type_at(0x380000), 0);
    assert_int_equal(type_at(0x210000), REGION_BAD);
    assert_int_equal(type_at(0x210800), REGION_ACPI);
    assert_int_equal(type_at(0x400000), REGION_RESERVED); /* unknown type */
    for (uint32_t i = 1; i < bi.nregions; i++)
        assert_true(bi.region[i - 1].base + bi.region[i - 1].bytes <= bi.region[i].base);
}

static void test_too_many_regions(void **state)
{
    struct map_entry map[129];
    (void)state;
    for (unsigned i = 0; i < 129; i++)
        map[i] = (struct map_entry){i * 0x2000ull, 0x1000, 1, 0};
    begin();
    memory(map, 128);
    finish();
    assert_int_equal(parse_copy(used), 0);
    assert_int_equal(bi.nregions, 128);
    begin();
    memory(map, 129);
    expect("more than 128");
    map[0] = (struct map_entry){0, 0x200000, 1, 0};
    for (unsigned i = 1; i < 128; i++)
        map[i].type = 2;
    begin();
    memory(map, 128); /* flattened: twice as many */
    expect("more than 128");
}

/* Bits flipped all over: no crash, and what is accepted is consistent. */
static void test_noise(void **state)
{
    uint32_t x = 1;
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        good();
        for (unsigned k = 0; k < 1 + round % 4; k++) {
            x = x * 1664525u + 1013904223u;
            info[(x >> 8) % used] ^= (uint8_t)(1u << (x >> 29));
        }
        if (parse_copy(used) == 0) {
            assert_int_equal(bi.magic, BOOT_INFO_MAGIC);
            assert_true(bi.nregions > 0 && bi.nregions <= BOOT_REGIONS_MAX);
            assert_non_null(memchr(bi.cmdline, 0, sizeof bi.cmdline));
        } else {
            assert_true(why[0] != 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_faults_are_named),
        cmocka_unit_test(test_framebuffer),
        cmocka_unit_test(test_overlaps_resolve_to_the_stricter),
        cmocka_unit_test(test_too_many_regions),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
