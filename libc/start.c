/* SPDX-License-Identifier: MIT
 *
 * libc/start.c: from crt0 to main.
 *
 * Owns: self-relocation of the static-pie image, the main thread's TLS, the
 * order of initialisation. Called once by crt0.S, before anything else runs.
 * Until relocate() has finished no pointer in static data may be followed.
 */
#include "inherit.h"
#include "libc.h"
#include "syscall.h"
#include "tcb.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define AUX_PHDR   3
#define AUX_PHNUM  5
#define AUX_RANDOM 25
#define AUX_MAX    32

#define DYN_RELA       7
#define DYN_RELASZ     8
#define PHDR_DYNAMIC   2
#define PHDR_TLS       7
#define PHDR_RELRO     0x6474e552u
#define RELOC_RELATIVE 8

struct dyn {
    uint64_t tag, value;
};
struct rela {
    uint64_t offset, info;
    int64_t addend;
};
struct phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

/* Programs without sockets do not link it, and nobody looks. */
extern struct net_ctx __net_first;
#pragma weak __net_first

const struct inherit_head *__libc_inherited;

/* newlib has these, too; referred to from here, libc's own are linked first. */
void (*const __libc_own[])(void) = {abort};

extern int main(int argc, char **argv, char **envp);
extern void __libc_init_array(void);
extern void __libc_fini_array(void);
extern char **environ;

static struct {
    const void *image;
    size_t filesz, memsz, align;
} tls;

/* Enough for small programs; a bigger image gets pages of its own. */
static char main_tls[sizeof(struct tcb) + 512] __attribute__((aligned(64)));

/* Set before any other code runs, hence no protector here. */
__attribute__((no_stack_protector)) static void die(const char *why, size_t n)
{
    sys_log_write(SYS_LOG_ERROR, why, n);
    sys_exit(127);
}

__attribute__((no_stack_protector)) static void relocate(uint64_t bias, const struct dyn *d)
{
    uint64_t rela = 0, bytes = 0;

    for (; d->tag != 0; d++) {
        if (d->tag == DYN_RELA)
            rela = bias + d->value;
        else if (d->tag == DYN_RELASZ)
            bytes = d->value;
    }
    const struct rela *r = (const struct rela *)rela;
    for (uint64_t n = bytes / sizeof *r; n > 0; n--, r++) {
        if ((uint32_t)r->info != RELOC_RELATIVE)
            die("libc: unknown relocation", 24);
        *(uint64_t *)(bias + r->offset) = bias + (uint64_t)r->addend;
    }
}

size_t __tls_bytes(void)
{
    size_t align = tls.align < 64 ? 64 : tls.align;
    return ((tls.memsz + align - 1) & ~(align - 1)) + sizeof(struct tcb) + align;
}

__attribute__((no_stack_protector)) struct tcb *__tls_init(void *mem, size_t bytes)
{
    size_t align = tls.align < 64 ? 64 : tls.align;
    uintptr_t tp = ((uintptr_t)mem + bytes - sizeof(struct tcb)) & ~(uintptr_t)(align - 1);
    struct tcb *t = (struct tcb *)tp;
    size_t span = (tls.memsz + tls.align - 1) & ~(tls.align - 1);
    if (tls.filesz > 0)
        memcpy((char *)tp - span, tls.image, tls.filesz);
    t->self = t;
    t->net = &__net_first;
    return t;
}

__attribute__((no_stack_protector)) static void start_tls(const uint8_t *random)
{
    size_t need = __tls_bytes();
    void *mem = main_tls;
    size_t bytes = sizeof main_tls;

    if (need > bytes) {
        bytes = (need + 4095) & ~(size_t)4095;
        int64_t at = sys_mem_map(0, bytes, PROT_R | PROT_W);
        if (at < 0)
            die("libc: no memory for TLS", 23);
        mem = (void *)at;
    }
    struct tcb *t = __tls_init(mem, bytes);
    t->id = 1;
    t->alive = 1;
    t->reent = _impure_ptr;
    if (random != NULL)
        memcpy(&t->canary, random, sizeof t->canary);
    t->canary &= ~0xffull; /* a string function cannot copy past it */
    sys_thread_tls(t);
}

const struct inherit_item *inherit_next(const struct inherit_head *h, size_t *off)
{
    size_t at = *off == 0 ? sizeof *h : *off;
    const struct inherit_item *it = (const struct inherit_item *)((const char *)h + at);

    if (at + sizeof *it > h->bytes || at + sizeof *it + it->path_bytes > h->bytes ||
        (it->path_bytes > 0 && strnlen((const char *)(it + 1), it->path_bytes) == it->path_bytes))
        return NULL;
    *off = at + sizeof *it + it->path_bytes;
    return it;
}

static void inherit(const struct inherit_head *h, size_t bytes)
{
    if (bytes < sizeof *h || h->magic != INHERIT_MAGIC || h->bytes != bytes)
        return;
    __libc_inherited = h;
    if ((h->ignored | h->mask) != 0)
        __libc_signals_inherit(h->ignored, h->mask);
}

__attribute__((no_stack_protector, noreturn, visibility("hidden"))) void
__slipway_start(uint64_t *sp, const struct dyn *dynamic)
{
    int argc = (int)sp[0];
    char **argv = (char **)(sp + 1);
    char **envp = argv + argc + 1;
    uint64_t aux[AUX_MAX] = {0};
    uint64_t *p = (uint64_t *)envp;
    uint64_t bias = 0, relro = 0, relro_bytes = 0, extra = 0, extra_bytes = 0;

    while (*p++ != 0)
        ;
    for (; p[0] != 0; p += 2) {
        if (p[0] < AUX_MAX)
            aux[p[0]] = p[1];
        else if (p[0] == AT_SLIPWAY_EXTRA)
            extra = p[1];
        else if (p[0] == AT_SLIPWAY_EXTRA_BYTES)
            extra_bytes = p[1];
    }

    const struct phdr *ph = (const struct phdr *)aux[AUX_PHDR];
    for (uint64_t i = 0; i < aux[AUX_PHNUM]; i++)
        if (ph[i].type == PHDR_DYNAMIC)
            bias = (uint64_t)dynamic - ph[i].vaddr;
    relocate(bias, dynamic);

    tls.align = 1;
    for (uint64_t i = 0; i < aux[AUX_PHNUM]; i++) {
        if (ph[i].type == PHDR_TLS) {
            tls.image = (const void *)(bias + ph[i].vaddr);
            tls.filesz = ph[i].filesz;
            tls.memsz = ph[i].memsz;
            tls.align = ph[i].align > 0 ? ph[i].align : 1;
        } else if (ph[i].type == PHDR_RELRO) {
            relro = (bias + ph[i].vaddr) & ~4095ull;
            relro_bytes = ((bias + ph[i].vaddr + ph[i].memsz) & ~4095ull) - relro;
        }
    }
    if (relro_bytes > 0)
        sys_mem_protect(relro, relro_bytes, PROT_R);

    start_tls((const uint8_t *)aux[AUX_RANDOM]);
    environ = envp;
    __libc_heap_seed((const uint8_t *)aux[AUX_RANDOM]);
    inherit((const struct inherit_head *)extra, extra_bytes);
    atexit(__libc_fini_array);
    __libc_init_array();
    exit(main(argc, argv, envp));
}

/* newlib calls these around its arrays where a target has .init and .fini;
 * this target has the arrays only. */
void _init(void) {}
void _fini(void) {}
