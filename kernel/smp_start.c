/* SPDX-License-Identifier: MIT
 *
 * kernel/smp_start.c: starting the other processors (Intel SDM vol. 3, 9.4).
 *
 * Owns: the trampoline page, the tables that map it to itself, the comparison of
 * the processors' time-stamp counters. Called by kmain once, on CPU 0; ap_main
 * runs on each of the others. Every wait has a deadline.
 */
#include <kernel/acpi.h>
#include <kernel/boot_info.h>
#include <kernel/intctl.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/options.h>
#include <kernel/parse.h>
#include <kernel/paging.h>
#include <kernel/sched.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <kernel/syscall.h>

#define PAGE_FIRST      0x8000u  /* below are the firmware's data */
#define PAGE_LAST       0x90000u /* above may be the firmware's extended data */
#define INIT_WAIT_US    10000u   /* SDM: before the first start-up message */
#define STARTUP_WAIT_US 200u     /* and before the second */
#define START_WAIT_NS   (2 * NS_PER_S)
#define SYNC_ROUNDS     16u
#define SYNC_WAIT_NS    NS_PER_S /* a host may run one at a time */
#define ABSENT_APIC_ID  0xfdu /* nobody's, for test=absent_cpu */
#define TEST_SKEW       (1ull << 32) /* cycles, for test=skewed_tsc: more than a busy host takes for a turn */
#define SKEW_MAX_CYCLES 1000u /* beyond what the exchange itself explains */

extern const uint8_t ap_page[], ap_page_end[], ap_words[]; /* boot/ap_entry.S */

struct ap_words {
    volatile uint32_t invited;
    uint32_t cr3;
    uint64_t rsp, arg, entry;
};

uint32_t smp_absent;

/* What a starting CPU and CPU 0 say to each other. */
static struct {
    volatile uint32_t arrived; /* its number */
    volatile uint32_t go;      /* CPU 0 has its state ready */
    volatile uint32_t turn;    /* of the clock comparison: even CPU 0's, odd the other's */
    volatile uint64_t tsc, skew; /* skew: the largest seen; whose turn it is writes them */
} meet;

static struct {
    phys_t page;
    phys_t tables[3]; /* PML4, PDPT, PD */
} start;

/* --- is its TSC ours? --- */

/* Each side reads its counter after it has seen the other's value. A value that
 * is behind one that was read before it shows by how much the counters differ.
 * False: the other side stopped answering. */
static bool compare(unsigned me)
{
    uint64_t deadline = now_ns() + SYNC_WAIT_NS;
    uint64_t ahead = me == 1 && option_has("test", "skewed_tsc") ? TEST_SKEW : 0;

    for (uint32_t i = me; i < 2 * SYNC_ROUNDS; i += 2) {
        while (__atomic_load_n(&meet.turn, __ATOMIC_ACQUIRE) != i) {
            if (now_ns() > deadline)
                return false;
            cpu_relax();
        }
        uint64_t theirs = meet.tsc, mine = rdtsc() + ahead;
        if (i > 0 && mine < theirs && theirs - mine > meet.skew)
            meet.skew = theirs - mine;
        meet.tsc = rdtsc() + ahead;
        __atomic_store_n(&meet.turn, i + 1, __ATOMIC_RELEASE);
    }
    return true;
}

/* --- on the new CPU --- */

static void ap_main(struct percpu *c)
{
    write_cr3(image_phys(kernel_pml4));
    cpu_init_other(c);
    syscall_init();
    if (!lapic_init_other())
        for (;;)
            __asm__ volatile("cli; hlt"); /* CPU 0 does not see it arrive */
    __atomic_store_n(&meet.arrived, c->cpu, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&meet.go, __ATOMIC_ACQUIRE))
        cpu_relax();
    (void)compare(1);
    time_init_other();
    c->sched->switched_at = rdtsc();
    sched_idle_other();
}

/* --- on CPU 0 --- */

/* A page of usable memory below 1 MiB, which nobody else uses (mem_init.c). */
static phys_t find_page(void)
{
    const struct boot_info *b = boot_info_get();

    for (uint32_t i = 0; i < b->nregions; i++) {
        const struct boot_region *r = &b->region[i];
        uint64_t first = page_round_up(r->base > PAGE_FIRST ? r->base : PAGE_FIRST);
        uint64_t end = r->base + r->bytes < PAGE_LAST ? r->base + r->bytes : PAGE_LAST;

        if (r->type == REGION_FREE && first + PAGE_SIZE <= end)
            return first;
    }
    return 0;
}

/* The kernel's upper half, and the first 2 MiB mapped to themselves. */
static bool make_tables(void)
{
    for (unsigned i = 0; i < 3; i++) {
        start.tables[i] = page_alloc(0, PAGE_ZERO | PAGE_BELOW_4G);
        if (start.tables[i] == 0)
            return false;
    }
    uint64_t *pml4 = phys_to_virt(start.tables[0]);
    memcpy(pml4 + 256, kernel_pml4 + 256, 256 * sizeof *pml4);
    pml4[0] = start.tables[1] | PTE_P | PTE_W;
    *(uint64_t *)phys_to_virt(start.tables[1]) = start.tables[2] | PTE_P | PTE_W;
    *(uint64_t *)phys_to_virt(start.tables[2]) = PTE_P | PTE_W | PTE_PS;
    return true;
}

static void free_tables(void)
{
    for (unsigned i = 0; i < 3; i++)
        if (start.tables[i] != 0)
            page_free(start.tables[i], 0);
}

static struct ap_words *words(void)
{
    return phys_to_virt(start.page + (phys_t)(ap_words - ap_page));
}

static bool wait_for(volatile uint32_t *word, uint32_t value, uint64_t ns)
{
    uint64_t deadline = now_ns() + ns;

    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value) {
        if (now_ns() > deadline)
            return false;
        cpu_relax();
    }
    return true;
}

static struct percpu *new_cpu(uint32_t number, uint32_t apic_id)
{
    struct percpu *c = cpu_new(number, apic_id);

    if (c != NULL && sched_init_cpu(c) && timers_init(c) && polls_init(c))
        return c;
    return NULL; /* no memory at boot: what has been taken is little and stays */
}

/* Says "come" twice, as old processors need it, and waits. */
static bool invite(const struct percpu *c, void *stack_top)
{
    struct ap_words *w = words();
    uint32_t invited = 1;

    meet.arrived = meet.go = meet.turn = 0;
    w->cr3 = (uint32_t)start.tables[0];
    w->rsp = (uint64_t)stack_top;
    w->arg = (uint64_t)c;
    w->entry = (uint64_t)ap_main;
    __atomic_store_n(&w->invited, 1, __ATOMIC_SEQ_CST);
    lapic_start_page(c->apic_id, (uint8_t)(start.page >> PAGE_SHIFT));
    if (!wait_for(&meet.arrived, c->cpu, STARTUP_WAIT_US * NS_PER_US))
        lapic_start_page(c->apic_id, (uint8_t)(start.page >> PAGE_SHIFT));
    if (wait_for(&meet.arrived, c->cpu, START_WAIT_NS)) /* C-SMP-1 */
        return true;
    if (__atomic_compare_exchange_n(&w->invited, &invited, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return false; /* from now on it finds nothing to do */
    lapic_start_init(c->apic_id); /* it came half the way: back to its reset */
    return false;
}

static bool start_one(uint32_t apic_id)
{
    struct percpu *c = new_cpu(smp_count, apic_id);
    void *stack = kstack_alloc();

    if (c == NULL || stack == NULL) {
        klog(LOG_ERROR, "smp: no memory for the CPU with APIC id %u", apic_id);
        return false;
    }
    if (!invite(c, stack)) {
        smp_absent++;
        klog(LOG_WARN, "smp: the CPU with APIC id %u did not come, going on without it", apic_id);
        return false;
    }
    c->entry_work = this_cpu()->entry_work;
    smp_cpu[smp_count] = c;
    __atomic_store_n(&meet.go, 1, __ATOMIC_RELEASE);
    if (!compare(0) || !wait_for(&meet.turn, 2 * SYNC_ROUNDS, SYNC_WAIT_NS))
        klog(LOG_WARN, "smp: the time-stamp counter of CPU %u could not be compared", c->cpu);
    c->online = 1;
    __atomic_store_n(&smp_count, smp_count + 1, __ATOMIC_RELEASE);
    return true;
}

static void judge_clock(void)
{
    if (meet.skew <= SKEW_MAX_CYCLES)
        return;
    if (time_tsc_is_clock() && time_leave_tsc()) /* C-CLOCK-7 */
        klog(LOG_WARN, "smp: time-stamp counters differ by %lu cycles, %s serves as clock", meet.skew, clock_name());
    else
        klog(LOG_WARN, "smp: time-stamp counters differ by %lu cycles", meet.skew);
}

static uint32_t limit(void)
{
    const char *v = option("smp");
    uint32_t n;

    return v != NULL && parse_decimal(&v, 1, CPUS_MAX, &n) ? n : CPUS_MAX;
}

/* Which of them to start, into ids. */
static uint32_t candidates(uint32_t *ids, uint32_t most)
{
    uint32_t n = 0;

    if (option_has("test", "absent_cpu"))
        ids[n++] = ABSENT_APIC_ID;
    for (unsigned i = 0; i < acpi.ncpus; i++) {
        if (acpi.cpu_apic_id[i] == this_cpu()->apic_id)
            continue;
        if (!lapic_reaches(acpi.cpu_apic_id[i]))
            klog(LOG_WARN, "smp: APIC id %u needs x2APIC, which the firmware left off", acpi.cpu_apic_id[i]);
        else if (n + 1 < most)
            ids[n++] = acpi.cpu_apic_id[i];
    }
    return n;
}

static void start_all(const uint32_t *ids, uint32_t n)
{
    memcpy(phys_to_virt(start.page), ap_page, (size_t)(ap_page_end - ap_page));
    kernel_lock_begin();
    smp_take_interrupts();
    for (uint32_t i = 0; i < n; i++)
        lapic_start_init(ids[i]);
    delay_us(INIT_WAIT_US);
    for (uint32_t i = 0; i < n; i++)
        (void)start_one(ids[i]);
    memset(phys_to_virt(start.page), 0, PAGE_SIZE);
    judge_clock();
    klog(LOG_INFO, "smp: %u of %u CPUs run", smp_count, acpi.ncpus);
}

void smp_init(void)
{
    uint32_t ids[CPUS_MAX], n;

    if (acpi.ncpus <= 1)
        return;
    if (!lapic_present() || irq_line_mode() != IRQ_IOAPIC) {
        klog(LOG_INFO, "smp: one of %u CPUs, since the 8259 serves", acpi.ncpus);
        return;
    }
    n = candidates(ids, limit());
    if (n == 0) {
        klog(LOG_INFO, "smp: one of %u CPUs", acpi.ncpus);
        return;
    }
    start.page = find_page();
    if (start.page != 0 && make_tables() && sched_idle_apart())
        start_all(ids, n);
    else
        klog(LOG_ERROR, "smp: no memory to start CPUs with");
    free_tables();
}
