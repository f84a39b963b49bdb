/* SPDX-License-Identifier: MIT
 *
 * kernel/selftest_hw.c: interrupts from a card that is made for testing (QEMU's
 * edu device), interrupts from nowhere, the stack of the double fault.
 *
 * The card is driven here and nowhere else. It raises an interrupt for each bit
 * that is written to one register, by MSI or its INTx pin, until the same bit is
 * written to another (QEMU, docs/specs/edu.txt).
 * Context: as kernel/selftest.h says.
 */
#include <kernel/acpi.h>
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/pci.h>
#include <kernel/proc.h>
#include <kernel/selftest.h>
#include <kernel/string.h>
#include <kernel/time.h>
#include <slipway/syscall.h>
#include <stddef.h>

#define EDU_VENDOR  0x1234
#define EDU_PRODUCT 0x11e8
#define EDU_ID      0x00u
#define EDU_LIVE    0x04u /* reads back inverted */
#define EDU_PENDING 0x24u
#define EDU_RAISE   0x60u
#define EDU_ACK     0x64u
#define EDU_MAGIC   0xedu /* low byte of the id */
#define EDU_BIT     1u

#define ROUNDS  200u
#define WAIT_NS NS_PER_S

struct edu {
    volatile uint8_t *regs;
    struct irq irq;
    volatile unsigned seen;
};

static struct edu edu;

static uint32_t edu_read(uint32_t reg)
{
    return *(volatile uint32_t *)(edu.regs + reg);
}

static void edu_write(uint32_t reg, uint32_t v)
{
    *(volatile uint32_t *)(edu.regs + reg) = v;
}

static bool edu_interrupt(void *arg)
{
    uint32_t pending = edu_read(EDU_PENDING);

    (void)arg;
    if (pending == 0)
        return false;
    edu_write(EDU_ACK, pending);
    edu.seen++;
    return true;
}

static void edu_raise(void *arg)
{
    (void)arg;
    edu_write(EDU_RAISE, EDU_BIT);
}

static void edu_quiet(void *arg)
{
    (void)arg;
    edu_write(EDU_ACK, EDU_BIT);
}

static struct pci_device *edu_find(void)
{
    struct pci_device *d = pci_first();

    while (d != NULL && (d->vendor != EDU_VENDOR || d->product != EDU_PRODUCT))
        d = d->next;
    return d;
}

static bool edu_seen(unsigned count)
{
    uint64_t end = now_ns() + WAIT_NS;

    while (edu.seen < count && now_ns() < end)
        (void)thread_block(now_ns() + 100 * NS_PER_US);
    return edu.seen == count;
}

/* Every interrupt comes, once, by whatever way irq= leaves; and none after the
 * source has been taken off, though the card still asks. */
SELFTEST(edu) /* C-IRQ-3 */
{
    struct pci_device *d = edu_find();
    void *arg = NULL;

    if (d == NULL) {
        log_plain("# no edu device here");
        return NULL;
    }
    pci_enable(d, true, false, true);
    edu.regs = pci_map_bar(d, 0);
    TEST(edu.regs != NULL);
    TEST((edu_read(EDU_ID) & 0xff) == EDU_MAGIC);
    edu_write(EDU_LIVE, 0x12345678);
    TEST(edu_read(EDU_LIVE) == ~0x12345678u);
    TEST(irq_attach_pci(d, &edu.irq, 1, edu_interrupt, &arg, "edu", edu_raise, edu_quiet) == 1);
    log_plain("# edu by %s", irq_mode_name(edu.irq.mode));
    edu.seen = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        edu_raise(NULL);
        TEST(edu_seen(i + 1));
    }
    TEST(edu.irq.count >= ROUNDS);
    irq_detach(&edu.irq);
    edu_raise(NULL);
    (void)thread_block(now_ns() + 5 * NS_PER_MS);
    TEST(edu.seen == ROUNDS);
    edu_quiet(NULL);
    return NULL;
}

static uint64_t count_of(const char *name)
{
    struct info_irq info;

    for (unsigned i = 0; irq_info_get(i, &info); i++)
        if (strcmp(info.name, name) == 0)
            return info.count;
    return 0;
}

/* What the 8259s and the local APIC report though nobody asked, and a vector that
 * has no handler: counted, and nothing else happens. */
SELFTEST(spurious)
{
    uint64_t spurious = count_of("spurious"), stray = count_of("stray");

    __asm__ volatile("int $0x27"); /* line 7 of the first 8259, with nothing in service */
    __asm__ volatile("int $0x2f");
    __asm__ volatile("int $0xff");
    TEST(count_of("spurious") == spurious + 3);
    __asm__ volatile("int $0xee");
    TEST(count_of("stray") == stray + 1);
    return NULL;
}

/* The last way to restart the machine; runs only by its name, and does not come back. */
SELFTEST_ALONE(triple_fault)
{
    power_triple_fault();
}

/* Down into the guard page: the fault cannot be pushed there. */
static unsigned __attribute__((noinline)) dig(unsigned depth)
{
    volatile uint8_t room[512];

    room[0] = (uint8_t)depth;
    return depth > 1000000 ? room[0] : dig(depth + 1) + room[0];
}

static void overflow(void *arg)
{
    *(volatile unsigned *)arg = dig(0);
}

/* Ends in a panic that names the double fault; so it runs only by its name. */
SELFTEST_ALONE(stack_overflow)
{
    static volatile unsigned result;

    TEST(kthread_create(overflow, (void *)&result, "digger", PRIO_NORMAL) != NULL);
    (void)thread_block(now_ns() + WAIT_NS);
    TEST(!"the stack has no end");
    return NULL;
}
