/* SPDX-License-Identifier: MIT
 *
 * kernel/spawn.c: from a program in the initrd to a running process.
 *
 * Owns: how an image and its stack are laid out. Called by: the spawn call, the
 * boot sequence (first process). Context: thread.
 *
 * An image goes to a random place unless it is ET_EXEC; its segments get their
 * final protection at once, because the kernel writes them through its own map.
 * The kernel relocates nothing: a static-pie does that itself. Around the stack
 * stay unmapped pages (kernel/mem.h chooses the place).
 */
#include <kernel/elf.h>
#include <kernel/initrd.h>
#include <kernel/log.h>
#include <kernel/proc.h>
#include <kernel/random.h>
#include <kernel/rights.h>
#include <kernel/string.h>
#include <kernel/syscall.h>

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
#define AUXV_WORDS 16u

/* What the new process finds on its stack. */
struct start_args {
    const char *strings; /* argc strings, then envc strings, each with its NUL */
    uint32_t bytes, argc, envc;
};

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

static int load_segment(struct process *p, const uint8_t *image, const struct elf_segment *s)
{
    uint64_t start = (s->vaddr + p->bias) & ~(PAGE_SIZE - 1);
    uint64_t end = page_round_up(s->vaddr + p->bias + s->mem_bytes);
    int64_t at = vm_map_anon(p->as, start, end - start, s->prot);

    if (at < 0)
        return (int)at;
    return space_write(p->as, s->vaddr + p->bias, image + s->file_off, s->file_bytes);
}

static int load_image(struct process *p, struct elf_plan *plan)
{
    const char *why;
    const void *image;
    size_t bytes;
    int r;

    image = initrd_find(p->path, &bytes);
    if (image == NULL) {
        klog(LOG_ERROR, "%s: no such program in the initrd", p->path);
        return -ENOENT;
    }
    r = elf_check(image, bytes, plan, &why);
    if (r < 0) {
        klog(LOG_ERROR, "%s: not started: %s", p->path, why);
        return r;
    }
    p->bias = 0;
    if (plan->position_independent)
        p->bias = IMAGE_BASE + (random_u64() & IMAGE_RANDOM_MASK) - plan->low;
    for (unsigned i = 0; i < plan->nsegments && r == 0; i++)
        r = load_segment(p, image, &plan->segment[i]);
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

static void auxv_fill(uint64_t *to, const struct process *p, const struct elf_plan *plan, uint64_t random_at)
{
    const uint64_t auxv[AUXV_WORDS] = {
        AT_PHDR,  plan->phdr_vaddr + p->bias, AT_PHENT,  56,
        AT_PHNUM, plan->phnum,                AT_PAGESZ, PAGE_SIZE,
        AT_BASE,  p->bias,                    AT_ENTRY,  plan->entry + p->bias,
        AT_RANDOM, random_at,                 AT_NULL,   0,
    };
    memcpy(to, auxv, sizeof auxv);
}

/* System V ABI, AMD64 supplement, "Process Initialization": from rsp upwards
 * argc, argv, NULL, envp, NULL, auxv; then 16 random bytes and the strings. */
static int64_t build_stack(struct process *p, const struct elf_plan *plan, const struct start_args *a)
{
    uint32_t words = 1 + a->argc + 1 + a->envc + 1 + AUXV_WORDS, at = 0;
    uint64_t total = (words * 8 + 16 + a->bytes + 15) & ~15ull;
    int64_t base = vm_map_anon(p->as, 0, USER_STACK_BYTES, VM_R | VM_W);
    uint64_t rsp, *block;
    int r = -EINVAL;

    if (base < 0)
        return base;
    block = kzalloc(total);
    if (block == NULL)
        return -ENOMEM;
    rsp = (uint64_t)base + USER_STACK_BYTES - (random_u64() & STACK_RANDOM_MASK) - total;
    block[0] = a->argc;
    if (string_pointers(block + 1, a->argc, a, &at, rsp + words * 8 + 16) &&
        string_pointers(block + 2 + a->argc, a->envc, a, &at, rsp + words * 8 + 16)) {
        auxv_fill(block + words - AUXV_WORDS, p, plan, rsp + words * 8);
        random_bytes(block + words, 16);
        memcpy((char *)(block + words) + 16, a->strings, a->bytes);
        r = space_write(p->as, rsp, block, total);
    }
    kfree(block);
    return r < 0 ? r : (int64_t)rsp;
}

/* p's name, path, rights, priority and handles are set: make it run. */
static int start(struct process *p, const struct start_args *a)
{
    struct elf_plan plan;
    int64_t r;

    vm_set_limit(p->as, p->rights.memory_limit);
    r = load_image(p, &plan);
    if (r < 0)
        return (int)r;
    r = build_stack(p, &plan, a);
    if (r < 0)
        return (int)r;
    r = thread_new_user(p, plan.entry + p->bias, (uint64_t)r, 0, 0, p->priority);
    return r < 0 ? (int)r : 0;
}

static void all_rights(struct sys_rights *r)
{
    static const uint8_t protocols[][2] = {
        {NET_INET, NET_TCP},  {NET_INET, NET_UDP},  {NET_INET, NET_ICMP},
        {NET_INET6, NET_TCP}, {NET_INET6, NET_UDP}, {NET_INET6, NET_ICMP6},
    };

#define X(bit, id, name, text) r->bits |= 1u << (bit);
    RIGHT_LIST(X)
#undef X
    for (unsigned i = 0; i < sizeof protocols / sizeof protocols[0]; i++)
        r->ports[r->nports++] = (struct net_port_key){
            .family = protocols[i][0], .proto = protocols[i][1], .link = LINK_ANY, .port_hi = 0xffff,
        };
    strlcpy(r->calls[r->ncalls++], RIGHTS_ANY_NAME, NAME_MAX_BYTES);
    strlcpy(r->serves, RIGHTS_ANY_NAME, NAME_MAX_BYTES);
    r->memory_limit = mem_total_bytes();
    r->ring_limit = mem_total_bytes();
}

int process_start_first(const char *path)
{
    struct start_args a = {.strings = path, .bytes = (uint32_t)strlen(path) + 1, .argc = 1};
    struct process *p = process_new("init", 0);
    int r;

    if (p == NULL)
        return -ENOMEM;
    strlcpy(p->path, path, sizeof p->path);
    all_rights(&p->rights);
    p->priority = PRIO_MAX;
    r = start(p, &a);
    if (r < 0)
        process_abandon(p);
    return r;
}

/* --- the spawn call --- */

static int check_spawn(const struct process *parent, const struct sys_spawn *s)
{
    if (strnlen(s->name, sizeof s->name) == sizeof s->name || s->name[0] == 0 ||
        strnlen(s->path, sizeof s->path) == sizeof s->path || s->priority > PRIO_MAX ||
        (s->flags & ~SPAWN_RESTARTS) != 0 || s->nhandles > SPAWN_HANDLES_MAX)
        return -EINVAL;
    if (s->args_bytes > SPAWN_ARGS_MAX || s->argc > STRINGS_MAX || s->envc > STRINGS_MAX)
        return -E2BIG;
    return s->priority > parent->priority ? -EPERM : 0;
}

/* Rings are memory, too, and 0 asks for the default: a child that asks for more
 * gets what its parent has. */
static void limit_rings(struct sys_rights *child, const struct sys_rights *parent)
{
    uint64_t most = parent->ring_limit != 0 ? parent->ring_limit : RING_LIMIT_DEFAULT;

    if (child->ring_limit > most)
        child->ring_limit = parent->ring_limit;
}

static int give_rights(const struct process *parent, struct process *p, uint64_t user)
{
    const char *what = NULL;
    int r = user == 0 ? 0 : copy_from_user(&p->rights, user, sizeof p->rights);

    if (r < 0)
        return r;
    if (!rights_valid(&p->rights))
        return -EINVAL;
    if (p->rights.memory_limit == 0)
        p->rights.memory_limit = MEMORY_LIMIT_DEFAULT;
    if (p->rights.memory_limit > parent->rights.memory_limit)
        p->rights.memory_limit = parent->rights.memory_limit;
    limit_rings(&p->rights, &parent->rights);
    if (!rights_subset(&p->rights, &parent->rights, &what)) {
        klog(LOG_WARN, "%s[%u]: refused, it cannot give %s a right that it lacks: %s", parent->name,
             parent->pid, p->name, what);
        return -EACCES;
    }
    return 0;
}

/* Receiving stays with an endpoint's owner: the child may send to it. */
static int give_handles(struct process *parent, struct process *p, const struct sys_spawn *s)
{
    for (uint32_t i = 0; i < s->nhandles; i++) {
        struct object *o = handle_get_any(parent, s->handles[i]);
        int r;
        if (o == NULL)
            return -EBADF;
        if (o->kind == OBJ_ENDPOINT) {
            struct object *peer = &((struct endpoint *)o)->peer;
            object_ref(peer);
            object_unref(o);
            o = peer;
        }
        r = o->kind == OBJ_NET ? -EINVAL : handle_new(p, o);
        if (r < 0) {
            object_unref(o);
            return r;
        }
    }
    return 0;
}

static int fill_and_start(struct process *parent, struct process *p, const struct sys_spawn *s, char *strings)
{
    struct start_args a = {.strings = strings, .bytes = s->args_bytes, .argc = s->argc, .envc = s->envc};
    int r = s->args_bytes == 0 ? 0 : copy_from_user(strings, s->args, s->args_bytes);

    strlcpy(p->path, s->path, sizeof p->path);
    p->flags = s->flags;
    p->priority = s->priority != 0 ? s->priority : PRIO_NORMAL;
    if (p->priority > parent->priority)
        p->priority = parent->priority;
    if (r == 0)
        r = give_rights(parent, p, s->rights);
    if (r == 0)
        r = give_handles(parent, p, s);
    if (r == 0)
        r = start(p, &a);
    return r;
}

SYSCALL_HANDLER(spawn)
{
    struct process *parent = self_process(), *p;
    struct sys_spawn s;
    char *strings;
    int r = copy_from_user(&s, a0, sizeof s);

    if (r < 0)
        return r;
    if (!process_has(parent, RIGHT_PROC_SPAWN))
        return -EACCES;
    r = check_spawn(parent, &s);
    if (r < 0)
        return r;
    strings = kmalloc(s.args_bytes + 1);
    if (strings == NULL)
        return -ENOMEM;
    p = process_new(s.name, parent->pid);
    r = p == NULL ? -ENOMEM : fill_and_start(parent, p, &s, strings);
    kfree(strings);
    if (p == NULL)
        return r;
    if (r == 0) {
        object_ref(&p->object);
        r = handle_new(parent, &p->object);
        if (r >= 0)
            return r;
        object_unref(&p->object);
        process_end(p, PROC_KILLED, 0); /* nobody could ever wait for it */
        return r;
    }
    process_abandon(p);
    return r;
}
