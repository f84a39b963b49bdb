/* SPDX-License-Identifier: MIT
 *
 * kernel/balance.c: which CPU a thread runs on, and that no thread waits for ever.
 *
 * Owns: the choice of a CPU, affinity, the look for starving threads. Called by
 * sched.c. Context: thread or poll, kernel lock; so one CPU may move what is
 * queued on another. Every loop here ends after CPUS_MAX or SCAN_MAX steps.
 */
#include <kernel/sched.h>
#include <kernel/smp.h>
#include <kernel/syscall.h>

#define SCAN_MAX 16u /* threads of one queue that a search looks at */

static inline uint64_t online_mask(void)
{
    return UINT64_MAX >> (64 - smp_count);
}

static inline uint32_t first_cpu(uint64_t mask)
{
    return (uint32_t)__builtin_ctzll(mask);
}

/* Where a thread of lower priority runs. */
static struct sched *weaker(uint64_t allowed, unsigned priority)
{
    for (; allowed != 0; allowed &= allowed - 1) {
        struct sched *s = sched_of(first_cpu(allowed));

        if (s->cpu->current->priority < priority)
            return s;
    }
    return NULL;
}

/* The CPU that it ran on last when that is idle (its caches may still be warm),
 * else another idle one, else this one. A waker that is about to block keeps it
 * here: the one who is called runs in the caller's place. */
struct sched *place(struct thread *t)
{
    struct percpu *here = this_cpu();
    uint64_t allowed = t->affinity & online_mask(), idle = sched_shared.idle_cpus & allowed;
    struct sched *s;

    if ((allowed >> here->cpu & 1) && self_thread()->giving_way)
        return here->sched;
    if (idle >> t->cpu & 1)
        return sched_of(t->cpu);
    if ((allowed >> here->cpu & 1) && here->current == here->idle && here->sched->ready == 0)
        return here->sched;
    if (idle != 0)
        return sched_of(first_cpu(idle));
    if ((allowed >> here->cpu & 1) && here->current->priority < t->priority)
        return here->sched;
    s = weaker(allowed, t->priority);
    if (s != NULL)
        return s;
    return allowed >> here->cpu & 1 ? here->sched : sched_of(first_cpu(allowed));
}

/* The best thread in `from` that may run on one of the CPUs of the mask. */
static struct thread *find_movable(const struct sched *from, uint64_t mask)
{
    for (uint32_t queues = from->ready; queues != 0;) {
        unsigned p = 31u - (unsigned)__builtin_clz(queues), looked = 0;

        for (struct thread *t = from->head[p]; t != NULL && looked < SCAN_MAX; t = t->run_next, looked++)
            if (t->affinity & mask)
                return t;
        queues &= ~(1u << p);
    }
    return NULL;
}

bool sched_steal(struct sched *s)
{
    for (uint32_t i = 0; i < smp_count; i++) {
        struct sched *from = sched_of(i);
        struct thread *t = from != s && from->ready != 0 ? find_movable(from, 1ull << s->cpu->cpu) : NULL;

        if (t == NULL)
            continue;
        run_remove(from, t);
        run_insert(s, t, false);
        s->cpu->steals++;
        return true;
    }
    return false;
}

void sched_share(struct sched *s)
{
    uint64_t idle = sched_shared.idle_cpus & online_mask();
    struct thread *t = find_movable(s, idle);

    if (t == NULL)
        return;
    run_remove(s, t);
    s->cpu->steals++;
    make_ready(sched_of(first_cpu(idle & t->affinity)), t, false);
}

/* --- nobody starves --- */

/* At the head of each queue is who has waited longest there. One that stood there
 * at the last look and has not run since is put among the best for one slice. */
static void look(void *arg)
{
    struct sched *s = arg;
    unsigned top = s->ready != 0 ? run_best(s) : 0;

    s->looking = false;
    if (s->cpu->current->priority > top)
        top = s->cpu->current->priority;
    for (unsigned p = 0; p < top; p++) {
        struct thread *t = s->head[p];

        if (t != NULL && s->seen[p].thread == t->id && s->seen[p].cycles == t->cycles) {
            t->boost = (uint8_t)top; /* C-SCHED-3 */
            thread_recompute_priority(t);
            t = s->head[p];
        }
        s->seen[p].thread = t != NULL ? t->id : 0;
        s->seen[p].cycles = t != NULL ? t->cycles : 0;
    }
    if (s->ready != 0)
        starvation_look(s);
}

void starvation_look(struct sched *s)
{
    if (s->look.fn == NULL)
        timer_init(&s->look, look, s);
    s->looking = timer_arm(&s->look, now_ns() + STARVED_NS / 2) == 0;
}

void thread_raise(struct thread *t)
{
    if (t->boost > t->base || t->base + 1u >= PRIO_COUNT)
        return;
    t->boost = t->base + 1;
    thread_recompute_priority(t);
}

void boost_end(struct thread *t)
{
    t->boost = 0;
    thread_recompute_priority(t);
}

/* --- affinity --- */

int thread_bind(uint64_t mask)
{
    uint64_t allowed = mask & online_mask();

    if (allowed == 0)
        return -EINVAL;
    self_thread()->affinity = mask;
    if (!(allowed >> this_cpu()->cpu & 1))
        sched_move(sched_of(first_cpu(allowed))); /* C-SCHED-4 */
    return 0;
}

/* Threads that it starts inherit the mask. */
SYSCALL_HANDLER(thread_affinity)
{
    int r = a0 == 0 ? 0 : thread_bind(a0);

    return r < 0 ? r : (int64_t)(self_thread()->affinity & online_mask() & INT64_MAX);
}
