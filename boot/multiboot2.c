/* SPDX-License-Identifier: MIT
 *
 * boot/multiboot2.c: the loader's tags, checked and copied into struct boot_info.
 *
 * Owns: the trust boundary to the loader. A tag that is too short, too long,
 * given twice or contradicts itself is refused by name; nothing is guessed.
 * Called once by kmain, and by host tests and the fuzzer with forged input.
 * Pure: reads only [base, base + max_bytes), writes only *bi.
 */
#include <boot/multiboot2.h>
#include <kernel/boot_info.h>
#include <slipway/errno.h>

struct parse {
    struct boot_info *bi;
    const char **why;
    uint32_t seen; /* bit per tag type below 32 that may come only once */
};

static int refuse(struct parse *p, const char *why)
{
    *p->why = why;
    return -EINVAL;
}

static void copy_bytes(void *dst, const uint8_t *src, size_t n)
{
    uint8_t *d = dst;
    for (size_t i = 0; i < n; i++)
        d[i] = src[i];
}

/* Copies a tag's string; false when it has no NUL or does not fit. */
static bool copy_text(char *dst, size_t room, const uint8_t *src, size_t bytes)
{
    size_t n = 0;
    while (n < bytes && src[n] != 0)
        n++;
    if (n == bytes || n >= room)
        return false;
    copy_bytes(dst, src, n + 1);
    return true;
}

/* Where several entries cover a page, the one that forbids most wins. */
static unsigned region_weight(uint32_t type)
{
    switch (type) {
    case REGION_FREE:
        return 1;
    case REGION_ACPI:
        return 2;
    case REGION_NVS:
        return 3;
    case REGION_RESERVED:
        return 4;
    default:
        return 5;
    }
}

static int emit_region(struct parse *p, uint64_t from, uint64_t to, uint32_t type)
{
    struct boot_info *bi = p->bi;
    if (bi->nregions > 0) {
        struct boot_region *last = &bi->region[bi->nregions - 1];
        if (last->type == type && last->base + last->bytes == from) {
            last->bytes += to - from;
            return 0;
        }
    }
    if (bi->nregions == BOOT_REGIONS_MAX)
        return refuse(p, "memory map tag (6): more than 128 regions");
    bi->region[bi->nregions++] = (struct boot_region){from, to - from, type, 0};
    return 0;
}

/* Sorted edges of all entries, then one region per stretch between two edges. */
static int flatten_map(struct parse *p, const struct boot_region *in, unsigned n)
{
    uint64_t edge[2 * BOOT_REGIONS_MAX];
    unsigned nedges = 0;

    for (unsigned i = 0; i < 2 * n; i++) {
        uint64_t v = in[i / 2].base + (i % 2 ? in[i / 2].bytes : 0);
        unsigned at = nedges;
        while (at > 0 && edge[at - 1] > v)
            at--;
        if (at > 0 && edge[at - 1] == v)
            continue;
        for (unsigned k = nedges; k > at; k--)
            edge[k] = edge[k - 1];
        edge[at] = v;
        nedges++;
    }
    p->bi->nregions = 0;
    for (unsigned e = 0; e + 1 < nedges; e++) {
        uint32_t type = 0;
        for (unsigned i = 0; i < n; i++)
            if (in[i].base <= edge[e] && in[i].base + in[i].bytes > edge[e] &&
                (type == 0 || region_weight(in[i].type) > region_weight(type)))
                type = in[i].type;
        if (type != 0 && emit_region(p, edge[e], edge[e + 1], type) != 0)
            return -EINVAL;
    }
    return 0;
}

static int parse_memory(struct parse *p, const uint8_t *tag, uint32_t bytes)
{
    struct mb2_memory m;
    struct boot_region in[BOOT_REGIONS_MAX];
    unsigned n = 0;

    if (bytes < sizeof m)
        return refuse(p, "memory map tag (6): too short");
    copy_bytes(&m, tag, sizeof m);
    if (m.entry_bytes < sizeof(struct mb2_memory_entry) || m.entry_bytes % 8 != 0)
        return refuse(p, "memory map tag (6): impossible entry size");
    if ((bytes - sizeof m) % m.entry_bytes != 0)
        return refuse(p, "memory map tag (6): a part of an entry at its end");
    for (uint32_t at = sizeof m; at < bytes; at += m.entry_bytes) {
        struct mb2_memory_entry e;
        copy_bytes(&e, tag + at, sizeof e);
        if (e.bytes == 0)
            continue;
        if (e.base + e.bytes < e.base)
            return refuse(p, "memory map tag (6): a region beyond the end of the address space");
        if (n == BOOT_REGIONS_MAX)
            return refuse(p, "memory map tag (6): more than 128 entries");
        if (e.type < REGION_FREE || e.type > REGION_BAD)
            e.type = REGION_RESERVED; /* ACPI 15.3: unknown types are reserved */
        in[n++] = (struct boot_region){e.base, e.bytes, e.type, 0};
    }
    if (n == 0)
        return refuse(p, "memory map tag (6): empty");
    return flatten_map(p, in, n);
}

static int parse_module(struct parse *p, const uint8_t *tag, uint32_t bytes)
{
    struct mb2_module m;

    if (bytes < sizeof m + 1)
        return refuse(p, "module tag (3): too short");
    copy_bytes(&m, tag, sizeof m);
    if (m.end < m.start)
        return refuse(p, "module tag (3): it ends before it starts");
    if (p->bi->initrd_bytes != 0)
        return refuse(p, "module tag (3): more than one module; one initrd is enough");
    p->bi->initrd_base = m.start;
    p->bi->initrd_bytes = m.end - m.start;
    return 0;
}

static int parse_framebuffer(struct parse *p, const uint8_t *tag, uint32_t bytes)
{
    struct mb2_framebuffer f = {0};
    const uint32_t common = 31; /* up to and with `kind` and the reserved byte */

    if (bytes < common)
        return refuse(p, "framebuffer tag (8): too short");
    copy_bytes(&f, tag, bytes < 38 ? bytes : 38);
    if (f.kind == 1 && bytes < 38)
        return refuse(p, "framebuffer tag (8): colour fields are missing");
    if (f.kind == 0 || f.kind > 2) /* indexed colour: no use for it */
        return 0;
    if (f.width == 0 || f.height == 0 || f.width > 32768 || f.height > 32768 ||
        f.pitch < (uint64_t)f.width * ((f.bpp + 7u) / 8u) || f.base + (uint64_t)f.pitch * f.height < f.base)
        return refuse(p, "framebuffer tag (8): impossible geometry");
    p->bi->fb_base = f.base;
    p->bi->fb_width = f.width;
    p->bi->fb_height = f.height;
    p->bi->fb_pitch = f.pitch;
    p->bi->fb_bpp = f.bpp;
    p->bi->fb_type = f.kind;
    p->bi->fb_red_pos = f.red_pos;
    p->bi->fb_green_pos = f.green_pos;
    p->bi->fb_blue_pos = f.blue_pos;
    p->bi->fb_red_bits = f.red_bits;
    p->bi->fb_green_bits = f.green_bits;
    p->bi->fb_blue_bits = f.blue_bits;
    return 0;
}

static int parse_rsdp(struct parse *p, const uint8_t *table, uint32_t bytes, bool new_one)
{
    const uint32_t need = new_one ? 36 : 20;

    if (bytes < need)
        return refuse(p, new_one ? "ACPI tag (15): too short" : "ACPI tag (14): too short");
    if (p->bi->rsdp_version == 2)
        return 0; /* the newer one says more */
    copy_bytes(p->bi->rsdp, table, need);
    p->bi->rsdp_version = new_one ? 2 : 1;
    return 0;
}

static int parse_tag(struct parse *p, const uint8_t *tag, const struct mb2_tag *t)
{
    const uint8_t *body = tag + sizeof *t;
    uint32_t body_bytes = t->bytes - (uint32_t)sizeof *t;

    if (t->type < 32 && t->type != MB2_TAG_MODULE) {
        if (p->seen & (1u << t->type))
            return refuse(p, t->type == MB2_TAG_MEMORY    ? "memory map tag (6): given twice"
                             : t->type == MB2_TAG_CMDLINE ? "command line tag (1): given twice"
                                                          : "a tag that may come once is given twice");
        p->seen |= 1u << t->type;
    }
    switch (t->type) {
    case MB2_TAG_CMDLINE:
        if (!copy_text(p->bi->cmdline, sizeof p->bi->cmdline, body, body_bytes))
            return refuse(p, "command line tag (1): no end, or longer than 1023 bytes");
        return 0;
    case MB2_TAG_LOADER:
        if (!copy_text(p->bi->loader, sizeof p->bi->loader, body, body_bytes))
            return refuse(p, "boot loader name tag (2): no end, or longer than 63 bytes");
        return 0;
    case MB2_TAG_MODULE:
        return parse_module(p, tag, t->bytes);
    case MB2_TAG_MEMORY:
        return parse_memory(p, tag, t->bytes);
    case MB2_TAG_FRAMEBUFFER:
        return parse_framebuffer(p, tag, t->bytes);
    case MB2_TAG_RSDP_OLD:
        return parse_rsdp(p, body, body_bytes, false);
    case MB2_TAG_RSDP_NEW:
        return parse_rsdp(p, body, body_bytes, true);
    case MB2_TAG_EFI32:
    case MB2_TAG_EFI64:
    case MB2_TAG_EFI_MEMORY:
        p->bi->efi = true;
        return 0;
    case MB2_TAG_EFI_BOOT_SERVICES:
        return refuse(p, "EFI boot services tag (18): the loader must leave boot services first");
    default:
        return 0;
    }
}

/* The initrd must lie in RAM that the map calls free, whole. */
static int check_initrd(struct parse *p)
{
    const struct boot_info *bi = p->bi;

    if (bi->initrd_bytes == 0)
        return 0;
    for (uint32_t i = 0; i < bi->nregions; i++) {
        const struct boot_region *r = &bi->region[i];
        if (r->type == REGION_FREE && r->base <= bi->initrd_base &&
            r->base + r->bytes >= bi->initrd_base + bi->initrd_bytes)
            return 0;
    }
    return refuse(p, "module tag (3): the module lies outside of free memory");
}

int boot_info_parse(struct boot_info *bi, const void *base, size_t max_bytes, const char **why)
{
    static const struct boot_info empty;
    const uint8_t *from = base;
    struct parse p = {.bi = bi, .why = why};
    struct mb2_info head;

    *why = "";
    *bi = empty;
    if (max_bytes < sizeof head)
        return refuse(&p, "boot information: too short for its header");
    copy_bytes(&head, from, sizeof head);
    if (head.total_bytes < sizeof head + sizeof(struct mb2_tag) || head.total_bytes > max_bytes ||
        head.total_bytes > 1u << 24)
        return refuse(&p, "boot information: impossible total size");

    for (uint32_t at = sizeof head;;) {
        struct mb2_tag t;
        if (head.total_bytes - at < sizeof t)
            return refuse(&p, "boot information: ends without an end tag (0)"); /* C-BOOT-1 */
        copy_bytes(&t, from + at, sizeof t);
        if (t.bytes < sizeof t || t.bytes > head.total_bytes - at)
            return refuse(&p, t.type == MB2_TAG_END       ? "end tag (0): impossible size"
                              : t.type == MB2_TAG_CMDLINE ? "command line tag (1): impossible size"
                              : t.type == MB2_TAG_MODULE  ? "module tag (3): impossible size"
                              : t.type == MB2_TAG_MEMORY  ? "memory map tag (6): impossible size"
                                                          : "a tag's size runs past the boot information");
        if (t.type == MB2_TAG_END)
            break;
        if (parse_tag(&p, from + at, &t) != 0)
            return -EINVAL;
        /* Tags start at multiples of 8 (section 3.6.2). */
        uint32_t step = (t.bytes + 7u) & ~7u;
        if (step > head.total_bytes - at)
            step = head.total_bytes - at;
        at += step;
    }
    if (bi->nregions == 0)
        return refuse(&p, "memory map tag (6): missing");
    if (check_initrd(&p) != 0)
        return -EINVAL;
    bi->magic = BOOT_INFO_MAGIC;
    bi->version = BOOT_INFO_VERSION;
    bi->size = sizeof *bi;
    return 0;
}
