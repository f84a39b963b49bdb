/* SPDX-License-Identifier: MIT
 *
 * kernel/info.c: the status records that anybody may read.
 *
 * Owns: nothing; it collects. Called by: the info call. Context: thread.
 */
#include <kernel/acpi.h>
#include <kernel/boot_info.h>
#include <kernel/inventory.h>
#include <kernel/irq.h>
#include <kernel/names.h>
#include <kernel/pci.h>
#include <kernel/proc.h>
#include <kernel/random.h>
#include <kernel/screen.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <kernel/syscall.h>
#include <slipway_version.h>

union info_record {
    struct info_system system;
    struct info_process process;
    struct info_device device;
    struct info_irq irq;
    struct info_cpu cpu;
    struct info_screen screen;
    struct info_name name;
    struct info_memory memory;
    struct info_clock clock;
    char cmdline[BOOT_CMDLINE_MAX];
};

static size_t fill_system(struct info_system *s)
{
    const struct process *first = process_find(1);
    strlcpy(s->version, SLIPWAY_VERSION, sizeof s->version);
    s->uptime_ns = now_ns();
    s->realtime_ns = realtime_ns();
    s->memory_total = mem_total_bytes();
    s->memory_free = mem_free_bytes();
    s->cpus = smp_cpus();
    s->processes = process_count();
    s->threads = sched_thread_count();
    s->random_seeded = random_seeded();
    for (uint32_t i = 0; i < smp_cpus(); i++) {
        const struct percpu *c = smp_cpu[i];
        s->idle_ns += cycles_to_ns(sched_idle_cycles(i));
        s->context_switches += c->context_switches;
        s->syscalls += c->syscalls;
        s->interrupts += c->interrupts;
        s->timer_interrupts += c->timer_interrupts;
    }
    strlcpy(s->clock, clock_name(), sizeof s->clock);
    strlcpy(s->event, event_name(), sizeof s->event);
    strlcpy(s->irq, irq_controller_name(), sizeof s->irq);
    strlcpy(s->pci, pci_access_name(), sizeof s->pci);
    strlcpy(s->firmware, boot_info_get()->efi ? "uefi" : "bios", sizeof s->firmware);
    s->boot_ns = first != NULL ? first->started_ns : 0;
    s->tsc_hz = tsc_hz();
    random_names(s->random_from);
    return sizeof *s;
}

static const char *state_name(const struct process *p)
{
    if (p->dying)
        return "dead";
    for (const struct thread *t = p->threads; t != NULL; t = t->sibling)
        if (t->state != THREAD_BLOCKED)
            return "run";
    return "wait";
}

static size_t fill_process(struct info_process *i, uint64_t cursor)
{
    const struct process *p = process_first();
    uint64_t cycles;

    while (p != NULL && cursor-- > 0)
        p = p->next;
    if (p == NULL)
        return 0;
    cycles = p->dead_cycles;
    for (const struct thread *t = p->threads; t != NULL; t = t->sibling)
        cycles += thread_cycles(t);
    i->pid = p->pid;
    i->parent = p->parent;
    strlcpy(i->name, p->name, sizeof i->name);
    strlcpy(i->state, state_name(p), sizeof i->state);
    i->priority = p->priority;
    i->threads = p->nthreads;
    i->memory_bytes = vm_used_bytes(p->as) + p->charged_bytes;
    i->memory_limit = p->rights.memory_limit;
    i->cpu_ns = cycles_to_ns(cycles);
    i->started_ns = p->started_ns;
    i->handles = p->handles.used;
    i->restarts = p->restarts;
    return sizeof *i;
}

static size_t fill_cpu(struct info_cpu *i, uint64_t cursor)
{
    const struct percpu *c;
    uint64_t now = now_ns();

    if (cursor >= smp_cpus())
        return 0;
    c = smp_cpu[cursor];
    i->cpu = c->cpu;
    i->apic_id = c->apic_id;
    i->online = c->online;
    i->idle_ns = cycles_to_ns(sched_idle_cycles(c->cpu));
    i->busy_ns = now > i->idle_ns ? now - i->idle_ns : 0;
    i->interrupts = c->interrupts;
    i->timer_interrupts = c->timer_interrupts;
    i->context_switches = c->context_switches;
    i->syscalls = c->syscalls;
    i->lock_waits = c->lock_waits;
    i->lock_wait_ns = cycles_to_ns(c->lock_wait_cycles);
    i->lock_wait_most_ns = cycles_to_ns(c->lock_wait_most);
    i->ipis = c->ipis;
    i->steals = c->steals;
    return sizeof *i;
}

static size_t fill(union info_record *r, uint64_t kind, uint64_t cursor)
{
    switch (kind) {
    case INFO_SYSTEM:
        return cursor == 0 ? fill_system(&r->system) : 0;
    case INFO_PROCESS:
        return fill_process(&r->process, cursor);
    case INFO_CMDLINE:
        return cursor == 0 ? strlcpy(r->cmdline, boot_info_get()->cmdline, sizeof r->cmdline) + 1 : 0;
    case INFO_DEVICE:
        return inventory_get(cursor, &r->device) ? sizeof r->device : 0;
    case INFO_IRQ:
        return cursor <= UINT32_MAX && irq_info_get((unsigned)cursor, &r->irq) ? sizeof r->irq : 0;
    case INFO_NAME:
        return names_get(cursor, &r->name) ? sizeof r->name : 0;
    case INFO_CPU:
        return fill_cpu(&r->cpu, cursor);
    case INFO_MEMORY:
        if (cursor == 0)
            mem_info(&r->memory);
        return cursor == 0 ? sizeof r->memory : 0;
    case INFO_CLOCK:
        return cursor <= UINT32_MAX && clock_info_get((unsigned)cursor, &r->clock) ? sizeof r->clock : 0;
    case INFO_SCREEN:
        return cursor == 0 && screen_info(&r->screen) ? sizeof r->screen : 0;
    default: /* a number between that means nothing yet; others are refused before */
        return 0;
    }
}

SYSCALL_HANDLER(info)
{
    union info_record *r;
    size_t n;
    int err;

    if (a0 < INFO_SYSTEM || a0 > INFO_SCREEN)
        return -EINVAL;
    r = kzalloc(sizeof *r);
    if (r == NULL)
        return -ENOMEM;
    n = fill(r, a0, a1);
    if (n > a3)
        n = a3; /* an older program knows a shorter record */
    err = copy_to_user(a2, r, n);
    kfree(r);
    return err < 0 ? err : (int64_t)n;
}
