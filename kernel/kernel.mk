# The kernel proper, by topic (docs/ARCHITECTURE.md, "The kernel's files"). Tests on the
# host take pure files from here by name.

# Boot order, options
KERNEL_SOURCES += kernel/main.c kernel/options.c kernel/initrd.c

# Processor, traps, entry
KERNEL_SOURCES += kernel/cpu.c kernel/cpu_log.c kernel/fpu.c kernel/mce.c kernel/trap.S \
	kernel/trap.c kernel/syscall.S kernel/syscall.c kernel/switch.S

# Interrupts, and the polls that they leave behind
KERNEL_SOURCES += kernel/irq.c kernel/irq_pci.c kernel/pic.c kernel/ioapic.c kernel/lapic.c \
	kernel/msi.c kernel/poll.c

# Several processors
KERNEL_SOURCES += kernel/smp_start.c kernel/smp.c kernel/lock.c kernel/tlb.c kernel/balance.c

# Time
KERNEL_SOURCES += kernel/time.c kernel/timers.c kernel/timerq.c kernel/tsc.c kernel/hpet.c \
	kernel/pmtimer.c kernel/pit.c kernel/lapic_event.c kernel/rtc.c kernel/time_page.c

# Firmware tables, PCI, power, what ring 3 learns of the hardware
KERNEL_SOURCES += kernel/acpi.c kernel/acpi_tables.c kernel/pci.c kernel/pci_config.c \
	kernel/pci_caps.c kernel/power.c kernel/inventory.c kernel/hwcalls.c

# Pages, kernel memory
KERNEL_SOURCES += kernel/mem_init.c kernel/paging.c kernel/buddy.c kernel/page_alloc.c \
	kernel/kmalloc.c kernel/kstack.c

# Address spaces
KERNEL_SOURCES += kernel/vm.c kernel/vm_pages.c kernel/vm_fork.c kernel/memobj.c kernel/memcalls.c \
	kernel/usercopy.c kernel/usercopy.S

# Threads, processes
KERNEL_SOURCES += kernel/thread.c kernel/sched.c kernel/process.c kernel/spawn.c kernel/image.c \
	kernel/elf.c kernel/fork.c kernel/fork_entry.S kernel/exec.c kernel/rights.c kernel/crash.c

# Objects and calls
KERNEL_SOURCES += kernel/handle.c kernel/endpoint.c kernel/message.c kernel/names.c kernel/wait.c \
	kernel/pipe.c kernel/signal.c kernel/signal_frame.c kernel/info.c kernel/trace.c kernel/random.c

# Network: services for the net core, its system calls
KERNEL_SOURCES += kernel/netglue.c kernel/netcalls.c

# Console, log, panic
KERNEL_SOURCES += kernel/log.c kernel/console.c kernel/screen.c kernel/vga.c kernel/keep.c \
	kernel/panic.c kernel/symbols.c

# Helpers
KERNEL_SOURCES += kernel/string.c kernel/printf.c

# Self-tests
KERNEL_SOURCES += kernel/selftest.c kernel/selftest_mem.c kernel/selftest_pages.c \
	kernel/selftest_thread.c kernel/selftest_smp.c kernel/selftest_time.c kernel/selftest_hw.c
