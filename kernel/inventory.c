/* SPDX-License-Identifier: MIT
 *
 * kernel/inventory.c: what there is, by node: net0, block0, fb0.
 *
 * Owns: the numbers of the block nodes, and which device the screen belongs to.
 * Network nodes are numbered by the drivers that make links of them.
 * Context: boot; asking: thread.
 */
#include <kernel/boot_info.h>
#include <kernel/inventory.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/pci.h>
#include <kernel/string.h>
#include <net/core/link.h>
#include <slipway/syscall.h>

#define CLASS_STORAGE 0x01u
#define CLASS_DISPLAY 0x03u

static bool screen_apart; /* a framebuffer that no device on the bus owns */

static bool owns_pixels(const struct pci_device *d, uint64_t base)
{
    for (unsigned b = 0; b < 6; b++)
        if (!d->bar[b].is_io && base >= d->bar[b].base && base - d->bar[b].base < d->bar[b].bytes)
            return true;
    return false;
}

/* There are no drivers for discs: they are listed, so that one sees that they were
 * found, and keep the driver "". */
static void name_block(struct pci_device *d)
{
    static unsigned nodes;

    ksnprintf(d->node, sizeof d->node, "block%u", nodes++);
}

void inventory_init(void)
{
    const struct boot_info *bi = boot_info_get();
    bool pixels = bi->fb_type == 1, owned = false;

    for (struct pci_device *d = pci_first(); d != NULL; d = d->next) {
        unsigned class = d->class_code >> 16;
        if (class == CLASS_STORAGE && d->node[0] == 0)
            name_block(d);
        if (class != CLASS_DISPLAY || d->driver != NULL || owned)
            continue;
        if (pixels && owns_pixels(d, bi->fb_base)) {
            strlcpy(d->node, "fb0", sizeof d->node);
            d->driver = "framebuffer";
            owned = true;
        } else if (bi->fb_type == 2 && d->class_code >> 8 == 0x0300) {
            d->driver = "vga";
            owned = true;
        }
    }
    screen_apart = pixels && !owned;
}

/* PCI Code and ID Assignment Specification, base classes and a few below. */
static const char *class_name(uint32_t class_code)
{
    switch (class_code >> 8) {
    case 0x0100:
        return "SCSI or virtio block";
    case 0x0101:
        return "IDE controller";
    case 0x0106:
        return "SATA controller";
    case 0x0108:
        return "NVMe controller";
    case 0x0200:
        return "Ethernet controller";
    case 0x0300:
        return "VGA display";
    case 0x0301:
    case 0x0380:
        return "display";
    case 0x0600:
        return "host bridge";
    case 0x0601:
        return "ISA bridge";
    case 0x0604:
        return "PCI bridge";
    case 0x0c03:
        return "USB controller";
    case 0x0880:
        return "system device";
    case 0x00ff:
        return "virtio device";
    case 0x0c05:
        return "SMBus";
    default:
        break;
    }
    static const char *const base[] = {
        "unclassified", "storage", "network", "display", "multimedia", "memory", "bridge",
        "communication", "system", "input", "docking station", "processor", "serial bus", "wireless",
    };
    uint32_t number = class_code >> 16;
    return number < sizeof base / sizeof base[0] ? base[number] : "other";
}

static void fill(const struct pci_device *d, struct info_device *i)
{
    strlcpy(i->node, d->node, sizeof i->node);
    strlcpy(i->driver, d->driver != NULL ? d->driver : "", sizeof i->driver);
    strlcpy(i->irq_mode, d->irq_mode != NULL ? d->irq_mode : "", sizeof i->irq_mode);
    strlcpy(i->class_name, class_name(d->class_code), sizeof i->class_name);
    i->segment = d->segment;
    i->bus = d->bus;
    i->device = d->device;
    i->function = d->function;
    i->irq_pin = d->irq_pin;
    i->vendor = d->vendor;
    i->product = d->product;
    i->class_code = (uint16_t)(d->class_code >> 8);
    i->irq = d->irq_line;
    if (d->link != NULL) {
        memcpy(i->mac, d->link->mac, sizeof i->mac);
        i->link_up = (d->link->flags & LINKF_RUNNING) != 0;
    }
    for (unsigned b = 0; b < 6; b++) {
        i->bar_base[b] = d->bar[b].base;
        i->bar_size[b] = d->bar[b].bytes;
        if (d->bar[b].is_io)
            i->bar_is_io |= (uint8_t)(1u << b);
    }
}

static void fill_screen(struct info_device *i)
{
    const struct boot_info *bi = boot_info_get();

    strlcpy(i->node, "fb0", sizeof i->node);
    strlcpy(i->driver, "framebuffer", sizeof i->driver);
    strlcpy(i->class_name, "framebuffer", sizeof i->class_name);
    i->vendor = i->product = 0xffff; /* none: it is on no bus that we know */
    i->bar_base[0] = bi->fb_base;
    i->bar_size[0] = (uint64_t)bi->fb_pitch * bi->fb_height;
}

bool inventory_get(uint64_t index, struct info_device *i)
{
    const struct pci_device *d = pci_first();

    for (; d != NULL && index > 0; index--)
        d = d->next;
    if (d != NULL)
        fill(d, i);
    else if (screen_apart && index == 0)
        fill_screen(i);
    else
        return false;
    return true;
}

struct memobj *inventory_framebuffer(void)
{
    const struct boot_info *bi = boot_info_get();
    phys_t first = bi->fb_base & ~(PAGE_SIZE - 1);

    /* A process maps whole pages, so they must be the framebuffer's alone. */
    if (bi->fb_type != 1 || first != bi->fb_base)
        return NULL;
    return memobj_wrap_device(first, page_round_up((uint64_t)bi->fb_pitch * bi->fb_height));
}
