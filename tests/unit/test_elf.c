/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_elf.c: hostile programs against kernel/elf.c.
 *
 * Every image lies in a heap block of its exact size, so that a read outside of
 * it is caught by the address sanitizer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <kernel/elf.h>
#include <slipway/errno.h>

int ksnprintf(char *buf, size_t n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *buf, size_t n, const char *fmt, va_list ap);

/* kernel/printf.c's name for it. */
int ksnprintf(char *buf, size_t n, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = vsnprintf(buf, n, fmt, ap);
    va_end(ap);
    return r;
}

struct ehdr {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
struct shdr {
    uint32_t name, type;
    uint64_t flags, addr, offset, size;
    uint32_t link, info;
    uint64_t align, entsize;
};
struct sym {
    uint32_t name;
    uint8_t info, other;
    uint16_t shndx;
    uint64_t value, size;
};

/* A small static-pie: headers (R), text (RX), data with bss (RW), and a symbol
 * table with one function. */
struct image {
    struct ehdr h;
    struct phdr p[3];
    uint8_t text[64];
    uint8_t data[32];
    struct shdr s[3];
    struct sym sym[3];
    char names[16];
};

enum { HEAD, TEXT, DATA };
enum { PT_LOAD = 1, PT_INTERP = 3, PF_X = 1, PF_W = 2, PF_R = 4 };

static void build(struct image *im)
{
    memset(im, 0, sizeof *im);
    memcpy(im->h.ident, "\177ELF\2\1\1", 7);
    im->h.type = 3;
    im->h.machine = 62;
    im->h.version = 1;
    im->h.entry = 0x1010;
    im->h.phoff = offsetof(struct image, p);
    im->h.shoff = offsetof(struct image, s);
    im->h.ehsize = sizeof im->h;
    im->h.phentsize = sizeof im->p[0];
    im->h.phnum = 3;
    im->h.shentsize = sizeof im->s[0];
    im->h.shnum = 3;
    im->p[HEAD] = (struct phdr){.type = PT_LOAD, .flags = PF_R, .filesz = offsetof(struct image, text),
                                .memsz = offsetof(struct image, text)};
    im->p[TEXT] = (struct phdr){.type = PT_LOAD, .flags = PF_R | PF_X, .offset = offsetof(struct image, text),
                                .vaddr = 0x1000, .filesz = 64, .memsz = 64};
    im->p[DATA] = (struct phdr){.type = PT_LOAD, .flags = PF_R | PF_W, .offset = offsetof(struct image, data),
                                .vaddr = 0x2000, .filesz = 32, .memsz = 0x3000};
    im->s[1] = (struct shdr){.type = 2, .offset = offsetof(struct image, sym), .size = sizeof im->sym,
                             .link = 2, .entsize = sizeof im->sym[0]};
    im->s[2] = (struct shdr){.type = 3, .offset = offsetof(struct image, names), .size = sizeof im->names};
    im->sym[1] = (struct sym){.name = 1, .info = 2, .shndx = 1, .value = 0x1000, .size = 0x20};
    im->sym[2] = (struct sym){.name = 6, .info = 2, .shndx = 1, .value = 0x1020, .size = 0x10};
    memcpy(im->names, "\0main\0work", 11);
}

static int check_bytes(const void *image, size_t bytes, struct elf_plan *plan, const char **why)
{
    void *exact = malloc(bytes ? bytes : 1);
    char text[64];

    memcpy(exact, image, bytes);
    int r = elf_check(exact, bytes, plan, why);
    elf_symbolise(exact, bytes, 0x1008, text, sizeof text);
    free(exact);
    return r;
}

static void refuse(const struct image *im, const char *part)
{
    struct elf_plan plan;
    const char *why = NULL;

    assert_int_equal(check_bytes(im, sizeof *im, &plan, &why), -ENOEXEC);
    assert_non_null(why);
    if (strstr(why, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why, part);
}

static void accepts_a_good_one(void **state)
{
    struct elf_plan plan;
    struct image im;
    const char *why;

    (void)state;
    build(&im);
    assert_int_equal(check_bytes(&im, sizeof im, &plan, &why), 0);
    assert_true(plan.position_independent);
    assert_int_equal(plan.nsegments, 3);
    assert_int_equal(plan.low, 0);
    assert_int_equal(plan.high, 0x5000);
    assert_int_equal(plan.entry, 0x1010);
    assert_int_equal(plan.phdr_vaddr, sizeof(struct ehdr));
    assert_int_equal(plan.segment[TEXT].prot, ELF_R | ELF_X);
    assert_int_equal(plan.segment[DATA].prot, ELF_R | ELF_W);
    assert_int_equal(plan.segment[DATA].mem_bytes, 0x3000);
}

static void accepts_fixed_addresses_in_user_space_only(void **state)
{
    struct elf_plan plan;
    struct image im;
    const char *why;

    (void)state;
    build(&im);
    im.h.type = 2;
    refuse(&im, "outside user space"); /* the first page */
    for (int i = 0; i < 3; i++)
        im.p[i].vaddr += 0x400000;
    im.h.entry += 0x400000;
    assert_int_equal(check_bytes(&im, sizeof im, &plan, &why), 0);
    assert_false(plan.position_independent);
    assert_int_equal(plan.low, 0x400000);
    im.p[DATA].vaddr = 0xffffffff80000000ull;
    refuse(&im, "outside user space");
    im.p[DATA].vaddr = 0x00007ffffffff000ull;
    refuse(&im, "outside user space");
}

static void refuses_bad_headers(void **state)
{
    struct image im;

    (void)state;
#define WITH(change, words) \
    do {                    \
        build(&im);         \
        change;             \
        refuse(&im, words); \
    } while (0)
    WITH(im.h.ident[0] = 0, "not an ELF64");
    WITH(im.h.ident[4] = 1, "not an ELF64");
    WITH(im.h.ident[5] = 2, "not an ELF64");
    WITH(im.h.machine = 3, "x86-64");
    WITH(im.h.type = 1, "not an executable");
    WITH(im.h.phnum = 0, "count");
    WITH(im.h.phnum = 0xffff, "count");
    WITH(im.h.phentsize = 8, "count or size");
    WITH(im.h.phoff = sizeof im - 10, "outside the file");
    WITH(im.h.phoff = UINT64_MAX - 8, "outside the file");
    WITH(im.h.entry = 0x2000, "entry point");
    WITH(im.h.entry = 0x1040, "entry point");
    WITH(im.p[HEAD].filesz = 8, "program headers are in no segment");
}

static void refuses_bad_segments(void **state) /* C-BOOT-2 */
{
    struct image im;

    (void)state;
    WITH(im.p[TEXT].flags |= PF_W, "writable and executable");
    WITH(im.p[TEXT].flags = 0, "no access");
    WITH(im.p[TEXT].filesz = 65, "exceeds");
    WITH(im.p[TEXT].offset = sizeof im - 63, "outside the file");
    WITH(im.p[TEXT].offset = UINT64_MAX - 16, "outside the file");
    WITH(im.p[TEXT].vaddr = 0x0ff0, "overlap"); /* same page as the headers */
    WITH(im.p[DATA].vaddr = 0x1000, "overlap");
    WITH(im.p[DATA].vaddr = 0x0, "overlap");
    WITH(im.p[DATA].memsz = 0x0000800000000000ull, "outside user space");
    WITH(im.p[DATA].memsz = UINT64_MAX, "outside user space");
    WITH(im.p[DATA].memsz = 0x80000000ull, "too large");
    WITH(im.p[DATA].vaddr = UINT64_MAX - 0xfff, "outside user space");
    WITH(im.p[DATA].type = PT_INTERP, "dynamic loader");
    WITH((im.p[DATA].type = 0x6474e551, im.p[DATA].flags = 7), "executable stack");
    WITH((im.p[HEAD].type = 4, im.p[TEXT].type = 4, im.p[DATA].type = 4), "nothing to load");
    WITH((im.p[HEAD].memsz = 0), "exceeds");
}

static void refuses_every_truncation(void **state) /* C-BOOT-2 */
{
    struct elf_plan plan;
    struct image im;
    const char *why;

    (void)state;
    build(&im);
    for (size_t n = 0; n < offsetof(struct image, s); n++)
        assert_int_equal(check_bytes(&im, n, &plan, &why), -ENOEXEC);
}

static void plan_is_sane(const struct elf_plan *plan, size_t bytes)
{
    assert_in_range(plan->nsegments, 1, ELF_SEGMENTS_MAX);
    assert_true(plan->high - plan->low <= ELF_SPAN_MAX);
    for (unsigned i = 0; i < plan->nsegments; i++) {
        const struct elf_segment *s = &plan->segment[i];
        assert_true(s->file_bytes <= s->mem_bytes);
        assert_true(s->file_off <= bytes && s->file_bytes <= bytes - s->file_off);
        assert_true(s->vaddr >= plan->low && s->vaddr + s->mem_bytes <= plan->high);
        assert_int_not_equal(s->prot & (ELF_W | ELF_X), ELF_W | ELF_X);
    }
}

static void survives_random_damage(void **state)
{
    uint64_t seed = 0x243f6a8885a308d3ull;
    unsigned good = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct elf_plan plan;
        struct image im;
        const char *why;
        build(&im);
        for (int n = 0; n < 1 + round % 4; n++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            size_t at = (size_t)(seed >> 33) % sizeof im;
            ((uint8_t *)&im)[at] = (uint8_t)(seed >> 16);
        }
        if (check_bytes(&im, sizeof im, &plan, &why) == 0) {
            plan_is_sane(&plan, sizeof im);
            good++;
        }
    }
    assert_true(good > 0);
}

static void names_functions(void **state)
{
    struct image im;
    char text[64];

    (void)state;
    build(&im);
    assert_true(elf_symbolise(&im, sizeof im, 0x1004, text, sizeof text));
    assert_string_equal(text, "main+0x4");
    assert_true(elf_symbolise(&im, sizeof im, 0x102f, text, sizeof text));
    assert_string_equal(text, "work+0xf");
    assert_false(elf_symbolise(&im, sizeof im, 0x1030, text, sizeof text));
    im.sym[1].name = 15; /* a name that the table does not end */
    memset(im.names, 'x', sizeof im.names);
    assert_true(elf_symbolise(&im, sizeof im, 0x1004, text, sizeof text));
    assert_string_equal(text, "x+0x4");
    im.s[1].link = 9;
    assert_false(elf_symbolise(&im, sizeof im, 0x1004, text, sizeof text));
    build(&im);
    im.s[1].size = UINT64_MAX;
    assert_false(elf_symbolise(&im, sizeof im, 0x1004, text, sizeof text));
    im.h.shnum = 0;
    assert_false(elf_symbolise(&im, sizeof im, 0x1004, text, sizeof text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_a_good_one),
        cmocka_unit_test(accepts_fixed_addresses_in_user_space_only),
        cmocka_unit_test(refuses_bad_headers),
        cmocka_unit_test(refuses_bad_segments),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(survives_random_damage),
        cmocka_unit_test(names_functions),
    };
    return cmocka_run_group_tests_name("elf", tests, NULL, NULL);
}
