/* SPDX-License-Identifier: MIT
 *
 * kernel/selftest_smp.c: the kernel lock, spinlocks, and processors that are not
 * as they should be. With one CPU the same code runs without anybody to wait for.
 *
 * Context: boot thread, before the first process; a kernel thread on each CPU.
 */
#include <kernel/lock.h>
#include <kernel/proc.h>
#include <kernel/selftest.h>
#include <kernel/smp.h>
#include <kernel/string.h>

#define WAIT_NS    (20 * NS_PER_S) /* a host may run one CPU at a time */
#define GATHER_NS  (2 * NS_PER_S)
#define CROWD_NS   (10 * NS_PER_S)
#define TURNS      3000u /* where there is time; and so many at which others waited */
#define BOOT_LIMIT (60 * NS_PER_S)

static struct {
    struct waitq q;
    volatile uint32_t ended, gathered;
    volatile uint32_t contended; /* how often somebody else waited */
    bool passed_over;
    uint64_t crowd_by_ns, sum, inner_sum, done, inner_done;
} t;
static struct spinlock outer = SPINLOCK("test", RANK_TEST);
static struct spinlock inner = SPINLOCK("test inner", RANK_TEST_INNER);

static void end(void)
{
    t.ended++;
    waitq_wake(&t.q);
}

/* fn on each CPU; then waits for all of them. */
static const char *on_all_cpus(void (*fn)(void *))
{
    struct wait_entry e = {.thread = thread_current()};
    uint64_t deadline = now_ns() + WAIT_NS;
    int r = 0;

    memset(&t, 0, sizeof t);
    t.crowd_by_ns = now_ns() + CROWD_NS;
    for (uint32_t i = 0; i < smp_cpus(); i++)
        TEST(kthread_create(fn, (void *)(uintptr_t)i, "smp test", PRIO_NORMAL) != NULL);
    waitq_add(&t.q, &e);
    while (t.ended < smp_cpus() && r == 0)
        r = thread_block(deadline);
    waitq_remove(&e);
    TEST(t.ended == smp_cpus());
    return NULL;
}

/* Until all CPUs are here at once, without the kernel lock. */
static void gather(void)
{
    uint64_t deadline = now_ns() + GATHER_NS;

    __atomic_fetch_add(&t.gathered, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&t.gathered, __ATOMIC_SEQ_CST) < smp_cpus() && now_ns() < deadline)
        cpu_relax();
}

/* On a busy host a CPU may have done its part before another gets to run; and where
 * the host must bring each in turn, a turn takes a slice of its time. */
static bool more(unsigned turns)
{
    if (now_ns() >= t.crowd_by_ns)
        return turns == 0;
    return turns < TURNS || (smp_cpus() > 1 && t.contended < TURNS);
}

/* Leaves the lock and wants it back at once. Whoever waited when it left must
 * have had it in between. */
static void contender(void *arg)
{
    (void)thread_bind(1ull << (uintptr_t)arg);
    kernel_unlock();
    gather();
    kernel_lock();
    for (unsigned i = 0; more(i); i++) {
        uint32_t waiting = kernel_lock_waiters(), turn = kernel_lock_turn();

        kernel_unlock();
        kernel_lock();
        t.contended += waiting != 0;
        if (waiting != 0 && kernel_lock_turn() - turn < waiting + 1)
            t.passed_over = true;
    }
    end();
}

SELFTEST(kernel_lock_is_fair) /* C-LOCK-1 */
{
    const char *why = on_all_cpus(contender);

    TEST(why == NULL);
    TEST(!t.passed_over);
    TEST(smp_cpus() == 1 || t.contended > 0);
    return NULL;
}

/* What is no atomic operation comes out right, and the queue is kept here, too. */
static void adder(void *arg)
{
    unsigned i;

    (void)thread_bind(1ull << (uintptr_t)arg);
    kernel_unlock();
    gather();
    for (i = 0; more(i); i++) {
        uint64_t flags = spin_lock_irqsave(&outer), nested, sum = t.sum;
        uint32_t turn = outer.owner, waiting = outer.next - turn - 1;

        t.contended += waiting != 0;
        if (i % 8 == 0) {
            nested = spin_lock_irqsave(&inner);
            t.inner_sum++;
            spin_unlock_irqrestore(&inner, nested);
        }
        t.sum = sum + 1;
        spin_unlock_irqrestore(&outer, flags);
        if (waiting == 0)
            continue;
        flags = spin_lock_irqsave(&outer);
        if (outer.owner - turn < waiting + 1)
            t.passed_over = true;
        spin_unlock_irqrestore(&outer, flags);
    }
    kernel_lock();
    t.done += i;
    t.inner_done += (i + 7) / 8;
    end();
}

SELFTEST(spinlocks)
{
    const char *why = on_all_cpus(adder);

    TEST(why == NULL);
    TEST(t.sum == t.done && t.inner_sum == t.inner_done);
    TEST(!t.passed_over);
    TEST(smp_cpus() == 1 || t.contended > 0);
    TEST(outer.next == outer.owner && inner.next == inner.owner);
    return NULL;
}

/* --- what smp_start.c does differently when these are named --- */

SELFTEST_ALONE(absent_cpu) /* C-SMP-1 */
{
    TEST(smp_absent == 1);
    TEST(smp_cpus() >= 2); /* the others came */
    TEST(now_ns() < BOOT_LIMIT);
    return on_all_cpus(contender);
}

SELFTEST_ALONE(skewed_tsc) /* C-CLOCK-7 */
{
    uint64_t before = now_ns();

    TEST(smp_cpus() >= 2);
    TEST(!time_tsc_is_clock());
    TEST(thread_block(before + 5 * NS_PER_MS) == -ETIMEDOUT);
    TEST(now_ns() - before >= 5 * NS_PER_MS);
    return NULL;
}
