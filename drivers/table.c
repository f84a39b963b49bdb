/* SPDX-License-Identifier: MIT
 *
 * drivers/table.c: which driver takes which PCI function.
 *
 * Owns: pci_drivers[], one line for each id; the numbering of network nodes.
 * Called by pci_attach_drivers() at boot, thread context.
 */
#include <drivers/drivers.h>
#include <kernel/log.h>
#include <kernel/pci.h>
#include <net/core/link.h>

#define VENDOR_VIRTIO 0x1af4 /* VirtIO 1.2, 4.1.2 */
#define VENDOR_REALTEK 0x10ec
#define VENDOR_INTEL 0x8086

const struct pci_driver pci_drivers[] = {
    {"virtio-net", VENDOR_VIRTIO, 0x1041, virtio_net_attach}, /* modern only */
    {"virtio-net", VENDOR_VIRTIO, 0x1000, virtio_net_attach}, /* legacy or transitional */
    {"virtio-rng", VENDOR_VIRTIO, 0x1044, virtio_rng_attach}, /* modern only */
    {"virtio-rng", VENDOR_VIRTIO, 0x1005, virtio_rng_attach}, /* legacy or transitional */
    {"rtl8139", VENDOR_REALTEK, 0x8139, rtl8139_attach},
    {"e1000", VENDOR_INTEL, 0x100e, e1000_attach}, /* 82540EM */
    {"e1000", VENDOR_INTEL, 0x10d3, e1000_attach}, /* 82574L */
    {"i6300esb", VENDOR_INTEL, 0x25ab, i6300esb_attach}, /* a watchdog */
};
const unsigned pci_driver_count = sizeof(pci_drivers) / sizeof(pci_drivers[0]);

void driver_publish_net(struct pci_device *d, const struct link *l)
{
    static unsigned nodes;

    ksnprintf(d->node, sizeof(d->node), "net%u", nodes++);
    d->link = l;
    d->irq_mode = l->irq_mode;
}
