/* SPDX-License-Identifier: MIT
 *
 * kernel/cpu.c: bringing up the processor.
 *
 * Owns: the CPUID findings (cpu), per-CPU data, GDT, TSS with the stacks of
 * NMI, double fault and machine check, the IDT.
 * Context: boot, interrupts off; cpu_new thread.
 */
#include <kernel/cpu.h>
#include <kernel/string.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/smp.h>
#include <stddef.h>

#define CR0_MP (1u << 1)
#define CR0_EM (1u << 2)
#define CR0_TS (1u << 3)
#define CR0_NE (1u << 5)
#define CR0_WP (1u << 16)
#define CR0_AM (1u << 18)

#define CR4_MCE        (1u << 6)
#define CR4_PGE        (1u << 7)
#define CR4_OSFXSR     (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)
#define CR4_UMIP       (1u << 11)
#define CR4_FSGSBASE   (1u << 16)
#define CR4_OSXSAVE    (1u << 18)
#define CR4_SMEP       (1u << 20)
#define CR4_SMAP       (1u << 21)

#define EFER_NXE (1u << 11)

/* As after a reset (SDM vol. 3 section 12.12.4), but entry 4 is write-combining. */
#define PAT_ENTRIES 0x0007040100070406ull

#define IST_STACK_BYTES 8192
#define IST_COUNT       3
#define STUB_BYTES      16
#define GATE_INTERRUPT  0x8e

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, iomap;
} __attribute__((packed));

struct idt_gate {
    uint16_t offset_lo, selector;
    uint8_t ist, type;
    uint16_t offset_mid;
    uint32_t offset_hi, reserved;
};

/* Everything that each processor has for itself. */
struct cpu_tables {
    struct percpu percpu; /* first: this_cpu() leads here too */
    uint64_t gdt[7];
    struct tss tss;
    uint8_t ist_stack[IST_COUNT][IST_STACK_BYTES] __attribute__((aligned(16)));
};

struct cpu_features cpu;
static struct cpu_tables boot_cpu;
static struct idt_gate idt[256] __attribute__((aligned(16)));

extern const uint8_t trap_stubs[]; /* trap.S: 256 stubs of STUB_BYTES */

/* trap.S and the system-call entry reach these by number. */
_Static_assert(offsetof(struct percpu, kernel_rsp) == 8, "gs:8");
_Static_assert(offsetof(struct percpu, user_rsp) == 16, "gs:16");
_Static_assert(offsetof(struct percpu, current) == 24, "gs:24");
_Static_assert(offsetof(struct percpu, need_resched) == 48, "gs:48");
_Static_assert(offsetof(struct percpu, entry_work) == 50, "gs:50");
_Static_assert(offsetof(struct percpu, polls_pending) == 52, "gs:52");
_Static_assert(sizeof(struct tss) == 104, "TSS is 104 bytes");
_Static_assert(sizeof(struct idt_gate) == 16, "IDT gate is 16 bytes");
_Static_assert(sizeof(struct trap_frame) == 176, "trap.S pushes 176 bytes");

static void copy_reg(char *to, uint32_t reg)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (char)(reg >> (8 * i));
}

static void detect_hypervisor(void)
{
    uint32_t r[4];
    char name[13] = "";

    cpuid(1, 0, r);
    if ((r[2] & 1u << 31) == 0) /* CPUID.1:ECX.31: leaves from 0x40000000 on are there */
        return;
    cpuid(0x40000000u, 0, r);
    for (unsigned i = 0; i < 3; i++)
        copy_reg(name + i * 4, r[i + 1]);
    cpu.emulated = memcmp(name, "TCGTCGTCGTCG", 12) == 0;
}

static void detect_names(uint32_t max_ext)
{
    uint32_t r[4];

    cpuid(0, 0, r);
    copy_reg(cpu.vendor, r[1]);
    copy_reg(cpu.vendor + 4, r[3]);
    copy_reg(cpu.vendor + 8, r[2]);
    if (max_ext < 0x80000004u)
        return;
    for (unsigned leaf = 0; leaf < 3; leaf++) {
        cpuid(0x80000002u + leaf, 0, r);
        for (unsigned i = 0; i < 4; i++)
            copy_reg(cpu.brand + leaf * 16 + i * 4, r[i]);
    }
}

static void detect(void)
{
    uint32_t r[4], max, max_ext;

    cpuid(0, 0, r);
    max = r[0];
    cpuid(0x80000000u, 0, r);
    max_ext = r[0];
    detect_hypervisor();
    detect_names(max_ext);

    cpuid(1, 0, r);
    cpu.pge = r[3] & (1u << 13);
    cpu.apic = r[3] & (1u << 9);
    cpu.mce = (r[3] & (1u << 7)) && (r[3] & (1u << 14));
    cpu.pat = r[3] & (1u << 16);
    cpu.pcid = r[2] & (1u << 17);
    cpu.x2apic = r[2] & (1u << 21);
    cpu.tsc_deadline = r[2] & (1u << 24);
    cpu.xsave = r[2] & (1u << 26);
    cpu.rdrand = r[2] & (1u << 30);
    if (max >= 7) {
        cpuid(7, 0, r);
        cpu.smep = r[1] & (1u << 7);
        cpu.smap = r[1] & (1u << 20);
        cpu.umip = r[2] & (1u << 2);
    }
    if (max_ext >= 0x80000001u) {
        cpuid(0x80000001u, 0, r);
        cpu.nx = r[3] & (1u << 20);
        cpu.gb_pages = r[3] & (1u << 26);
    }
    if (max_ext >= 0x80000007u) {
        cpuid(0x80000007u, 0, r);
        cpu.invariant_tsc = r[3] & (1u << 8);
    }
}

/* boot/entry.S has already refused a CPU without long mode, NX, SYSCALL, FXSAVE or SSE2. */
static void enable_features(void)
{
    uint64_t cr0 = read_cr0(), cr4 = read_cr4();

    /* AM stays clear: EFLAGS.AC is SMAP's key here, not a user's alignment check. */
    cr0 &= ~(uint64_t)(CR0_EM | CR0_TS | CR0_AM);
    cr0 |= CR0_MP | CR0_NE | CR0_WP;
    write_cr0(cr0);

    /* FSGSBASE stays off: the paranoid entries trust the sign of GS_BASE. */
    cr4 &= ~(uint64_t)CR4_FSGSBASE;
    cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    cr4 |= (cpu.mce ? CR4_MCE : 0) | (cpu.pge ? CR4_PGE : 0) | (cpu.umip ? CR4_UMIP : 0) |
           (cpu.xsave ? CR4_OSXSAVE : 0) | (cpu.smep ? CR4_SMEP : 0) | (cpu.smap ? CR4_SMAP : 0);
    write_cr4(cr4);
    if (cpu.pat)
        wrmsr(MSR_PAT, PAT_ENTRIES);
    if (cpu.nx)
        wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
}

static void load_gdt(struct cpu_tables *t)
{
    uint64_t base = (uint64_t)&t->tss, limit = sizeof(t->tss) - 1;
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) gdtr = {sizeof(t->gdt) - 1, (uint64_t)t->gdt};

    t->tss.iomap = sizeof(t->tss); /* no port is open to ring 3 (C-PROC-3) */
    for (unsigned i = 0; i < IST_COUNT; i++)
        t->tss.ist[i] = (uint64_t)t->ist_stack[i] + IST_STACK_BYTES;
    t->gdt[0] = 0;
    t->gdt[SEL_KCODE / 8] = 0x00af9b000000ffffull;
    t->gdt[SEL_KDATA / 8] = 0x00cf93000000ffffull;
    t->gdt[SEL_UDATA / 8] = 0x00cff3000000ffffull;
    t->gdt[SEL_UCODE / 8] = 0x00affb000000ffffull;
    t->gdt[SEL_TSS / 8] = limit | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    t->gdt[SEL_TSS / 8 + 1] = base >> 32;

    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "movl %2, %%eax\n\t"
                     "movl %%eax, %%ss\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "movl %%eax, %%ds\n\t"
                     "movl %%eax, %%es\n\t"
                     "movl %%eax, %%fs\n\t"
                     "movl %%eax, %%gs\n\t"
                     "movw %w3, %%ax\n\t"
                     "ltr %%ax"
                     :
                     : "m"(gdtr), "i"(SEL_KCODE), "i"(SEL_KDATA), "r"(SEL_TSS)
                     : "rax", "memory");
}

static void load_idt(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) idtr = {sizeof(idt) - 1, (uint64_t)idt};

    __asm__ volatile("lidt %0" ::"m"(idtr));
}

static void fill_idt(void)
{
    for (unsigned v = 0; v < 256; v++) {
        uint64_t stub = (uint64_t)trap_stubs + v * STUB_BYTES;

        idt[v].offset_lo = (uint16_t)stub;
        idt[v].offset_mid = (uint16_t)(stub >> 16);
        idt[v].offset_hi = (uint32_t)(stub >> 32);
        idt[v].selector = SEL_KCODE;
        idt[v].type = GATE_INTERRUPT;
    }
    idt[3].type |= 0x60; /* ring 3 may execute int3 */
    idt[2].ist = 1;      /* NMI, double fault and machine check come at any time,  */
    idt[8].ist = 2;      /* also when the stack is bad: each has a stack of its own */
    idt[18].ist = 3;
}

static void load_tables(struct cpu_tables *t)
{
    t->percpu.self = &t->percpu;
    t->percpu.tss_rsp0 = (char *)&t->tss + offsetof(struct tss, rsp);
    t->percpu.bit = 1ull << t->percpu.cpu;
    load_gdt(t);
    wrmsr(MSR_GS_BASE, (uint64_t)&t->percpu);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
    load_idt();
}

void cpu_init(void)
{
    cpu.entry_tsc = rdtsc();
    fill_idt();
    load_tables(&boot_cpu);
    smp_cpu[0] = &boot_cpu.percpu;
    boot_cpu.percpu.online = 1;
    detect();
    enable_features();
    fpu_init();
}

struct percpu *cpu_new(uint32_t number, uint32_t apic_id)
{
    struct cpu_tables *t = kzalloc(sizeof *t);

    if (t == NULL)
        return NULL;
    t->percpu.cpu = number;
    t->percpu.apic_id = apic_id;
    return &t->percpu;
}

void cpu_free(struct percpu *c)
{
    kfree(c);
}

void cpu_init_other(struct percpu *c)
{
    load_tables((struct cpu_tables *)c);
    enable_features();
    fpu_enable();
    mce_init();
}
