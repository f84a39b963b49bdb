/* SPDX-License-Identifier: MIT
 *
 * kernel/info.c: the status records that anybody may read.
 *
 * Owns: nothing; it collects. Called by: the info call. Context: thread.
 */
#include <kernel/acpi.h>
#include <kernel/boot_info.h>
#include <kernel/irq.h>
#include <kernel/names.h>
#include <kernel/pci.h>
#include <kernel/proc.h>
#include <kernel/random.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <kernel/syscall.h>
#include <slipway_version.h>

union info_record {
    struct info_system system;
    struct info_process process;
    struct info_device device;
    struct info_irq irq;
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

/* PCI Code and ID Assignment Specification, base classes and a few below. */
static const char *class_name(uint32_t class_code)
{
    switch (class_code >> 8) {
    case 0x0101:
        return "IDE controller";
    case 0x0106:
        return "SATA controller";
    case 0x0200:
        return "Ethernet controller";
    case 0x0300:
        return "VGA display";
    case 0x0600:
        return "host bridge";
    case 0x0601:
        return "ISA bridge";
    case 0x0604:
        return "PCI bridge";
    case 0x0c03:
        return "USB controller";
    case 0x0c05:
        return "SMBus";
    default:
        break;
    }
    static const char *const base[] = {
        "unclassified", "storage", "network", "display", "multimedia", "memory", "bridge",
        "communication", "system", "input", "docking station", "processor", "serial bus", "wireless",
    };
    uint32_t number = class_code >> 16;
    return number < sizeof base / sizeof base[0] ? base[number] : "other";
}

static size_t fill_device(struct info_device *i, uint64_t cursor)
{
    const struct pci_device *d = pci_first();

    while (d != NULL && cursor-- > 0)
        d = d->next;
    if (d == NULL)
        return 0;
    strlcpy(i->node, d->node, sizeof i->node);
    strlcpy(i->driver, d->driver != NULL ? d->driver : "", sizeof i->driver);
    strlcpy(i->irq_mode, d->irq_mode != NULL ? d->irq_mode : "", sizeof i->irq_mode);
    strlcpy(i->class_name, class_name(d->class_code), sizeof i->class_name);
    i->segment = d->segment;
    i->bus = d->bus;
    i->device = d->device;
    i->function = d->function;
    i->irq_pin = d->irq_pin;
    i->vendor = d->vendor;
    i->product = d->product;
    i->class_code = (uint16_t)(d->class_code >> 8);
    i->irq = d->irq_line;
    memcpy(i->mac, d->mac, sizeof i->mac);
    for (unsigned b = 0; b < 6; b++) {
        i->bar_base[b] = d->bar[b].base;
        i->bar_size[b] = d->bar[b].bytes;
        if (d->bar[b].is_io)
            i->bar_is_io |= (uint8_t)(1u << b);
    }
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
        return fill_device(&r->device, cursor);
    case INFO_IRQ:
        return cursor <= UINT32_MAX && irq_info_get((unsigned)cursor, &r->irq) ? sizeof r->irq : 0;
    case INFO_NAME:
        return names_get(cursor, &r->name) ? sizeof r->name : 0;
    case INFO_MEMORY:
        if (cursor == 0)
            mem_info(&r->memory);
        return cursor == 0 ? sizeof r->memory : 0;
    case INFO_CLOCK:
        return cursor <= UINT32_MAX && clock_info_get((unsigned)cursor, &r->clock) ? sizeof r->clock : 0;
    default: /* a number between that means nothing yet; others are refused before */
        return 0;
    }
}

SYSCALL_HANDLER(info)
{
    union info_record *r;
    size_t n;
    int err;

    if (a0 < INFO_SYSTEM || a0 > INFO_CLOCK)
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
