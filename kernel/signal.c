/* SPDX-License-Identifier: MIT
 *
 * kernel/signal.c: who gets a signal, and when.
 *
 * Owns: pending signals and masks, default actions, the alarm. The frames on
 * user stacks are signal_frame.c's. Called by: system calls, the end of
 * processes and threads, faults, a timer. Context: thread and poll.
 *
 * A signal for a process waits in the process until a thread takes it; one
 * thread that does not block it is chosen and marked (signals.due), which ends
 * its blocking call with -EINTR and leads it to signal_deliver on its way to ring
 * 3. What ends a process does so at once. A thread whose mask changes looks again,
 * and so do the others when it stops taking what waits: nothing stays behind.
 */
#include <kernel/proc.h>
#include <kernel/syscall.h>

#define UNMASKABLE (SIGNAL_BIT(SIGNAL_KILL) | SIGNAL_BIT(SIGNAL_STOP))
#define ALL_SIGNALS (~1u & ~UNMASKABLE)
/* Ignored unless caught. A stop would need somebody to continue it; there is no job control. */
#define IGNORED_BY_DEFAULT                                                                          \
    (SIGNAL_BIT(SIGNAL_URGENT) | SIGNAL_BIT(SIGNAL_TTY_STOP) | SIGNAL_BIT(SIGNAL_CONTINUE) |        \
     SIGNAL_BIT(SIGNAL_CHILD) | SIGNAL_BIT(SIGNAL_TTY_IN) | SIGNAL_BIT(SIGNAL_TTY_OUT) |            \
     SIGNAL_BIT(SIGNAL_WINDOW))

/* Those that do something: caught, or with a default action that ends. */
static uint32_t acting(const struct process *p)
{
    uint32_t none = p->signals.ignored | IGNORED_BY_DEFAULT;

    if (p->pid == 1)
        none = ~0u; /* everything hangs on it: only what it catches */
    return p->signals.caught | ~none;
}

/* What thread t would act on now. */
static uint32_t deliverable(const struct thread *t)
{
    const struct process *p = t->process;

    return (t->signals.pending | p->signals.pending) & ~t->signals.mask & acting(p);
}

static void kick(struct thread *t)
{
    t->signals.due = true;
    thread_kick(t);
}

/* A thread that takes `signal`: the running one, else one that waits. */
static struct thread *taker(const struct process *p, uint32_t signal)
{
    struct thread *found = NULL;

    for (struct thread *t = p->threads; t != NULL; t = t->sibling) {
        if ((t->signals.mask & SIGNAL_BIT(signal)) != 0)
            continue;
        if (t == self_thread())
            return t;
        if (found == NULL || t->state == THREAD_BLOCKED)
            found = t;
    }
    return found;
}

void signal_hand_out(struct process *p)
{
    uint32_t waiting = p->dying ? 0 : p->signals.pending & acting(p);

    while (waiting != 0) {
        uint32_t signal = (uint32_t)__builtin_ctz(waiting);
        struct thread *t = taker(p, signal);
        waiting &= waiting - 1;
        if (t != NULL && !t->signals.due)
            kick(t);
    }
}

static void look_again(struct thread *t)
{
    struct process *p = t->process;
    uint32_t moot = ~acting(p) & ~t->signals.mask; /* kept while blocked, and then for nobody */

    t->signals.pending &= ~moot;
    p->signals.pending &= ~moot;
    t->signals.due = false;
    if (deliverable(t) != 0)
        kick(t);
}

static bool ends(const struct process *p, uint32_t signal)
{
    return (p->signals.caught & SIGNAL_BIT(signal)) == 0 && (acting(p) & SIGNAL_BIT(signal)) != 0;
}

uint32_t signal_fatal(const struct thread *t)
{
    uint32_t fatal = deliverable(t) & ~t->process->signals.caught;

    return fatal != 0 ? (uint32_t)__builtin_ctz(fatal) : 0;
}

static void note(struct process *p, uint32_t signal, uint32_t sender, uint32_t reason)
{
    p->signals.sender[signal] = sender;
    p->signals.reason[signal] = (uint8_t)reason;
}

void signal_post(struct process *p, uint32_t signal, uint32_t sender, uint32_t reason)
{
    struct thread *t;

    if (p->dying)
        return;
    t = taker(p, signal);
    if (signal == SIGNAL_KILL || (t != NULL && ends(p, signal))) {
        process_end(p, PROC_KILLED, (int32_t)signal);
        return;
    }
    if (t != NULL && (acting(p) & SIGNAL_BIT(signal)) == 0)
        return; /* ignored; where everybody blocks it, signal_wait may still want it */
    note(p, signal, sender, reason);
    p->signals.pending |= SIGNAL_BIT(signal);
    if (t != NULL)
        kick(t);
    else
        waitq_wake(&p->signals.waiters);
}

static void post_to_thread(struct thread *t, uint32_t signal, uint32_t sender, uint32_t reason)
{
    struct process *p = t->process;
    bool blocked = (t->signals.mask & SIGNAL_BIT(signal)) != 0;

    if (p->dying || (!blocked && (acting(p) & SIGNAL_BIT(signal)) == 0))
        return;
    if (signal == SIGNAL_KILL || (!blocked && ends(p, signal))) {
        process_end(p, PROC_KILLED, (int32_t)signal);
        return;
    }
    note(p, signal, sender, reason);
    t->signals.pending |= SIGNAL_BIT(signal);
    if (blocked)
        waitq_wake(&p->signals.waiters);
    else
        kick(t);
}

static uint32_t signal_of_vector(uint64_t vector)
{
    switch (vector) {
    case 0: /* division */
    case 16:
    case 19:
        return SIGNAL_FPE;
    case 1:
    case 3:
        return SIGNAL_TRAP;
    case 6:
        return SIGNAL_ILL;
    default:
        return SIGNAL_SEGV;
    }
}

bool signal_fault(const struct trap_frame *f, uint64_t address)
{
    struct thread *t = self_thread();
    uint32_t signal = signal_of_vector(f->vector);

    if ((t->process->signals.caught & ~t->signals.mask & SIGNAL_BIT(signal)) == 0)
        return false; /* one inside its own handler ends the process, too */
    t->signals.address = address;
    post_to_thread(t, signal, t->process->pid, SIGNAL_FROM_FAULT);
    return true;
}

/* --- the life of processes and threads --- */

static void alarm_rings(void *arg)
{
    struct process *p = arg;
    struct process_signals *s = &p->signals;

    s->alarm_ns = s->interval_ns != 0 ? s->alarm_ns + s->interval_ns : 0;
    if (s->alarm_ns != 0 && s->alarm_ns < now_ns())
        s->alarm_ns = now_ns() + s->interval_ns; /* late: what was missed is one signal */
    if (s->alarm_ns != 0 && timer_arm(&s->alarm, s->alarm_ns) < 0)
        s->alarm_ns = 0;
    signal_post(p, SIGNAL_ALARM, 0, SIGNAL_FROM_TIMER);
}

void signal_process_init(struct process *p)
{
    timer_init(&p->signals.alarm, alarm_rings, p);
}

void signal_forked(struct process *child, struct thread *thread, const struct process *parent)
{
    child->signals.entry = parent->signals.entry;
    child->signals.caught = parent->signals.caught;
    child->signals.ignored = parent->signals.ignored;
    thread->signals.mask = self_thread()->signals.mask;
}

void signal_execed(struct process *p)
{
    p->signals.entry = 0;
    p->signals.caught = 0;
}

void signal_ended(struct process *p)
{
    struct process *parent = process_find(p->parent);

    timer_cancel(&p->signals.alarm);
    if (parent == NULL)
        return;
    parent->signals.children_ended = (parent->signals.children_ended + 1) & INT32_MAX;
    waitq_wake(&parent->signals.waiters);
    signal_post(parent, SIGNAL_CHILD, p->pid, SIGNAL_FROM_CHILD);
}

/* --- the calls --- */

uint32_t signal_mask_set(struct thread *t, uint32_t mask)
{
    uint32_t old = t->signals.mask;

    t->signals.mask = mask & ALL_SIGNALS;
    look_again(t);
    if (t->process->signals.pending & t->signals.mask & ~old)
        signal_hand_out(t->process); /* it was perhaps the one that was to take them */
    return old;
}

SYSCALL_HANDLER(signal_setup)
{
    struct process *p = self_process();
    struct sys_signal_setup s;
    uint32_t gone;
    int r = copy_from_user(&s, a0, sizeof s);

    if (r < 0)
        return r;
    if (s.entry >= USER_END || (s.entry == 0 && s.caught != 0) || (s.caught & s.ignored) != 0 ||
        ((s.caught | s.ignored) & ~ALL_SIGNALS) != 0)
        return -EINVAL;
    p->signals.entry = s.entry;
    p->signals.caught = s.caught;
    p->signals.ignored = s.ignored;
    gone = s.ignored | (IGNORED_BY_DEFAULT & ~s.caught);
    p->signals.pending &= ~gone;
    for (struct thread *t = p->threads; t != NULL; t = t->sibling)
        t->signals.pending &= ~gone;
    look_again(self_thread());
    return 0;
}

SYSCALL_HANDLER(signal_mask)
{
    struct thread *t = self_thread();
    uint32_t mask = (uint32_t)a1;

    switch (a0) {
    case SIGNAL_SET:
        return signal_mask_set(t, mask);
    case SIGNAL_BLOCK:
        return signal_mask_set(t, t->signals.mask | mask);
    case SIGNAL_UNBLOCK:
        return signal_mask_set(t, t->signals.mask & ~mask);
    case SIGNAL_PENDING:
        return (t->signals.pending | t->process->signals.pending) & ALL_SIGNALS;
    default:
        return -EINVAL;
    }
}

void signal_wait_over(struct thread *t, uint32_t old)
{
    if (t->signals.due) {
        t->signals.saved = old;
        t->signals.restore = true;
    } else {
        signal_mask_set(t, old);
    }
}

/* The mask changes and the wait begins with nothing in between. */
static int64_t wait_masked(struct thread *t, uint32_t mask, uint64_t deadline)
{
    uint32_t old = signal_mask_set(t, mask); /* C-SIG-3 */
    int r = 0;

    while (r == 0)
        r = t->signals.due ? -EINTR : deadline == 0 ? -EAGAIN : thread_block(deadline);
    signal_wait_over(t, old);
    return r;
}

static int64_t take(struct thread *t, uint32_t wanted)
{
    struct process *p = t->process;
    uint32_t found = (t->signals.pending | p->signals.pending) & wanted & ALL_SIGNALS, signal;

    if (found == 0)
        return 0;
    signal = (uint32_t)__builtin_ctz(found);
    if (t->signals.pending & SIGNAL_BIT(signal))
        t->signals.pending &= ~SIGNAL_BIT(signal);
    else
        p->signals.pending &= ~SIGNAL_BIT(signal);
    look_again(t);
    return signal;
}

/* Until `wanted` (signals, or another count than the one seen) has come. */
static int64_t wait_for(struct thread *t, uint32_t wanted, bool child, uint64_t deadline)
{
    struct process *p = t->process;
    struct wait_entry e = {.thread = t};
    int64_t got = 0;
    int r = 0;

    t->woken = false;
    waitq_add(&p->signals.waiters, &e);
    for (;;) {
        got = !child ? take(t, wanted) : p->signals.children_ended != wanted ? 1 : 0;
        if (got != 0 || r != 0)
            break;
        r = deadline == 0 ? -EAGAIN : thread_block(deadline);
    }
    waitq_remove(&e);
    if (got == 0)
        return r;
    return child ? p->signals.children_ended : got;
}

SYSCALL_HANDLER(signal_wait)
{
    struct thread *t = self_thread();

    switch (a1) {
    case SIGNAL_WAIT_MASK:
        return wait_masked(t, (uint32_t)a0, a2);
    case SIGNAL_WAIT_TAKE:
    case SIGNAL_WAIT_CHILD:
        return wait_for(t, (uint32_t)a0, a1 == SIGNAL_WAIT_CHILD, a2);
    default:
        return -EINVAL;
    }
}

SYSCALL_HANDLER(kill)
{
    struct process *p = self_process(), *target = process_find((uint32_t)a0);

    if (target == NULL || target->dying)
        return -ESRCH;
    if (a1 > SIGNAL_MAX || a1 == SIGNAL_STOP)
        return -EINVAL;
    if (target != p && target->parent != p->pid && !process_has(p, RIGHT_PROC_KILL))
        return -EPERM;
    if (target->pid == 1 && target != p)
        return -EPERM; /* everything hangs on it */
    if (a1 != 0)       /* 0 asks whether it lives and may be ended */
        signal_post(target, (uint32_t)a1, p->pid, SIGNAL_FROM_USER);
    return 0;
}

SYSCALL_HANDLER(thread_signal)
{
    struct thread *t = self_thread();
    struct process *p = t->process;

    if (a1 > SIGNAL_MAX || a1 == SIGNAL_STOP)
        return -EINVAL;
    if (a0 != 0)
        for (t = p->threads; t != NULL && t->id != a0;)
            t = t->sibling;
    if (t == NULL)
        return -ESRCH;
    if (a1 != 0)
        post_to_thread(t, (uint32_t)a1, p->pid, SIGNAL_FROM_USER);
    return 0;
}

static uint64_t alarm_left(const struct process_signals *s)
{
    uint64_t now = now_ns();

    if (s->alarm_ns == 0)
        return 0;
    return s->alarm_ns > now ? s->alarm_ns - now : 1;
}

static int64_t alarm_set(struct process *p, uint64_t ns, uint64_t interval_ns)
{
    struct process_signals *s = &p->signals;
    uint64_t now = now_ns(), left = alarm_left(s);

    if (ns > INT64_MAX / 2 || interval_ns > INT64_MAX / 2 || (interval_ns != 0 && interval_ns < NS_PER_MS / 10))
        return -EINVAL;
    if (ns == 0) {
        timer_cancel(&s->alarm);
        s->alarm_ns = 0;
        return (int64_t)left;
    }
    if (timer_arm(&s->alarm, now + ns) < 0)
        return -ENOMEM;
    s->alarm_ns = now + ns;
    s->interval_ns = interval_ns;
    return (int64_t)left;
}

SYSCALL_HANDLER(process_control)
{
    struct process *p = self_process();

    switch (a0) {
    case PROCESS_PARENT:
        return p->parent;
    case PROCESS_THREAD:
        return self_thread()->id;
    case PROCESS_ALARM:
        return alarm_set(p, a1, a2);
    case PROCESS_ALARM_LEFT:
        return (int64_t)alarm_left(&p->signals);
    case PROCESS_PRIORITY:
        if (a1 > p->priority)
            return -EPERM;
        for (struct thread *t = a1 != 0 ? p->threads : NULL; t != NULL; t = t->sibling)
            if (t->base > a1)
                thread_set_base(t, (unsigned)a1);
        if (a1 != 0)
            p->priority = (uint32_t)a1;
        return p->priority;
    default:
        return -EINVAL;
    }
}
