# Boot: the Multiboot2 header and entry, and the parser of what GRUB hands over.
KERNEL_SOURCES += boot/entry.S boot/ap_entry.S boot/multiboot2.c
