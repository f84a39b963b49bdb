/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/smp.c: several processors: who runs where, that all of them
 * work, that none waits for ever. Every test makes sense on one CPU, too.
 *
 * A thread sees by CPUID which processor it is on. What depends on the host's
 * own scheduling is tried in several rounds, one of which must be good: a
 * kernel that shares badly is never good.
 */
#include "selftest.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CPUS_MAX 64u
#define ROUNDS   5

static struct info_cpu table[CPUS_MAX];
static unsigned cpus; /* filled by look() */

static unsigned look(void)
{
    for (cpus = 0; cpus < CPUS_MAX; cpus++)
        if (sys_info(INFO_CPU, cpus, &table[cpus], sizeof table[0]) != (int)sizeof table[0])
            break;
    return cpus;
}

static uint64_t all_cpus(void)
{
    return UINT64_MAX >> (64 - cpus);
}

/* Initial APIC id: CPUID.1:EBX, upper byte (Intel SDM vol. 2). */
static uint32_t apic_id(void)
{
    uint32_t a = 1, b, c = 0, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return b >> 24;
}

static uint64_t in_ms(uint64_t ms)
{
    return sys_now_ns() + ms * 1000000;
}

static void rest_ms(uint64_t ms)
{
    sys_wait(NULL, 0, in_ms(ms));
}

static void compute_until(uint64_t end_ns)
{
    while (sys_now_ns() < end_ns)
        ;
}

/* --- what INFO_CPU tells --- */

static const char *figures_are_plausible(void)
{
    struct info_system s;
    struct info_cpu before;

    CHECK(sys_info(INFO_SYSTEM, 0, &s, sizeof s) == (int)sizeof s);
    CHECK(look() == s.cpus && cpus >= 1);
    for (unsigned i = 0; i < cpus; i++) {
        CHECK(table[i].cpu == i && table[i].online == 1);
        for (unsigned k = 0; k < i; k++)
            CHECK(table[k].apic_id != table[i].apic_id);
        CHECK(table[i].lock_wait_most_ns <= table[i].lock_wait_ns);
        CHECK(table[i].lock_waits != 0 || table[i].lock_wait_ns == 0);
    }
    for (unsigned i = 0; i < cpus; i++) { /* 50 ms of work on it are seen on it */
        CHECK(sys_thread_affinity(1ull << i) == (int64_t)(1ull << i));
        look();
        before = table[i];
        compute_until(in_ms(50));
        for (unsigned k = 0; k < 10; k++)
            __sys_raw3(SYS_getpid, 0, 0, 0);
        look();
        CHECK(table[i].busy_ns - before.busy_ns >= 45000000);
        CHECK(table[i].syscalls - before.syscalls >= 10);
        CHECK(table[i].context_switches >= before.context_switches);
        CHECK(table[i].interrupts >= before.interrupts);
    }
    CHECK(sys_thread_affinity(all_cpus()) > 0);
    return NULL;
}

/* --- affinity --- */

static const char *affinity_is_kept(void) /* C-SCHED-4 */
{
    look();
    CHECK(sys_thread_affinity(0) == (int64_t)all_cpus());
    if (cpus < CPUS_MAX - 1)
        CHECK(sys_thread_affinity(1ull << cpus) == -EINVAL);
    for (unsigned round = 0; round < 50; round++)
        for (unsigned i = 0; i < cpus; i++) {
            CHECK(sys_thread_affinity(1ull << i) == (int64_t)(1ull << i));
            CHECK(apic_id() == table[i].apic_id);
            sys_yield();
            CHECK(apic_id() == table[i].apic_id);
            if (round % 10 == 0)
                rest_ms(1);
            CHECK(apic_id() == table[i].apic_id);
        }
    CHECK(sys_thread_affinity(all_cpus()) == (int64_t)all_cpus());
    return NULL;
}

/* --- FS base --- */

static __thread unsigned long mine;
static const char *complaint;

static void *wander(void *arg)
{
    unsigned long number = (unsigned long)arg;
    pthread_t self = pthread_self();

    for (unsigned i = 0; i < 2000 && complaint == NULL; i++) {
        mine = number * 10000 + i;
        if (sys_thread_affinity(1ull << (number + i) % cpus) < 0)
            complaint = "the thread could not move";
        if (mine != number * 10000 + i || pthread_self() != self)
            complaint = "another thread's memory after a move";
    }
    return NULL;
}

static const char *tls_follows_a_thread(void)
{
    pthread_t t[6];

    look();
    complaint = NULL;
    for (unsigned long i = 0; i < 6; i++)
        CHECK(pthread_create(&t[i], NULL, wander, (void *)(i + 1)) == 0);
    for (unsigned i = 0; i < 6; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
    return complaint;
}

/* --- wake-ups from one CPU to another --- */

#define WAKES 50000u /* each way */

static uint32_t ball;

/* Waits until it is this one's turn and passes on: one lost wake-up, and the wait
 * ends by its deadline. */
static bool play(uint32_t turn, uint32_t rounds)
{
    struct wait_item w = {.kind = WAIT_FUTEX, .addr = (uint64_t)(uintptr_t)&ball};

    for (uint32_t i = turn; i < 2 * rounds; i += 2) {
        while ((w.value = __atomic_load_n(&ball, __ATOMIC_ACQUIRE)) != i) {
            if (w.value == UINT32_MAX)
                return false;
            if (sys_wait(&w, 1, sys_now_ns() + 4 * WAIT_NS) != 1) {
                __atomic_store_n(&ball, UINT32_MAX, __ATOMIC_RELEASE);
                sys_futex_wake(&ball, 1);
                return false;
            }
        }
        __atomic_store_n(&ball, i + 1, __ATOMIC_RELEASE);
        sys_futex_wake(&ball, 1);
    }
    return true;
}

static void *partner(void *arg)
{
    if ((uintptr_t)arg != 0)
        sys_thread_affinity((uint64_t)(uintptr_t)arg);
    return (void *)(uintptr_t)play(1, WAKES / 2);
}

static const char *no_wake_is_lost_between(void) /* C-MSG-6 */
{
    look();
    for (int apart = 0; apart < 2; apart++) {
        uint64_t mask = apart ? 1ull << (cpus - 1) : 0;
        pthread_t t;
        void *good;

        ball = 0;
        if (apart)
            CHECK(sys_thread_affinity(1) == 1);
        CHECK(pthread_create(&t, NULL, partner, (void *)(uintptr_t)mask) == 0);
        CHECK(play(0, WAKES / 2));
        CHECK(pthread_join(t, &good) == 0 && good != NULL);
    }
    CHECK(sys_thread_affinity(all_cpus()) > 0);
    return NULL;
}

/* --- two busy processes --- */

struct busy {
    volatile uint64_t work;
    uint64_t pad[7];
};
static struct {
    volatile uint32_t stop, pad[15];
    struct busy b[2];
} *shared;

static bool cpu_ns(int pid, uint64_t *ns)
{
    struct info_process p;

    for (uint64_t i = 0; i < 256; i++)
        if (sys_info(INFO_PROCESS, i, &p, sizeof p) > 0 && p.pid == (uint32_t)pid) {
            *ns = p.cpu_ns;
            return true;
        }
    return false;
}

static bool equal(uint64_t a, uint64_t b) /* each 45 % at least */
{
    return a * 100 >= (a + b) * 45 && b * 100 >= (a + b) * 45;
}

/* One second of two processes that do nothing but compute. */
static const char *try_halves(uint64_t *time_good, uint64_t *work_good)
{
    static struct info_cpu before[CPUS_MAX];
    uint64_t ns[2] = {0, 0}, start, all, work[2];
    int pid[2];

    memset((void *)shared, 0, sizeof *shared);
    for (int i = 0; i < 2; i++) {
        pid[i] = fork();
        CHECK(pid[i] >= 0);
        if (pid[i] == 0) {
            while (!shared->stop)
                shared->b[i].work++;
            _exit(0);
        }
    }
    rest_ms(20);
    look();
    memcpy(before, table, sizeof before);
    uint64_t first[2];
    CHECK(cpu_ns(pid[0], &first[0]) && cpu_ns(pid[1], &first[1]));
    work[0] = shared->b[0].work, work[1] = shared->b[1].work;
    start = sys_now_ns();
    rest_ms(1000);
    CHECK(cpu_ns(pid[0], &ns[0]) && cpu_ns(pid[1], &ns[1]));
    all = sys_now_ns() - start;
    work[0] = shared->b[0].work - work[0], work[1] = shared->b[1].work - work[1];
    look();
    shared->stop = 1;
    CHECK(waitpid(pid[0], NULL, 0) == pid[0] && waitpid(pid[1], NULL, 0) == pid[1]);
    ns[0] -= first[0], ns[1] -= first[1];
    *work_good += equal(work[0], work[1]);
    bool good = equal(ns[0], ns[1]) && ns[0] + ns[1] >= all / 100 * (cpus > 1 ? 180 : 90);
    if (cpus == 2)
        good = good && equal(table[0].busy_ns - before[0].busy_ns, table[1].busy_ns - before[1].busy_ns);
    *time_good += good;
    printf("# two busy processes: %u %% and %u %% of the time, %u %% and %u %% of the work\n",
           (unsigned)(ns[0] * 100 / all), (unsigned)(ns[1] * 100 / all),
           (unsigned)(work[0] * 100 / (work[0] + work[1])), (unsigned)(work[1] * 100 / (work[0] + work[1])));
    return NULL;
}

static const char *two_processes_share_the_work(void)
{
    uint64_t time_good = 0, work_good = 0;
    const char *why = NULL;

    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    for (int i = 0; i < ROUNDS && why == NULL && (time_good == 0 || work_good == 0); i++)
        why = try_halves(&time_good, &work_good);
    munmap((void *)shared, sizeof *shared);
    CHECK(why == NULL);
    CHECK(time_good != 0);
    CHECK(work_good != 0);
    return NULL;
}

/* --- four threads on two CPUs --- */

#define STEPS 16000000u

static void *labour(void *arg)
{
    for (volatile uint32_t i = 0; i < STEPS; i++)
        ;
    return arg;
}

/* How long so many threads took, and how much of that time CPU 0 and 1 were busy, in percent. */
static uint64_t time_of(unsigned threads, unsigned *busy)
{
    unsigned used = cpus > 1 ? 2 : 1;
    uint64_t start = sys_now_ns(), before = 0, after = 0, all;
    pthread_t t[4];

    look();
    for (unsigned i = 0; i < used; i++)
        before += table[i].busy_ns;
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&t[i], NULL, labour, NULL) != 0)
            return 0;
    for (unsigned i = 0; i < threads; i++)
        pthread_join(t[i], NULL);
    look();
    for (unsigned i = 0; i < used; i++)
        after += table[i].busy_ns;
    all = sys_now_ns() - start;
    *busy = (unsigned)((after - before) * 100 / (used * all));
    return all;
}

/* The threads start on one CPU. On a quiet host four take twice the time of two;
 * what is asserted is that no CPU rests while threads wait. */
static const char *idle_cpus_take_work(void)
{
    unsigned good = 0, busy_two, busy_four;

    look();
    CHECK(sys_thread_affinity(all_cpus() & 3) > 0);
    for (int i = 0; i < ROUNDS && good < 2; i++) {
        uint64_t two = time_of(2, &busy_two), four = time_of(4, &busy_four);

        CHECK(two != 0 && four != 0);
        printf("# two threads %u ms, CPUs %u %% busy, four %u ms, %u %%\n", (unsigned)(two / 1000000),
               busy_two, (unsigned)(four / 1000000), busy_four);
        good += busy_four >= 80;
    }
    CHECK(sys_thread_affinity(all_cpus()) > 0);
    CHECK(good == 2);
    return NULL;
}

/* --- priority, without starvation --- */

static volatile bool stop;
static volatile uint64_t turns[BARE_THREADS];

static void counts(uint64_t i)
{
    while (!stop)
        turns[i]++;
    bare_end(i);
}

/* As many that compute at this thread's priority as there are CPUs, and one
 * below them: it gets a little of a CPU's time, and not nothing. */
static const char *low_priority_gets_a_little(void) /* C-SCHED-3 */
{
    uint64_t best = 0, low, again;
    unsigned n = look() < BARE_THREADS - 1 ? cpus : BARE_THREADS - 1;

    stop = false;
    memset((void *)turns, 0, sizeof turns);
    for (unsigned i = 1; i <= n; i++)
        CHECK(bare_start(counts, i, PRIO_NORMAL) > 0);
    rest_ms(50);
    CHECK(bare_start(counts, 0, PRIO_LOW) > 0);
    compute_until(in_ms(2500)); /* this one, too, is better than that */
    low = turns[0];
    compute_until(in_ms(2500));
    again = turns[0];
    stop = true;
    for (unsigned i = 0; i <= n; i++) {
        CHECK(bare_gone(i));
        if (i != 0 && turns[i] > best)
            best = turns[i];
    }
    printf("# of low priority: %u per mille of another's turns\n", (unsigned)(again * 1000 / best));
    CHECK(low > 0 && again > low);
    CHECK(again * 10 < best);
    return NULL;
}

/* --- timers --- */

#define SLEEPS 100

static struct {
    unsigned early, prompt;
    uint64_t interrupts;
} sleeps[CPUS_MAX];

static void *sleeps_on(void *arg)
{
    unsigned i = (unsigned)(uintptr_t)arg;
    struct info_cpu before, after;

    sys_thread_affinity(1ull << i);
    sys_info(INFO_CPU, i, &before, sizeof before);
    for (unsigned n = 0; n < SLEEPS; n++) {
        uint64_t due = sys_now_ns() + 300000 + (n * 7 + i * 5) % 13 * 100000, woke;
        sys_wait(NULL, 0, due);
        woke = sys_now_ns();
        sleeps[i].early += woke < due;
        sleeps[i].prompt += woke - due < 20000000;
    }
    sys_info(INFO_CPU, i, &after, sizeof after);
    sleeps[i].interrupts = after.timer_interrupts - before.timer_interrupts;
    return NULL;
}

/* All CPUs sleep at the same time, for times that differ. An interrupt that was
 * forgotten would end a sleep with the next one, on this CPU or another, or never. */
static const char *timers_on_each_cpu(void)
{
    pthread_t t[CPUS_MAX];

    look();
    for (int round = 0; round < 2; round++) { /* one after the other, then together */
        memset(sleeps, 0, sizeof sleeps);
        for (unsigned i = 0; i < cpus; i++) {
            CHECK(pthread_create(&t[i], NULL, sleeps_on, (void *)(uintptr_t)i) == 0);
            if (round == 0)
                CHECK(pthread_join(t[i], NULL) == 0);
        }
        for (unsigned i = 0; i < cpus && round == 1; i++)
            CHECK(pthread_join(t[i], NULL) == 0);
        for (unsigned i = 0; i < cpus; i++) {
            CHECK(sleeps[i].early == 0);
            CHECK(sleeps[i].prompt >= SLEEPS / 2);
            CHECK(sleeps[i].interrupts > 0);
        }
    }
    return NULL;
}

/* --- the kernel lock --- */

static volatile bool enough;
static uint64_t entries[CPUS_MAX];

static void *enters(void *arg)
{
    unsigned i = (unsigned)(uintptr_t)arg;
    uint64_t n = 0;

    sys_thread_affinity(1ull << i);
    for (; !enough; n++)
        __sys_raw3(SYS_null, 0, 0, 0);
    entries[i] = n;
    return NULL;
}

/* CPUs that do nothing but enter the kernel: nobody is kept out. That turns go
 * round exactly is shown in the kernel (kernel_lock_is_fair); here the host may take
 * the processor from under one of them, and then the others are many times faster
 * for want of anybody to wait for. */
static const char *the_kernel_lets_everybody_in(void) /* C-LOCK-1 */
{
    bool good = false;

    look();
    for (int round = 0; round < ROUNDS && !good; round++) {
        uint64_t least = UINT64_MAX, most = 0;
        pthread_t t[CPUS_MAX];

        enough = false;
        for (unsigned i = 0; i < cpus; i++)
            CHECK(pthread_create(&t[i], NULL, enters, (void *)(uintptr_t)i) == 0);
        rest_ms(500);
        enough = true;
        for (unsigned i = 0; i < cpus; i++) {
            CHECK(pthread_join(t[i], NULL) == 0);
            least = entries[i] < least ? entries[i] : least;
            most = entries[i] > most ? entries[i] : most;
        }
        printf("# system calls of a CPU in 500 ms: %lu to %lu\n", (unsigned long)least, (unsigned long)most);
        good = least >= 100; /* who is kept out gets none, or nearly */
    }
    CHECK(good);
    return NULL;
}

const struct test smp_tests[] = {
    {"figures-are-plausible", figures_are_plausible},
    {"affinity-is-kept", affinity_is_kept},
    {"tls-follows-a-thread", tls_follows_a_thread},
    {"no-wake-is-lost-between", no_wake_is_lost_between},
    {"timers-on-each-cpu", timers_on_each_cpu},
    {"the-kernel-lets-everybody-in", the_kernel_lets_everybody_in},
    {"two-processes-share-the-work", two_processes_share_the_work},
    {"idle-cpus-take-work", idle_cpus_take_work},
    {"low-priority-gets-a-little", low_priority_gets_a_little},
    {NULL, NULL},
};
