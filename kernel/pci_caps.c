/* SPDX-License-Identifier: MIT
 *
 * kernel/pci_caps.c: capability lists (PCI 3.0 section 6.7, PCIe 3.0 section 7.9).
 */
#include <kernel/pci_caps.h>

#define REG_STATUS       0x04 /* with the command register in the low half */
#define STATUS_CAPS      (1u << 20)
#define REG_HEADER       0x0c
#define REG_CAPS         0x34
#define REG_CAPS_CARDBUS 0x14
#define CAPS_FIRST       0x40u
#define CAPS_END         0x100u
#define EXT_END          0x1000u

static unsigned first_cap(const struct pci_space *s)
{
    uint32_t type = s->read32(s->arg, REG_HEADER) >> 16 & 0x7f;

    if (!(s->read32(s->arg, REG_STATUS) & STATUS_CAPS))
        return 0;
    return s->read32(s->arg, type == 2 ? REG_CAPS_CARDBUS : REG_CAPS) & 0xfc;
}

unsigned pci_cap_find(const struct pci_space *s, uint8_t id, unsigned from)
{
    unsigned at = from == 0 ? first_cap(s) : s->read32(s->arg, from & 0xfc) >> 8 & 0xfc;

    /* C-BOUND-3 */
    for (unsigned steps = 0; steps < (CAPS_END - CAPS_FIRST) / 4 && at >= CAPS_FIRST; steps++) {
        uint32_t head = s->read32(s->arg, at);

        if (head == 0xffffffffu)
            break;
        if ((head & 0xff) == id)
            return at;
        at = head >> 8 & 0xfc;
    }
    return 0;
}

unsigned pci_ext_cap_find(const struct pci_space *s, uint16_t id, unsigned from)
{
    unsigned at = from == 0 ? CAPS_END : s->read32(s->arg, from & 0xffc) >> 20 & 0xffc;

    if (s->bytes < EXT_END)
        return 0;
    for (unsigned steps = 0; steps < (EXT_END - CAPS_END) / 4 && at >= CAPS_END; steps++) {
        uint32_t head = s->read32(s->arg, at);

        if (head == 0 || head == 0xffffffffu)
            break;
        if ((head & 0xffff) == id)
            return at;
        at = head >> 20 & 0xffc;
    }
    return 0;
}
