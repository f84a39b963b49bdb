# The kernel proper. Tests on the host take pure files from here by name.

# Processor, traps, interrupts
KERNEL_SOURCES += \
	kernel/cpu.c kernel/fpu.c kernel/trap.S kernel/trap.c \
	kernel/irq.c kernel/pic.c kernel/lapic.c kernel/ioapic.c kernel/poll.c

# Time
KERNEL_SOURCES += \
	kernel/time.c kernel/timerq.c kernel/tsc.c kernel/hpet.c kernel/pmtimer.c \
	kernel/pit.c kernel/lapic_event.c kernel/rtc.c
