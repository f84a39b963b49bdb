KERNEL_SOURCES += \
	drivers/table.c \
	drivers/virtio/virtqueue.c \
	drivers/virtio/virtio.c \
	drivers/virtio/virtio_pci_modern.c \
	drivers/virtio/virtio_pci_legacy.c \
	drivers/virtio_net.c \
	drivers/virtio_net_config.c \
	drivers/virtio_rng.c \
	drivers/rtl8139.c \
	drivers/rtl8139_cplus.c \
	drivers/e1000_chip.c \
	drivers/e1000.c \
	drivers/slip_codec.c \
	drivers/slip.c \
	drivers/slip_mux.c \
	drivers/slip_queue.c \
	drivers/vj.c \
	drivers/uart16550.c

# Screen and keys
KERNEL_SOURCES += drivers/font.c drivers/term.c drivers/framebuffer.c drivers/keys.c drivers/ps2.c

# The watchdog
KERNEL_SOURCES += drivers/i6300esb.c
