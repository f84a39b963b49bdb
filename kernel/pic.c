/* SPDX-License-Identifier: MIT
 *
 * kernel/pic.c: the two 8259A interrupt controllers and the ELCR.
 *
 * Owns: ports 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1; the masks, kept in memory
 * because reading them back costs a port access.
 * Context: pic_eoi and pic_spurious in hard interrupts, the rest any.
 */
#include <kernel/cpu.h>
#include <kernel/intctl.h>

#define PIC1              0x20
#define PIC2              0xa0
#define ELCR              0x4d0
#define ICW1_INIT_ICW4    0x11
#define ICW4_8086         0x01
#define OCW2_SPECIFIC_EOI 0x60
#define OCW3_READ_ISR     0x0b
#define CASCADE_LINE      2

static uint16_t pic_masks = 0xffff;

static void write_masks(void)
{
    outb(PIC1 + 1, (uint8_t)pic_masks);
    outb(PIC2 + 1, (uint8_t)(pic_masks >> 8));
}

void pic_init(void)
{
    outb(PIC1, ICW1_INIT_ICW4);
    outb(PIC2, ICW1_INIT_ICW4);
    outb(PIC1 + 1, VECTOR_PIC);
    outb(PIC2 + 1, VECTOR_PIC + 8);
    outb(PIC1 + 1, 1 << CASCADE_LINE);
    outb(PIC2 + 1, CASCADE_LINE);
    outb(PIC1 + 1, ICW4_8086);
    outb(PIC2 + 1, ICW4_8086);
    pic_masks = 0xffff;
    write_masks();
}

void pic_mask(unsigned line)
{
    uint64_t flags = irq_save();

    pic_masks |= (uint16_t)(1u << line);
    outb(line < 8 ? PIC1 + 1 : PIC2 + 1, (uint8_t)(line < 8 ? pic_masks : pic_masks >> 8));
    irq_restore(flags);
}

void pic_unmask(unsigned line)
{
    uint64_t flags = irq_save();

    pic_masks &= (uint16_t) ~(1u << line);
    if (line >= 8)
        pic_masks &= (uint16_t) ~(1u << CASCADE_LINE);
    write_masks();
    irq_restore(flags);
}

void pic_eoi(unsigned line)
{
    if (line >= 8) {
        outb(PIC2, (uint8_t)(OCW2_SPECIFIC_EOI | (line - 8)));
        outb(PIC1, OCW2_SPECIFIC_EOI | CASCADE_LINE);
        return;
    }
    outb(PIC1, (uint8_t)(OCW2_SPECIFIC_EOI | line));
}

/* 8259A data sheet: a request that goes away before it is acknowledged is
 * reported as level 7, without its in-service bit. A spurious one of the slave
 * still set the master's cascade bit, which wants its EOI. */
bool pic_spurious(unsigned line)
{
    uint16_t base = line < 8 ? PIC1 : PIC2;

    outb(base, OCW3_READ_ISR);
    if (inb(base) & 0x80)
        return false;
    if (line >= 8)
        outb(PIC1, OCW2_SPECIFIC_EOI | CASCADE_LINE);
    return true;
}

bool pic_is_level(unsigned line)
{
    return inb((uint16_t)(ELCR + line / 8)) >> (line % 8) & 1;
}

void pic_set_level(unsigned line)
{
    uint16_t port = (uint16_t)(ELCR + line / 8);

    if (line < 3 || line == 8 || line == 13) /* wired to edge-triggered sources */
        return;
    outb(port, (uint8_t)(inb(port) | 1u << (line % 8)));
}
