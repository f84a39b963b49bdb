/* SPDX-License-Identifier: MIT
 *
 * kernel/poll.c: the work that hard interrupts leave behind.
 *
 * Owns: on each CPU, two lists of struct poll_work: due now, and left over (a
 * poll that spent its budget, to run again when threads have had POLL_YIELD_NS or
 * when the CPU is idle). Work runs on the CPU where it was scheduled, which is the
 * one that took the interrupt.
 * Context: poll_schedule any; the rest kernel context, never nested. A list is
 * its CPU's own, guarded by interrupts off; poll_work.queued says on whose it is.
 */
#include <kernel/cpu.h>
#include <kernel/irq.h>
#include <kernel/mem.h>
#include <kernel/time.h>
#include <stddef.h>

#define ROUND_MAX 32 /* turns in one call: the way back to ring 3 stays short */

struct cpu_polls {
    struct poll_work *head, **tail;
    struct poll_work *late_head, **late_tail;
    struct timer yield;
    bool running;
};

bool polls_init(struct percpu *c)
{
    static struct cpu_polls first;
    struct cpu_polls *p = c->cpu == 0 ? &first : kzalloc(sizeof *p);

    if (p == NULL)
        return false;
    p->tail = &p->head;
    p->late_tail = &p->late_head;
    c->polls = p;
    return true;
}

/* One instruction each, so that an interrupt cannot come in between. */
void pending_set(uint32_t bits)
{
    __asm__ volatile("orl %0, %%gs:52" ::"r"(bits) : "memory", "cc");
}

void pending_clear(uint32_t bits)
{
    __asm__ volatile("andl %0, %%gs:52" ::"r"(~bits) : "memory", "cc");
}

/* True for the one who may put it on a list. */
static bool claim(struct poll_work *w)
{
    return __atomic_exchange_n(&w->queued, 1, __ATOMIC_ACQ_REL) == 0;
}

void poll_schedule(struct poll_work *w)
{
    uint64_t flags = irq_save();

    if (claim(w)) {
        struct cpu_polls *p = this_cpu()->polls;

        w->next = NULL;
        *p->tail = w;
        p->tail = &w->next;
        pending_set(PENDING_POLLS);
    }
    irq_restore(flags);
}

/* The left-over work becomes due. */
static void late_due(void *arg)
{
    struct cpu_polls *p = arg;
    uint64_t flags = irq_save();

    if (p->late_head != NULL) {
        *p->tail = p->late_head;
        p->tail = p->late_tail;
        p->late_head = NULL;
        p->late_tail = &p->late_head;
        pending_set(PENDING_POLLS);
    }
    irq_restore(flags);
}

static struct poll_work *take(struct cpu_polls *p)
{
    uint64_t flags = irq_save();
    struct poll_work *w = p->head;

    if (w != NULL) {
        p->head = w->next;
        if (p->head == NULL)
            p->tail = &p->head;
        /* From here on an interrupt may queue it again, on any CPU. It won't run
         * twice at once: who runs it there waits for the kernel lock. */
        __atomic_store_n(&w->queued, 0, __ATOMIC_RELEASE);
    }
    irq_restore(flags);
    return w;
}

static void leave_over(struct cpu_polls *p, struct poll_work *w)
{
    uint64_t flags = irq_save();

    if (claim(w)) { /* else its interrupt came meanwhile: it is due anyway */
        w->next = NULL;
        *p->late_tail = w;
        p->late_tail = &w->next;
    }
    irq_restore(flags);
}

void poll_run_pending(void)
{
    struct percpu *self = this_cpu();
    struct cpu_polls *p = self->polls;
    bool idle = self->current == self->idle;
    struct poll_work *w;

    if (p->running)
        return;
    p->running = true;
    if (idle && p->late_head != NULL)
        late_due(p);
    pending_clear(PENDING_POLLS);
    for (unsigned turns = 0; turns < ROUND_MAX && (w = take(p)) != NULL; turns++)
        if (w->run(w->arg))
            leave_over(p, w);
    if (p->head != NULL)
        pending_set(PENDING_POLLS);
    p->running = false;

    if (p->late_head == NULL)
        return;
    if (idle) {
        pending_set(PENDING_POLLS); /* the idle loop comes back if nobody wants the CPU */
        return;
    }
    if (p->yield.fn == NULL)
        timer_init(&p->yield, late_due, p);
    if (p->yield.slot == 0 && timer_arm(&p->yield, now_ns() + POLL_YIELD_NS) < 0)
        late_due(p); /* no memory for the timer: rather run too early than never */
}
