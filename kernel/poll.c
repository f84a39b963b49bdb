/* SPDX-License-Identifier: MIT
 *
 * kernel/poll.c: the work that hard interrupts leave behind.
 *
 * Owns: two lists of struct poll_work: due now, and left over (a poll that
 * spent its budget, to run again when threads have had POLL_YIELD_NS or when
 * the CPU is idle).
 * Context: poll_schedule any; the rest kernel context, never nested.
 */
#include <kernel/cpu.h>
#include <kernel/irq.h>
#include <kernel/time.h>
#include <stddef.h>

#define ROUND_MAX 32 /* turns in one call: the way back to ring 3 stays short */

static struct {
    struct poll_work *head, **tail;
    struct poll_work *late_head, **late_tail;
    struct timer yield;
    bool running;
} polls = {.tail = &polls.head, .late_tail = &polls.late_head};

/* One instruction each, so that an interrupt cannot come in between. */
void pending_set(uint32_t bits)
{
    __asm__ volatile("orl %0, %%gs:52" ::"r"(bits) : "memory", "cc");
}

void pending_clear(uint32_t bits)
{
    __asm__ volatile("andl %0, %%gs:52" ::"r"(~bits) : "memory", "cc");
}

void poll_schedule(struct poll_work *w)
{
    uint64_t flags = irq_save();

    if (!w->queued) {
        w->queued = 1;
        w->next = NULL;
        *polls.tail = w;
        polls.tail = &w->next;
        pending_set(PENDING_POLLS);
    }
    irq_restore(flags);
}

/* The left-over work becomes due. */
static void late_due(void *arg)
{
    uint64_t flags = irq_save();

    (void)arg;
    if (polls.late_head != NULL) {
        *polls.tail = polls.late_head;
        polls.tail = polls.late_tail;
        polls.late_head = NULL;
        polls.late_tail = &polls.late_head;
        pending_set(PENDING_POLLS);
    }
    irq_restore(flags);
}

static struct poll_work *take(void)
{
    uint64_t flags = irq_save();
    struct poll_work *w = polls.head;

    if (w != NULL) {
        polls.head = w->next;
        if (polls.head == NULL)
            polls.tail = &polls.head;
        w->queued = 0; /* from here on an interrupt may queue it again */
    }
    irq_restore(flags);
    return w;
}

static void leave_over(struct poll_work *w)
{
    uint64_t flags = irq_save();

    if (!w->queued) { /* else its interrupt came meanwhile: it is due anyway */
        w->queued = 1;
        w->next = NULL;
        *polls.late_tail = w;
        polls.late_tail = &w->next;
    }
    irq_restore(flags);
}

void poll_run_pending(void)
{
    struct percpu *self = this_cpu();
    bool idle = self->current == self->idle;
    struct poll_work *w;

    if (polls.running)
        return;
    polls.running = true;
    if (idle && polls.late_head != NULL)
        late_due(NULL);
    pending_clear(PENDING_POLLS);
    for (unsigned turns = 0; turns < ROUND_MAX && (w = take()) != NULL; turns++)
        if (w->run(w->arg))
            leave_over(w);
    if (polls.head != NULL)
        pending_set(PENDING_POLLS);
    polls.running = false;

    if (polls.late_head == NULL)
        return;
    if (idle) {
        pending_set(PENDING_POLLS); /* the idle loop comes back if nobody wants the CPU */
        return;
    }
    if (polls.yield.fn == NULL)
        timer_init(&polls.yield, late_due, NULL);
    if (polls.yield.slot == 0 && timer_arm(&polls.yield, now_ns() + POLL_YIELD_NS) < 0)
        late_due(NULL); /* no memory for the timer: rather run too early than never */
}
