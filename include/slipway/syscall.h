/* SPDX-License-Identifier: MIT
 *
 * slipway/syscall.h: numbers and structures of the system calls.
 * The table itself, with arguments and meaning, is slipway/syscalls.def.
 */
#ifndef SLIPWAY_SYSCALL_H
#define SLIPWAY_SYSCALL_H

#include <slipway/errno.h>
#include <slipway/message.h>
#include <slipway/net.h>
#include <slipway/rights.h>
#include <slipway/signal.h>
#include <slipway/trace.h>
#include <stdint.h>

#define SLIPWAY_ABI_VERSION 1u

enum sys_number {
#define SYSCALL(number, name, arguments, ...) SYS_##name = number,
#include <slipway/syscalls.def>
#undef SYSCALL
};
#define SYS_MAX 96

#define SYS_NO_DEADLINE UINT64_MAX

#define SYS_CLOCK_MONOTONIC 0u
#define SYS_CLOCK_REALTIME 1u

#define PROT_R 1u
#define PROT_W 2u
#define PROT_X 4u

#define RANDOM_NONBLOCK 1u

#define POWER_OFF 0u
#define POWER_REBOOT 1u
#define POWER_TEST_PASS 2u /* leave by isa-debug-exit with a success code */
#define POWER_TEST_FAIL 3u

#define NET_BLOB_MAX 4096u

#define PIPE_BYTES_ATOMIC 4096u /* a longer write may mix with others' */

/* Priorities: higher runs first; equal ones take turns. */
#define PRIO_LOW 4u
#define PRIO_NORMAL 8u
#define PRIO_HIGH 12u
#define PRIO_MAX 15u

struct sys_thread {
    uint64_t entry;    /* first instruction; rdi holds arg, rsp is stack */
    uint64_t stack;    /* top of stack, 16-byte aligned */
    uint64_t arg;
    uint64_t fs_base;  /* thread-local storage */
    uint32_t priority; /* PRIO_*, at most the process's; 0 for the process's */
    uint32_t pad;
};

#define SPAWN_NAME_MAX 16
#define SPAWN_PATH_MAX 128
#define SPAWN_ARGS_MAX 4096
#define SPAWN_EXTRA_MAX 8192
#define SPAWN_HANDLES_MAX 64

/* The child finds on its stack what the System V ABI promises: argc, argv,
 * envp, auxv (AT_PAGESZ, AT_PHDR, AT_PHNUM, AT_ENTRY, AT_RANDOM, AT_BASE as
 * load bias, AT_SLIPWAY_EXTRA and AT_SLIPWAY_EXTRA_BYTES). args holds argc
 * strings, then envc strings, each ended by NUL; extra is copied as it is. */
#define AT_SLIPWAY_EXTRA 0x1001       /* address of what the parent passed along */
#define AT_SLIPWAY_EXTRA_BYTES 0x1002 /* its length, 0 for nothing */
struct sys_spawn {
    char name[SPAWN_NAME_MAX]; /* shown by ps and in crash reports */
    char path[SPAWN_PATH_MAX]; /* ELF64 program in the initrd */
    uint64_t args;             /* address of the string block */
    uint32_t args_bytes, argc, envc;
    uint32_t priority;         /* 0 for PRIO_NORMAL */
    uint64_t rights;           /* address of struct sys_rights; 0 for none */
    uint32_t nhandles;
    uint32_t flags;            /* SPAWN_* */
    uint64_t extra;            /* address of bytes for the child's C library */
    uint32_t extra_bytes, pad;
    int32_t handles[SPAWN_HANDLES_MAX]; /* child gets them as 0, 1, 2 ... */
};
#define SPAWN_RESTARTS 1u /* a successor will come: reserve its serve_ports */
#define SPAWN_SAME_RIGHTS 2u /* the parent's; `rights` is not looked at */

/* A new program in the same process: pid, parent, rights and handles stay, but
 * for `closes` (given up when the call succeeds), net endpoints and message
 * endpoints, which the new program could not serve. Other threads end first. */
struct sys_exec {
    char path[SPAWN_PATH_MAX];
    uint64_t args;
    uint32_t args_bytes, argc, envc;
    uint32_t extra_bytes;
    uint64_t extra;
    uint64_t closes; /* address of int32_t[ncloses]: handles, bad ones are ignored */
    uint32_t ncloses, pad;
};

enum sys_proc_state { PROC_RUNNING = 1, PROC_EXITED = 2, PROC_KILLED = 3, PROC_FAULTED = 4 };

#define FAULT_LINES 2048
struct sys_exit {
    uint32_t pid, state; /* enum sys_proc_state */
    int32_t status;      /* exit status, or signal, or exception vector */
    uint32_t pad;
    uint64_t fault_ip, fault_addr;
    char report[FAULT_LINES]; /* registers and symbolised backtrace, text */
};

struct sys_net_open {
    uint32_t rx_bytes;    /* in: wished size, 0 for the minimum; out: given */
    uint32_t tx_entries;  /* in/out */
    uint32_t arena_bytes; /* in/out */
    uint32_t flags;       /* NET_OPEN_* */
    uint64_t base;        /* out: address of struct net_ring */
    uint64_t bytes;       /* out: size of the mapping */
};

#define NET_OPEN_TAKES 1u /* any process may hand ports and flows to the endpoint */

/* info(): one record a call; cursor 0, 1, 2 ... until the result is 0. */
enum sys_info {
    INFO_SYSTEM = 1,  /* struct info_system */
    INFO_PROCESS = 2, /* struct info_process */
    INFO_CMDLINE = 3, /* text */
    INFO_DEVICE = 4,  /* struct info_device */
    INFO_IRQ = 5,     /* struct info_irq */
    INFO_NAME = 6,    /* struct info_name */
    INFO_CPU = 7,     /* struct info_cpu */
    INFO_MEMORY = 8,  /* struct info_memory */
    INFO_CLOCK = 11,  /* struct info_clock */
    INFO_SCREEN = 12, /* struct info_screen; none: no screen */
};

struct info_system {
    char version[48];
    uint64_t uptime_ns, realtime_ns;
    uint64_t idle_ns; /* of all CPUs together */
    uint64_t memory_total, memory_free; /* bytes */
    uint32_t cpus, processes, threads;
    uint32_t random_seeded;
    uint64_t context_switches, syscalls, interrupts, timer_interrupts;
    char clock[12], event[12], irq[12], pci[12], firmware[8];
    uint64_t boot_ns; /* from kernel entry to the first process */
    uint64_t tsc_hz;
    char random_from[32]; /* what the generator was seeded from: "rdrand virtio-rng jitter", "none" */
};

struct info_cpu {
    uint32_t cpu, apic_id, online, pad;
    uint64_t idle_ns, busy_ns;
    uint64_t interrupts, timer_interrupts, context_switches, syscalls;
    uint64_t lock_waits, lock_wait_ns, lock_wait_most_ns; /* for the kernel lock */
    uint64_t ipis, steals; /* interrupts sent to other CPUs; threads moved between them */
};

/* Bytes. From boot to free they sum to the total: every page has one owner. */
struct info_memory {
    uint64_t total;
    uint64_t boot;      /* kernel image, initrd, the table of pages, the firmware's part */
    uint64_t tables;    /* page tables */
    uint64_t kmalloc;   /* the kernel's small objects */
    uint64_t stacks;    /* kernel stacks */
    uint64_t anonymous; /* processes' own memory, as far as it was touched */
    uint64_t objects;   /* memory objects */
    uint64_t rings;     /* net rings */
    uint64_t devices;   /* what devices read and write */
    uint64_t free;
    uint64_t promised;     /* of free: processes may still ask for it */
    uint64_t cached;       /* of free: in the processors' caches */
    uint64_t kmalloc_used; /* of kmalloc: in objects that are in use */
};

struct info_process {
    uint32_t pid, parent;
    char name[SPAWN_NAME_MAX];
    char state[8]; /* "run", "wait", "dead" */
    uint32_t priority, threads;
    uint64_t memory_bytes, memory_limit, cpu_ns, started_ns;
    uint32_t handles, restarts;
};

struct info_device {
    char node[16];   /* "net0", "fb0", "" */
    char driver[16]; /* "" when none took it */
    char irq_mode[12];
    char class_name[28];
    uint16_t segment;
    uint8_t bus, device, function, irq_pin;
    uint16_t vendor, product, class_code;
    uint32_t irq;
    uint32_t pad;
    uint64_t bar_base[6], bar_size[6];
    uint8_t mac[6];
    uint8_t bar_is_io, link_up;
};

struct info_screen {
    uint32_t columns, rows;   /* of the console */
    uint32_t width, height;   /* pixels; 0: text mode */
    uint32_t pitch_bytes, pixel_bits;
    uint8_t red_pos, red_bits, green_pos, green_bits, blue_pos, blue_bits;
    uint8_t pad[2];
};

struct info_irq {
    uint32_t vector, line;
    char mode[12], name[20];
    uint64_t count;
};

/* A counter that counts time, in its own ticks; wraps at mask. */
struct info_clock {
    char name[8];
    uint32_t serves; /* the one that CLOCK_MONOTONIC is made of */
    uint32_t reserved;
    uint64_t hz, mask, value;
};

struct info_name {
    char name[NAME_MAX_BYTES];
    uint32_t pid, pad;
};

#endif
