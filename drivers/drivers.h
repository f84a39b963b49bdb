/* SPDX-License-Identifier: MIT
 *
 * drivers/drivers.h: the attach functions that the driver table names.
 *
 * A new PCI driver is one file, one prototype here and one line in
 * drivers/table.c. Context: thread, at boot, with interrupts on.
 */
#ifndef DRIVERS_DRIVERS_H
#define DRIVERS_DRIVERS_H

struct link;
struct pci_device;

int virtio_net_attach(struct pci_device *d);
int virtio_rng_attach(struct pci_device *d);
int rtl8139_attach(struct pci_device *d);
int e1000_attach(struct pci_device *d);
int i6300esb_attach(struct pci_device *d);

/* What the device list shows for a card that became a link: its node name
 * ("net0"), MAC and interrupt. Called once, after link_register. */
void driver_publish_net(struct pci_device *d, const struct link *l);

#endif
