/* SPDX-License-Identifier: MIT
 *
 * kernel/elf.c: check an ELF64 program before a byte of it is used.
 *
 * Pure code; the host tests build it as it is. Called by: spawn, crash reports.
 * References: System V ABI (gABI) chapters 4 and 5, AMD64 psABI.
 */
#include <kernel/elf.h>
#include <kernel/log.h>
#include <kernel/string.h>
#include <slipway/errno.h>

#define PAGE 4096ull
#define USER_LOW 0x10000ull
#define USER_HIGH 0x00007ffffffff000ull

#define ET_EXEC 2
#define ET_DYN 3
#define EM_X86_64 62
#define PT_LOAD 1
#define PT_INTERP 3
#define PT_GNU_STACK 0x6474e551u
#define PF_X 1u
#define PF_W 2u
#define PF_R 4u
#define SHT_SYMTAB 2
#define STT_FUNC 2
#define PHDRS_MAX 32
#define SECTIONS_MAX 256
#define SYMBOLS_MAX 32768 /* looked at: a few milliseconds */
#define SYMBOL_NAME_MAX 64

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

_Static_assert(sizeof(struct ehdr) == 64, "Elf64_Ehdr");
_Static_assert(sizeof(struct phdr) == 56, "Elf64_Phdr");
_Static_assert(sizeof(struct shdr) == 64, "Elf64_Shdr");
_Static_assert(sizeof(struct sym) == 24, "Elf64_Sym");

static bool inside(uint64_t off, uint64_t len, uint64_t bytes)
{
    return off <= bytes && len <= bytes - off;
}

/* The image may lie at any alignment: headers are copied out before use. */
static void fetch(void *to, const void *image, uint64_t off, size_t n)
{
    memcpy(to, (const uint8_t *)image + off, n);
}

static const char *check_header(const struct ehdr *h, size_t bytes)
{
    static const uint8_t magic[7] = {0x7f, 'E', 'L', 'F', 2, 1, 1}; /* 64-bit, little-endian, version 1 */

    if (memcmp(h->ident, magic, sizeof magic) != 0)
        return "not an ELF64 little-endian file";
    if (h->machine != EM_X86_64)
        return "not for x86-64";
    if (h->type != ET_EXEC && h->type != ET_DYN)
        return "not an executable";
    if (h->phentsize != sizeof(struct phdr) || h->phnum == 0 || h->phnum > PHDRS_MAX)
        return "bad program header count or size";
    if (!inside(h->phoff, (uint64_t)h->phnum * sizeof(struct phdr), bytes))
        return "program headers lie outside the file";
    return NULL;
}

static const char *add_segment(struct elf_plan *plan, const struct phdr *p, size_t bytes)
{
    struct elf_segment *s;
    uint64_t low = plan->position_independent ? 0 : USER_LOW;

    if (p->memsz == 0)
        return p->filesz == 0 ? NULL : "a segment's file size exceeds its memory size";
    if (plan->nsegments == ELF_SEGMENTS_MAX)
        return "too many segments";
    if (p->filesz > p->memsz)
        return "a segment's file size exceeds its memory size";
    if (!inside(p->offset, p->filesz, bytes))
        return "a segment lies outside the file";
    if (p->vaddr < low || p->vaddr > USER_HIGH || p->memsz > USER_HIGH - p->vaddr)
        return "a segment lies outside user space"; /* C-BOOT-2 */
    if ((p->flags & PF_W) && (p->flags & PF_X)) /* C-MEM-2 */
        return "a segment is writable and executable";
    if (!(p->flags & (PF_R | PF_W | PF_X)))
        return "a segment has no access right";
    if (plan->nsegments > 0) {
        const struct elf_segment *last = &plan->segment[plan->nsegments - 1];
        uint64_t end = (last->vaddr + last->mem_bytes + PAGE - 1) & ~(PAGE - 1);
        if (p->vaddr < last->vaddr || (p->vaddr & ~(PAGE - 1)) < end)
            return "segments overlap, share a page or are out of order";
    }
    s = &plan->segment[plan->nsegments++];
    s->vaddr = p->vaddr;
    s->mem_bytes = p->memsz;
    s->file_off = p->offset;
    s->file_bytes = p->filesz;
    s->prot = (p->flags & PF_R ? ELF_R : 0) | (p->flags & PF_W ? ELF_W : 0) | (p->flags & PF_X ? ELF_X : 0);
    return NULL;
}

static const char *check_plan(struct elf_plan *plan, const struct ehdr *h)
{
    const struct elf_segment *last;
    uint64_t phdr_bytes = (uint64_t)h->phnum * sizeof(struct phdr);
    bool entry_ok = false, phdr_ok = false;

    if (plan->nsegments == 0)
        return "nothing to load";
    last = &plan->segment[plan->nsegments - 1];
    plan->low = plan->segment[0].vaddr & ~(PAGE - 1);
    plan->high = (last->vaddr + last->mem_bytes + PAGE - 1) & ~(PAGE - 1);
    if (plan->high - plan->low > ELF_SPAN_MAX)
        return "the image is too large";
    for (unsigned i = 0; i < plan->nsegments; i++) {
        const struct elf_segment *s = &plan->segment[i];
        if ((s->prot & ELF_X) && h->entry >= s->vaddr && h->entry - s->vaddr < s->mem_bytes)
            entry_ok = true;
        if (h->phoff >= s->file_off && h->phoff - s->file_off <= s->file_bytes &&
            phdr_bytes <= s->file_bytes - (h->phoff - s->file_off)) {
            plan->phdr_vaddr = s->vaddr + (h->phoff - s->file_off);
            phdr_ok = true;
        }
    }
    if (!entry_ok)
        return "the entry point is in no executable segment";
    if (!phdr_ok)
        return "the program headers are in no segment";
    return NULL;
}

static const char *check_all(const void *image, size_t bytes, struct elf_plan *plan)
{
    const char *why;
    struct ehdr h;

    if (bytes < sizeof h)
        return "too short for an ELF header";
    fetch(&h, image, 0, sizeof h);
    why = check_header(&h, bytes);
    if (why != NULL)
        return why;
    plan->position_independent = h.type == ET_DYN;
    plan->entry = h.entry;
    plan->phnum = h.phnum;
    for (unsigned i = 0; i < h.phnum; i++) {
        struct phdr p;
        fetch(&p, image, h.phoff + i * sizeof p, sizeof p);
        if (p.type == PT_INTERP)
            return "needs a dynamic loader (link it -static-pie)";
        if (p.type == PT_GNU_STACK && (p.flags & PF_X))
            return "wants an executable stack";
        if (p.type == PT_LOAD && (why = add_segment(plan, &p, bytes)) != NULL)
            return why;
    }
    return check_plan(plan, &h);
}

int elf_check(const void *image, size_t bytes, struct elf_plan *plan, const char **why)
{
    memset(plan, 0, sizeof *plan);
    *why = check_all(image, bytes, plan);
    return *why == NULL ? 0 : -ENOEXEC;
}

/* --- symbols, for crash reports --- */

static bool find_symtab(const void *image, size_t bytes, struct shdr *symtab, struct shdr *strtab)
{
    struct ehdr h;
    bool found = false;

    if (bytes < sizeof h)
        return false;
    fetch(&h, image, 0, sizeof h);
    if (h.shentsize != sizeof(struct shdr) || h.shnum == 0 || h.shnum > SECTIONS_MAX ||
        !inside(h.shoff, (uint64_t)h.shnum * sizeof(struct shdr), bytes))
        return false;
    for (unsigned i = 0; i < h.shnum && !found; i++) {
        fetch(symtab, image, h.shoff + i * sizeof *symtab, sizeof *symtab);
        found = symtab->type == SHT_SYMTAB && symtab->entsize == sizeof(struct sym) &&
                symtab->link < h.shnum && inside(symtab->offset, symtab->size, bytes);
    }
    if (!found)
        return false;
    fetch(strtab, image, h.shoff + symtab->link * sizeof *strtab, sizeof *strtab);
    return inside(strtab->offset, strtab->size, bytes);
}

bool elf_symbolise(const void *image, size_t bytes, uint64_t vaddr, char *buf, size_t room)
{
    struct shdr symtab, strtab;
    struct sym s, best = {.size = 0};
    char name[SYMBOL_NAME_MAX];
    uint64_t count;
    size_t n = 0;

    if (!find_symtab(image, bytes, &symtab, &strtab))
        return false;
    count = symtab.size / sizeof s;
    for (uint64_t i = 0; i < count && i < SYMBOLS_MAX; i++) {
        fetch(&s, image, symtab.offset + i * sizeof s, sizeof s);
        if ((s.info & 15) != STT_FUNC || s.shndx == 0 || vaddr < s.value || s.name >= strtab.size)
            continue;
        if (vaddr - s.value < s.size || (s.size == 0 && best.size == 0 && s.value >= best.value)) {
            best = s;
            if (s.size != 0)
                break;
        }
    }
    if (best.name == 0)
        return false;
    while (n < sizeof name - 1 && best.name + n < strtab.size) {
        char c = ((const char *)image)[strtab.offset + best.name + n];
        if (c == 0)
            break;
        name[n++] = c >= ' ' && c <= '~' ? c : '?';
    }
    name[n] = 0;
    ksnprintf(buf, room, "%s+0x%lx", name, (unsigned long)(vaddr - best.value));
    return true;
}
