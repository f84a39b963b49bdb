/* SPDX-License-Identifier: MIT
 *
 * kernel/vm.c: address spaces as lists of regions; the calls that change them.
 *
 * Owns: which user addresses mean what. Every call checks first, then does all
 * or nothing. Context: thread.
 */
#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/random.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <kernel/thread.h>
#include <kernel/vm.h>
#include <slipway/errno.h>

/* Objects up to this size are mapped whole at once; larger ones as touched. */
#define EAGER_BYTES (1ull << 20)
/* Where choosing starts: a page by chance within 4 TiB below TOP_MAX. */
#define TOP_MAX         0x7ffffff00000ull
#define TOP_RANDOM_MASK 0x3fffffff000ull
#define FLOOR           0x100000000000ull

uint32_t vm_find(const struct address_space *as, uint64_t addr)
{
    uint32_t lo = 0, hi = as->nregions;

    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (as->regions[mid].end > addr)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

static uint64_t ids_taken[VM_SPACES_MAX / 64];

static bool id_take(uint32_t *id)
{
    for (uint32_t w = 0; w < VM_SPACES_MAX / 64; w++) {
        if (~ids_taken[w] != 0) {
            *id = w * 64 + (uint32_t)__builtin_ctzll(~ids_taken[w]);
            ids_taken[w] |= 1ull << (*id % 64);
            return true;
        }
    }
    return false;
}

static void id_give(uint32_t id)
{
    ids_taken[id / 64] &= ~(1ull << (id % 64));
}

struct address_space *as_create(void)
{
    struct address_space *as = kzalloc(sizeof *as);
    phys_t root;

    if (as == NULL)
        return NULL;
    if (!id_take(&as->id)) {
        kfree(as);
        return NULL;
    }
    root = page_alloc(0, PAGE_OWNER(OWNER_TABLE));
    if (root == 0) {
        id_give(as->id);
        kfree(as);
        return NULL;
    }
    as->root = phys_to_virt(root);
    memset(as->root, 0, 256 * sizeof(uint64_t));
    memcpy(as->root + 256, kernel_pml4 + 256, 256 * sizeof(uint64_t));
    as->tables = 1;
    as->top = TOP_MAX - (random_u64() & TOP_RANDOM_MASK);
    return as;
}

void as_destroy(struct address_space *as)
{
    tlb_evict(as);
    for (uint32_t i = 0; i < as->nregions; i++) {
        const struct vm_region *r = &as->regions[i];
        for (uint64_t at = r->start, stop; at < r->end; at = stop) {
            stop = r->end - at > VM_PIECE_BYTES ? at + VM_PIECE_BYTES : r->end;
            vm_release_pages(as, r, at, stop);
            if (stop - r->start >= VM_PIECE_BYTES)
                thread_breathe(); /* C-MEM-8 */
        }
        if (r->object != NULL)
            memobj_unref(r->object);
    }
    vm_free_tables(as);
    page_free(virt_to_phys(as->root), 0);
    id_give(as->id);
    kfree(as->regions);
    kfree(as);
}

uint64_t vm_futex_key(const struct address_space *as, uint64_t addr)
{
    uint32_t i = vm_find(as, addr);
    const struct vm_region *r = &as->regions[i];

    if (i == as->nregions || r->start > addr)
        return 0;
    if (r->object == NULL)
        return 1ull << 63 | (uint64_t)as->id << 47 | addr;
    return memobj_page(r->object, (r->offset + (addr - r->start)) >> PAGE_SHIFT) + addr % PAGE_SIZE;
}

phys_t as_root(const struct address_space *as)
{
    return virt_to_phys(as->root);
}

void vm_set_limit(struct address_space *as, uint64_t bytes)
{
    as->limit = bytes;
}

uint64_t vm_used_bytes(const struct address_space *as)
{
    return (as->anon_pages + as->tables) << PAGE_SHIFT;
}

/* Room for `more` regions, and for two that a split makes before others go: so
 * that neither can fail half-way, and giving memory back never needs any. */
static int make_room(struct address_space *as, uint32_t more)
{
    uint32_t need = as->nregions + more + 2;

    if (as->nregions + more > VM_REGIONS_MAX)
        return -ENOMEM;
    if (need <= as->room)
        return 0;
    uint32_t room = as->room == 0 ? 16 : as->room * 2;
    struct vm_region *r = kmalloc(room * sizeof *r);
    if (r == NULL)
        return -ENOMEM;
    memcpy(r, as->regions, as->nregions * sizeof *r);
    kfree(as->regions);
    as->regions = r;
    as->room = room;
    return 0;
}

static void insert(struct address_space *as, uint32_t at, const struct vm_region *r)
{
    struct vm_region *prev = at > 0 ? &as->regions[at - 1] : NULL;

    /* Anonymous memory that grows upwards stays one region. */
    if (prev != NULL && prev->end == r->start && prev->object == NULL && r->object == NULL &&
        prev->prot == r->prot) {
        prev->end = r->end;
        return;
    }
    memmove(&as->regions[at + 1], &as->regions[at], (as->nregions - at) * sizeof *r);
    as->regions[at] = *r;
    as->nregions++;
}

/* Makes `addr` a border between regions; make_room() has made some. */
static void split(struct address_space *as, uint64_t addr)
{
    uint32_t i = vm_find(as, addr);

    if (i == as->nregions || as->regions[i].start >= addr)
        return;
    memmove(&as->regions[i + 1], &as->regions[i], (as->nregions - i) * sizeof as->regions[0]);
    as->nregions++;
    struct vm_region *low = &as->regions[i], *high = low + 1;
    low->end = addr;
    high->start = addr;
    if (high->object != NULL) {
        high->offset += addr - low->start;
        memobj_ref(high->object);
    }
}

bool vm_range_ok(uint64_t addr, uint64_t bytes)
{
    return (addr & (PAGE_SIZE - 1)) == 0 && bytes > 0 && addr >= USER_MIN && addr < USER_END &&
           bytes <= USER_END - addr;
}

/* A free place, as high as possible below as->top, with an unmapped gap of
 * random size above it. 0 when there is none. */
static uint64_t choose(const struct address_space *as, uint64_t bytes)
{
    uint64_t gap = (1 + (random_u64() & 15)) << PAGE_SHIFT, ceiling = as->top;

    for (uint32_t i = as->nregions;; i--) {
        uint64_t below = i > 0 ? as->regions[i - 1].end : FLOOR;
        if (below < FLOOR)
            below = FLOOR;
        if (ceiling > below && ceiling - below >= bytes + gap + PAGE_SIZE)
            return ceiling - gap - bytes;
        if (i == 0 || below == FLOOR)
            return 0;
        if (as->regions[i - 1].start < ceiling)
            ceiling = as->regions[i - 1].start;
    }
}

static int64_t map_region(struct address_space *as, struct vm_region r, uint64_t bytes)
{
    bool anon = r.object == NULL;
    uint64_t pages;
    int err;

    if (bytes == 0 || bytes > USER_END)
        return -EINVAL;
    bytes = page_round_up(bytes);
    pages = bytes >> PAGE_SHIFT;
    if ((r.prot & ~(VM_R | VM_W | VM_X)) != 0 || ((r.prot & VM_W) && (r.prot & VM_X))) /* C-MEM-2 */
        return -EINVAL;
    if (r.start == 0 && (r.start = choose(as, bytes)) == 0)
        return -ENOMEM;
    if (!vm_range_ok(r.start, bytes))
        return -EINVAL;
    r.end = r.start + bytes;
    uint32_t at = vm_find(as, r.start);
    if (at < as->nregions && as->regions[at].start < r.end)
        return -EEXIST;
    /* An object's pages count where it was made; the tables to map it count here. */
    if (as->limit != 0 && vm_used_bytes(as) + (anon ? bytes : 0) > as->limit)
        return -ENOMEM;
    if ((err = make_room(as, 1)) != 0)
        return err;
    if (anon && (err = mem_commit(pages)) != 0)
        return err;
    err = vm_make_tables(as, r.start, r.end);
    if (err == 0 && as->limit != 0 && vm_used_bytes(as) + (anon ? bytes : 0) > as->limit)
        err = -ENOMEM; /* with the tables it would be too much */
    if (err != 0) {
        vm_prune_tables(as, r.start, r.end);
        if (anon)
            mem_uncommit(pages);
        return err;
    }
    if (anon)
        as->anon_pages += pages;
    else
        memobj_ref(r.object);
    insert(as, at, &r);
    if (!anon && bytes <= EAGER_BYTES)
        vm_fill_object(as, &r, r.start, r.end, false);
    return (int64_t)r.start;
}

int64_t vm_map_anon(struct address_space *as, uint64_t addr, uint64_t bytes, unsigned prot)
{
    struct vm_region r = {.start = addr, .prot = (uint8_t)prot, .most = VM_R | VM_W | VM_X};

    return prot > 7 ? -EINVAL : map_region(as, r, bytes);
}

int64_t vm_map_object(struct address_space *as, uint64_t addr, struct memobj *m, uint64_t offset,
                      uint64_t bytes, unsigned prot)
{
    struct vm_region r = {
        .start = addr, .object = m, .offset = offset, .prot = (uint8_t)prot, .most = (uint8_t)prot};
    uint64_t whole = page_round_up(memobj_bytes(m));

    if (prot > 7 || (offset & (PAGE_SIZE - 1)) != 0 || offset >= whole || bytes > whole - offset)
        return -EINVAL;
    if ((prot & VM_W) && memobj_read_only(m))
        return -EACCES;
    return map_region(as, r, bytes);
}

int vm_unmap_some(struct address_space *as, uint64_t *addr, uint64_t end)
{
    uint32_t i = vm_find(as, *addr);

    if (i == as->nregions || as->regions[i].start >= end)
        return 0;
    struct vm_region *r = &as->regions[i];
    uint64_t start = *addr > r->start ? *addr : r->start, stop = end < r->end ? end : r->end;
    if (stop - start > VM_PIECE_BYTES)
        stop = start + VM_PIECE_BYTES; /* C-MEM-8 */
    if (start > r->start && stop < r->end) { /* a hole leaves two */
        int err = make_room(as, 1);
        if (err != 0)
            return err;
    }
    split(as, start);
    split(as, stop);
    i = vm_find(as, start);
    r = &as->regions[i];
    vm_release_pages(as, r, start, stop);
    if (r->object != NULL)
        memobj_unref(r->object);
    else
        as->anon_pages -= (stop - start) >> PAGE_SHIFT;
    as->nregions--;
    memmove(r, r + 1, (as->nregions - i) * sizeof *r);
    vm_prune_tables(as, start, stop);
    *addr = stop;
    return stop < end;
}

int vm_unmap(struct address_space *as, uint64_t addr, uint64_t bytes)
{
    int r = 1;

    if (bytes > USER_END || !vm_range_ok(addr, bytes = page_round_up(bytes)))
        return -EINVAL;
    for (uint64_t end = addr + bytes; r > 0;)
        r = vm_unmap_some(as, &addr, end);
    return r;
}

/* Is addr inside a region, so that a border there makes one more? */
static uint32_t inside(const struct address_space *as, uint64_t addr)
{
    uint32_t i = vm_find(as, addr);

    return i < as->nregions && as->regions[i].start < addr;
}

int vm_protect(struct address_space *as, uint64_t addr, uint64_t bytes, unsigned prot)
{
    if (bytes > USER_END || !vm_range_ok(addr, bytes = page_round_up(bytes)) || prot > 7 ||
        ((prot & VM_W) && (prot & VM_X)))
        return -EINVAL;
    uint64_t end = addr + bytes, at = addr;
    uint32_t i = vm_find(as, addr);
    for (; at < end; at = as->regions[i++].end) {
        if (i == as->nregions || as->regions[i].start > at)
            return -ENOMEM; /* a hole, as POSIX has it */
        if ((prot & ~as->regions[i].most) != 0)
            return -EACCES;
    }
    int err = make_room(as, inside(as, addr) + inside(as, end));
    if (err != 0)
        return err;
    split(as, addr);
    split(as, end);
    for (i = vm_find(as, addr); i < as->nregions && as->regions[i].start < end; i++)
        as->regions[i].prot = (uint8_t)prot;
    vm_set_prot(as, addr, end, prot);
    return 0;
}
