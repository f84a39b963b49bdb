/* SPDX-License-Identifier: MIT
 *
 * kernel/image.c: from a program in the initrd to a space that holds it.
 *
 * Owns: how an image and its stack are laid out. Called by: spawn, exec.
 * Context: thread.
 *
 * An image goes to a random place unless it is ET_EXEC; its segments get their
 * final protection at once, because the kernel writes them through its own map.
 * The kernel relocates nothing: a static-pie does that itself. Around the stack
 * stay unmapped pages (kernel/mem.h chooses the place).
 */
#include <kernel/elf.h>
#include <kernel/image.h>
#include <kernel/initrd.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/proc.h>
#include <kernel/random.h>
#include <kernel/string.h>

#define IMAGE_BASE 0x500000000000ull
#define IMAGE_RANDOM_MASK 0xffffffff000ull
#define STACK_RANDOM_MASK 0x7f0ull /* moves the first frame within its pages */
#define STRINGS_MAX 256u

#define AT_NULL 0
#define AT_PHDR 3
#define AT_PHENT 4
#define AT_PHNUM 5
#define AT_PAGESZ 6
#define AT_BASE 7
#define AT_ENTRY 9
#define AT_RANDOM 25
#define AUXV_WORDS 20u

/* Write into another space, whose pages need not be there yet. */
static int space_write(struct address_space *as, uint64_t addr, const void *from, uint64_t bytes)
{
    const uint8_t *src = from;

    while (bytes > 0) {
        uint64_t n = PAGE_SIZE - addr % PAGE_SIZE;
        phys_t at = vm_lookup(as, addr);
        if (at == 0) {
            if (!vm_fault(as, addr, VM_R))
                return -EFAULT;
            at = vm_lookup(as, addr);
        }
        if (n > bytes)
            n = bytes;
        memcpy(phys_to_virt(at), src, n);
        addr += n;
        src += n;
        bytes -= n;
    }
    return 0;
}

static int load_segment(struct address_space *as, uint64_t bias, const uint8_t *file, const struct elf_segment *s)
{
    uint64_t start = (s->vaddr + bias) & ~(PAGE_SIZE - 1);
    uint64_t end = page_round_up(s->vaddr + bias + s->mem_bytes);
    int64_t at = vm_map_anon(as, start, end - start, s->prot);

    if (at < 0)
        return (int)at;
    return space_write(as, s->vaddr + bias, file + s->file_off, s->file_bytes);
}

static int load_program(struct address_space *as, const char *path, struct elf_plan *plan, uint64_t *bias)
{
    const char *why;
    const void *file;
    size_t bytes;
    int r;

    file = initrd_find(path, &bytes);
    if (file == NULL) {
        klog(LOG_INFO, "%s: no such program in the initrd", path);
        return -ENOENT;
    }
    r = elf_check(file, bytes, plan, &why);
    if (r < 0) {
        klog(LOG_ERROR, "%s: not started: %s", path, why);
        return r;
    }
    *bias = 0;
    if (plan->position_independent)
        *bias = IMAGE_BASE + (random_u64() & IMAGE_RANDOM_MASK) - plan->low;
    for (unsigned i = 0; i < plan->nsegments && r == 0; i++)
        r = load_segment(as, *bias, file, &plan->segment[i]);
    return r;
}

/* Pointers to n strings from *s on, then NULL. false when they overrun the end. */
static bool string_pointers(uint64_t *to, uint32_t n, const struct start_args *a, uint32_t *at, uint64_t user)
{
    for (uint32_t i = 0; i < n; i++) {
        size_t left = a->bytes - *at, len = strnlen(a->strings + *at, left);
        if (len == left)
            return false;
        to[i] = user + *at;
        *at += (uint32_t)len + 1;
    }
    to[n] = 0;
    return true;
}

/* System V ABI, AMD64 supplement, "Process Initialization": from rsp upwards
 * argc, argv, NULL, envp, NULL, auxv; then 16 random bytes, the strings and
 * what else the parent passed. */
struct layout {
    uint32_t words, strings, extra, total; /* in the block: counts and offsets in bytes */
};

static struct layout layout_of(const struct start_args *a)
{
    struct layout l = {.words = 1 + a->argc + 1 + a->envc + 1 + AUXV_WORDS};

    l.strings = l.words * 8 + 16;
    l.extra = (l.strings + a->bytes + 15) & ~15u;
    l.total = (l.extra + a->extra_bytes + 15) & ~15u;
    return l;
}

static void auxv_fill(uint64_t *to, const struct elf_plan *plan, uint64_t bias, uint64_t random_at,
                      uint64_t extra_at, uint64_t extra_bytes)
{
    const uint64_t auxv[AUXV_WORDS] = {
        AT_PHDR,          plan->phdr_vaddr + bias, AT_PHENT,               56,
        AT_PHNUM,         plan->phnum,             AT_PAGESZ,              PAGE_SIZE,
        AT_BASE,          bias,                    AT_ENTRY,               plan->entry + bias,
        AT_SLIPWAY_EXTRA, extra_at,                AT_SLIPWAY_EXTRA_BYTES, extra_bytes,
        AT_RANDOM,        random_at,               AT_NULL,                0,
    };
    memcpy(to, auxv, sizeof auxv);
}

static int fill_stack(uint64_t *block, const struct layout *l, uint64_t rsp, const struct elf_plan *plan,
                      uint64_t bias, const struct start_args *a)
{
    uint64_t strings = rsp + l->strings;
    uint32_t at = 0;

    block[0] = a->argc;
    if (!string_pointers(block + 1, a->argc, a, &at, strings) ||
        !string_pointers(block + 2 + a->argc, a->envc, a, &at, strings))
        return -EINVAL;
    auxv_fill(block + l->words - AUXV_WORDS, plan, bias, rsp + l->words * 8, rsp + l->extra, a->extra_bytes);
    random_bytes(block + l->words, 16);
    memcpy((char *)block + l->strings, a->strings, a->bytes);
    memcpy((char *)block + l->extra, a->extra, a->extra_bytes);
    return 0;
}

static int64_t build_stack(struct address_space *as, const struct elf_plan *plan, uint64_t bias,
                           const struct start_args *a)
{
    struct layout l = layout_of(a);
    int64_t base = vm_map_anon(as, 0, USER_STACK_BYTES, VM_R | VM_W);
    uint64_t rsp, *block;
    int r;

    if (base < 0)
        return base;
    block = kzalloc(l.total);
    if (block == NULL)
        return -ENOMEM;
    rsp = (uint64_t)base + USER_STACK_BYTES - (random_u64() & STACK_RANDOM_MASK) - l.total;
    r = fill_stack(block, &l, rsp, plan, bias, a);
    if (r == 0)
        r = space_write(as, rsp, block, l.total);
    kfree(block);
    return r < 0 ? r : (int64_t)rsp;
}

int image_load(struct address_space *as, const char *path, const struct start_args *a, struct image *image)
{
    struct elf_plan plan;
    int64_t r = load_program(as, path, &plan, &image->bias);

    if (r == 0)
        r = build_stack(as, &plan, image->bias, a);
    if (r < 0)
        return (int)r;
    image->rsp = (uint64_t)r;
    image->entry = plan.entry + image->bias;
    return 0;
}

/* --- what a caller passes --- */

bool start_args_fit(uint32_t bytes, uint32_t argc, uint32_t envc, uint32_t extra_bytes)
{
    return bytes <= SPAWN_ARGS_MAX && argc <= STRINGS_MAX && envc <= STRINGS_MAX &&
           extra_bytes <= SPAWN_EXTRA_MAX;
}

int start_args_copy(struct start_args *a, uint64_t args, uint64_t extra)
{
    char *memory = kmalloc(a->bytes + a->extra_bytes + 1);
    int r = 0;

    if (memory == NULL)
        return -ENOMEM;
    a->memory = memory;
    a->strings = memory;
    a->extra = memory + a->bytes;
    if (a->bytes > 0)
        r = copy_from_user(memory, args, a->bytes);
    if (r == 0 && a->extra_bytes > 0)
        r = copy_from_user(memory + a->bytes, extra, a->extra_bytes);
    if (r < 0) {
        kfree(memory);
        a->memory = NULL;
    }
    return r;
}
