/* SPDX-License-Identifier: MIT
 *
 * kernel/mem.h: physical pages, kernel memory, mappings, user copies.
 *
 * Owns: every page of RAM. Layout of virtual memory:
 *   0x0000000000400000 ..            user space (one per process)
 *   0xffff800000000000 ..            direct map of all RAM (no execute)
 *   0xffffc00000000000 ..            device registers (uncached), grows up
 *   0xffffd00000000000 ..            kernel stacks with guard pages
 *   0xffffe00000000000 ..            memory objects that are not contiguous
 *   0xfffff00000000000 ..            struct page of every page of RAM
 *   0xffffffff80000000 ..            kernel image (W^X by section)
 * Context: thread context only unless a call says "any". Lock: the kernel's;
 * hard interrupts never allocate.
 */
#ifndef KERNEL_MEM_H
#define KERNEL_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE 4096ull
#define PAGE_SHIFT 12
#define DIRECT_MAP 0xffff800000000000ull
#define MMIO_BASE 0xffffc00000000000ull
#define KSTACK_BASE 0xffffd00000000000ull
#define VMAP_BASE 0xffffe00000000000ull
#define PAGES_BASE 0xfffff00000000000ull
#define KERNEL_BASE 0xffffffff80000000ull
#define USER_MIN 0x0000000000010000ull
#define USER_END 0x00007ffffffff000ull

typedef uint64_t phys_t;

static inline void *phys_to_virt(phys_t p) { return (void *)(p + DIRECT_MAP); }
static inline phys_t virt_to_phys(const void *v) { return (phys_t)v - DIRECT_MAP; } /* direct map only */
static inline uint64_t page_round_up(uint64_t n) { return (n + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1); }

struct boot_info;
void mem_init(const struct boot_info *bi);

/* --- pages (buddy) --- */
#define PAGE_ZERO 1u
#define PAGE_BELOW_4G 2u
#define PAGE_COMMITTED 4u /* one page out of what mem_commit() set aside */
/* Who owns a page that is not free; in the flags above bit 8. What mem_init never
 * hands out (image, initrd, the array of struct page) belongs to nobody here. */
enum page_owner {
    OWNER_DEVICE = 0, /* drivers: rings and buffers that a device reads and writes */
    OWNER_TABLE,      /* page tables */
    OWNER_KMALLOC,
    OWNER_STACK,  /* kernel stacks */
    OWNER_ANON,   /* processes' anonymous memory */
    OWNER_OBJECT, /* memory objects */
    OWNER_RING,   /* net rings */
    OWNER_COUNT,
};
#define PAGE_OWNER(owner) ((unsigned)(owner) << 8)
/* 2^order contiguous pages; 0 when there are none. The page's reference count
 * is 1; page_ref/page_unref count sharers, and the last unref frees. */
phys_t page_alloc(unsigned order, unsigned flags);
void page_free(phys_t p, unsigned order);
void page_free_zeroed(phys_t p); /* one page, all of whose bytes are 0 */
void page_ref(phys_t p);
bool page_unref(phys_t p);        /* true when others still hold it */
bool page_shared(phys_t p);       /* more than one reference */
/* Turn one block into 2^order single pages, each with its own reference. */
void page_split(phys_t p, unsigned order);
/* Promise pages to later page_alloc(0, PAGE_COMMITTED) calls, so that a demand
 * page never finds memory empty. 0 or -ENOMEM. */
int mem_commit(uint64_t pages);
void mem_uncommit(uint64_t pages);
uint64_t mem_total_bytes(void);
uint64_t mem_free_bytes(void);
struct info_memory;
void mem_info(struct info_memory *m); /* who owns how much; sums to the total */

/* --- small kernel memory (slabs of size classes over the pages) --- */
void *kmalloc(size_t bytes);  /* NULL when there is none */
void *kzalloc(size_t bytes);  /* zeroed */
void kfree(void *p); /* panics when p is not an allocated object */
size_t kmalloc_size(size_t bytes); /* what an object of that many really takes */
uint64_t kmalloc_used_bytes(void); /* by size class, or whole pages */

/* --- device registers: mapped uncached, never unmapped --- */
void *mmio_map(phys_t p, size_t bytes);
/* Writes may be gathered (a framebuffer); uncached where the CPU has no PAT. */
void *mmio_map_combining(phys_t p, size_t bytes);
/* Firmware tables: cached, read-only, also where the memory map says reserved
 * (the direct map has only RAM). NULL when page tables are out. */
const void *firmware_map(phys_t p, size_t bytes);
/* Is this kernel address mapped (a backtrace may follow it)? Any context. */
bool kernel_readable(uint64_t addr);

/* --- kernel stacks: KSTACK_SIZE bytes above an unmapped guard page --- */
#define KSTACK_SIZE (16u * 1024)
void *kstack_alloc(void); /* top of stack, or NULL */
void kstack_free(void *top);

/* --- address spaces --- */
enum { VM_R = 1, VM_W = 2, VM_X = 4, VM_USER = 8 }; /* the first three equal PROT_* */
struct address_space;
struct address_space *as_create(void);
/* A space with the same contents: objects are shared, anonymous memory is copied
 * when one of the two writes to it. All that the copy may ever need is promised
 * now; NULL when that is more than there is. Net rings are left out. `quiet`: no
 * thread can change the first space meanwhile, so others may run in between. */
struct address_space *as_fork(struct address_space *from, bool quiet);
/* Drops a reference on every page. A large space is taken apart in pieces, between
 * which others run: nobody may know it any more. */
void as_destroy(struct address_space *as);
void as_switch(struct address_space *as);  /* NULL: kernel's own; any context */
struct address_space *as_current(void);    /* NULL: kernel's own */
phys_t as_root(const struct address_space *as);

struct memobj; /* pages that several address spaces map; counted */
/* Its pages are promised now and made, zeroed, when they are first needed. */
struct memobj *memobj_create(uint64_t bytes);
/* All pages at once, contiguous where memory allows: net rings. as_fork leaves
 * its mappings out. */
struct memobj *memobj_create_ring(uint64_t bytes);
struct memobj *memobj_wrap(phys_t first, uint64_t bytes); /* existing RAM, never freed: the initrd */
struct memobj *memobj_wrap_device(phys_t first, uint64_t bytes); /* a framebuffer: write-combining */
bool memobj_is_device(const struct memobj *m);
void memobj_ref(struct memobj *m);
void memobj_unref(struct memobj *m);
/* fn(arg, bytes in whole pages) when the last handle and the last mapping are gone. */
void memobj_on_free(struct memobj *m, void (*fn)(void *arg, uint64_t bytes), void *arg);
bool memobj_is_ring(const struct memobj *m);
uint64_t memobj_bytes(const struct memobj *m);
phys_t memobj_page(struct memobj *m, uint64_t index);           /* makes it */
phys_t memobj_page_made(const struct memobj *m, uint64_t index); /* 0: not yet */
bool memobj_read_only(const struct memobj *m); /* wrapped memory is */
/* Kernel address of byte 0 of a ring, mapped contiguously in kernel space on
 * first use; NULL when memory is out. */
void *memobj_kernel_map(struct memobj *m);

/* Map into a user space. addr 0 chooses a free place (randomised). Returns the
 * address or a negative errno: -EINVAL (range, alignment, W and X together),
 * -ENOMEM (pages, page tables or the process's limit), -EEXIST (overlap),
 * -EACCES (writing to a read-only object). Anonymous memory is zero, counts
 * against the limit at once and gets its pages when they are touched; pages
 * for it are promised, so touching never fails. What an object was mapped
 * with is the most that vm_protect gives it later. */
int64_t vm_map_anon(struct address_space *as, uint64_t addr, uint64_t bytes, unsigned prot);
int64_t vm_map_object(struct address_space *as, uint64_t addr, struct memobj *m,
                      uint64_t offset, uint64_t bytes, unsigned prot);
int vm_unmap(struct address_space *as, uint64_t addr, uint64_t bytes);
/* A piece of [*addr, end), of which vm_range_ok: 1 when more is left, from *addr
 * on, 0 at the end, or -ENOMEM. */
int vm_unmap_some(struct address_space *as, uint64_t *addr, uint64_t end);
bool vm_range_ok(uint64_t addr, uint64_t bytes); /* page-aligned start, in user space */
int vm_protect(struct address_space *as, uint64_t addr, uint64_t bytes, unsigned prot);
/* Lowest-level: is this user page mapped, and where? 0 when not. */
phys_t vm_lookup(struct address_space *as, uint64_t addr);
/* What a futex word at addr is known by: the word of an object whoever maps it,
 * a word of anonymous memory in its space alone. 0 when nothing is mapped. */
uint64_t vm_futex_key(const struct address_space *as, uint64_t addr);
/* A user access faulted: true when it was a demand page, or one to be
 * copied before it is written, and is resolved now.
 * Works on any space, so a loader may use it to have a page made. */
bool vm_fault(struct address_space *as, uint64_t addr, unsigned access);
void vm_set_limit(struct address_space *as, uint64_t bytes);
uint64_t vm_used_bytes(const struct address_space *as);

/* --- user copies: any range is checked whole; -EFAULT on the first bad byte.
 * They survive a fault in the middle. Thread context. --- */
int copy_from_user(void *dst, uint64_t src, size_t bytes);
int copy_to_user(uint64_t dst, const void *src, size_t bytes);
/* Copies a NUL-terminated string of at most max bytes with its NUL; returns its
 * length, -EFAULT, or -ENAMETOOLONG. */
int copy_string_from_user(char *dst, uint64_t src, size_t max);
bool user_range_ok(uint64_t addr, uint64_t bytes);
/* A fault in ring 0 at an instruction of the exception table continues at its
 * fix-up (f->rip is changed). Any vector, any context. */
struct trap_frame;
bool exception_fixup(struct trap_frame *f);

#endif
