# The kernel proper. Tests on the host take pure files from here by name.

# Processor, traps, interrupts
KERNEL_SOURCES += \
	kernel/cpu.c kernel/cpu_log.c kernel/mce.c kernel/fpu.c kernel/trap.S kernel/trap.c \
	kernel/irq.c kernel/pic.c kernel/lapic.c kernel/ioapic.c kernel/poll.c

KERNEL_SOURCES += kernel/irq_pci.c kernel/msi.c

# Several processors
KERNEL_SOURCES += kernel/lock.c kernel/smp.c kernel/smp_start.c kernel/tlb.c kernel/balance.c

# Firmware tables, power, PCI
KERNEL_SOURCES += \
	kernel/acpi.c kernel/acpi_tables.c kernel/power.c \
	kernel/pci.c kernel/pci_config.c kernel/pci_caps.c

# Time
KERNEL_SOURCES += \
	kernel/time.c kernel/timers.c kernel/time_page.c kernel/timerq.c kernel/tsc.c kernel/hpet.c kernel/pmtimer.c \
	kernel/pit.c kernel/lapic_event.c kernel/rtc.c

# Boot order, memory, log and console, options, self-tests
KERNEL_SOURCES += \
	kernel/main.c kernel/mem_init.c kernel/paging.c kernel/buddy.c kernel/page_alloc.c \
	kernel/kmalloc.c kernel/kstack.c kernel/memobj.c kernel/vm.c kernel/vm_pages.c kernel/vm_fork.c \
	kernel/usercopy.c kernel/usercopy.S kernel/string.c kernel/printf.c kernel/log.c \
	kernel/console.c kernel/screen.c kernel/vga.c kernel/panic.c kernel/symbols.c kernel/options.c \
	kernel/initrd.c kernel/selftest.c kernel/selftest_mem.c kernel/selftest_pages.c kernel/selftest_time.c kernel/selftest_hw.c

# Threads, processes, messages, system calls
KERNEL_SOURCES += \
	kernel/pipe.c kernel/signal.c kernel/signal_frame.c kernel/thread.c kernel/sched.c kernel/switch.S kernel/syscall.S kernel/syscall.c kernel/process.c \
	kernel/handle.c kernel/rights.c kernel/endpoint.c kernel/message.c kernel/wait.c kernel/names.c kernel/elf.c \
	kernel/spawn.c kernel/image.c kernel/fork.c kernel/fork_entry.S kernel/exec.c kernel/memcalls.c kernel/info.c kernel/crash.c kernel/random.c \
	kernel/trace.c \
	kernel/selftest_thread.c

# Network: services for the net core, its system calls
KERNEL_SOURCES += kernel/netglue.c kernel/netcalls.c

# A headless machine comes back; what ring 3 learns of the hardware
KERNEL_SOURCES += kernel/keep.c kernel/hwcalls.c kernel/inventory.c
