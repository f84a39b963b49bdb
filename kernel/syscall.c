/* SPDX-License-Identifier: MIT
 *
 * kernel/syscall.c: the dispatch table and the small calls.
 *
 * Owns: syscall_table. The larger groups are in message.c, wait.c, memcalls.c,
 * spawn.c, names.c, info.c and netcalls.c. Context: thread.
 */
#include <kernel/acpi.h>
#include <kernel/console.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/proc.h>
#include <kernel/random.h>
#include <kernel/string.h>
#include <kernel/syscall.h>
#include <kernel/trace.h>

#define COPY_CHUNK 512u       /* bytes that pass through the kernel stack at once */
#define LOG_LINE_MAX 256u
#define RANDOM_MAX (1u << 20) /* bytes a call may ask for ... */
#define RANDOM_PIECE (1u << 16) /* ... and gets at most: more would hold the CPU for too long */
#define CONSOLE_MAX 4096u     /* bytes a call writes: the screen is slow */
#define CONSOLE_WAIT_NS (10 * NS_PER_S)
_Static_assert(COPY_CHUNK <= CONSOLE_PIECE_MAX, "the console takes a chunk whole");
#define EFER_SCE 1u
#define FLAGS_CLEARED 0x00254700u /* ID AC RF NT OF DF IF TF (rflags bits 21 18 16 14 10 9 8) */

extern char syscall_entry[];

static SYSCALL_HANDLER(nosys)
{
    return -ENOSYS;
}

/* Every number below SYS_MAX has a handler, so that the entry need not look. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
syscall_fn *const syscall_table[SYS_MAX] = {
    [0 ... SYS_MAX - 1] = sys_nosys,
#define SYSCALL(number, name, arguments, ...) [number] = sys_##name,
#include <slipway/syscalls.def>
#undef SYSCALL
};
#pragma GCC diagnostic pop

_Static_assert(offsetof(struct percpu, kernel_rsp) == 8, "syscall.S");
_Static_assert(offsetof(struct percpu, user_rsp) == 16, "syscall.S");
_Static_assert(offsetof(struct percpu, need_resched) == 48, "syscall.S");
_Static_assert(offsetof(struct percpu, entry_work) == 50, "syscall.S");
_Static_assert(offsetof(struct percpu, polls_pending) == 52, "syscall.S");
_Static_assert(offsetof(struct percpu, syscalls) == 72, "syscall.S");
_Static_assert(offsetof(struct trap_frame, r12) == 24, "syscall.S");
_Static_assert(offsetof(struct trap_frame, r9) == 48, "syscall.S");
_Static_assert(offsetof(struct trap_frame, rdi) == 64, "syscall.S");
_Static_assert(offsetof(struct trap_frame, rdx) == 96, "syscall.S");
_Static_assert(offsetof(struct trap_frame, rax) == 112, "syscall.S");
_Static_assert(offsetof(struct trap_frame, vector) == 120, "syscall.S");
_Static_assert(offsetof(struct trap_frame, rip) == 136, "syscall.S");
_Static_assert(offsetof(struct trap_frame, rsp) == 160, "syscall.S");
_Static_assert(SYS_MAX == 96 && ENOSYS == 88, "syscall.S");

void syscall_init(void)
{
    /* SYSCALL takes CS from bits 32-47, SYSRET from 48-63 plus 16 (AMD64 vol. 2,
     * 6.1.1); SS is the selector 8 above, and 8 above the base. */
    wrmsr(MSR_STAR, (uint64_t)(SEL_UDATA - 8) << 48 | (uint64_t)SEL_KCODE << 32);
    wrmsr(MSR_LSTAR, (uint64_t)(uintptr_t)syscall_entry);
    wrmsr(MSR_SFMASK, FLAGS_CLEARED);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
}

/* syscall.S: entry_work is not 0. Interrupts on; what the handlers take as
 * arguments lies in the frame, and is loaded anew from there afterwards. 1: the
 * call shall go by syscall_slow. */
int syscall_enter(void);
int syscall_enter(void)
{
    kernel_lock();
    return (this_cpu()->entry_work & ENTRY_TRACE) != 0;
}

int64_t syscall_slow(struct trap_frame *f);
int64_t syscall_slow(struct trap_frame *f)
{
    return syscall_traced(f);
}

SYSCALL_HANDLER(null)
{
    return 0;
}

/* --- processes and threads --- */

SYSCALL_HANDLER(exit)
{
    process_exit((int)a0);
}

SYSCALL_HANDLER(thread_create)
{
    struct process *p = self_process();
    struct sys_thread t;
    int r = copy_from_user(&t, a0, sizeof t);

    if (r < 0)
        return r;
    if (t.entry >= USER_END || t.fs_base >= USER_END || t.stack > USER_END || t.stack % 16 != 0 ||
        t.priority > PRIO_MAX)
        return -EINVAL;
    if (t.priority == 0)
        t.priority = p->priority;
    if (t.priority > p->priority)
        return -EPERM;
    return thread_new_user(p, t.entry, t.stack, t.arg, t.fs_base, t.priority);
}

SYSCALL_HANDLER(thread_exit)
{
    static const uint32_t zero;

    if (a0 != 0 && copy_to_user(a0, &zero, sizeof zero) == 0) {
        uint64_t key = futex_key(self_process(), a0);
        if (key != 0)
            futex_wake(key, UINT32_MAX);
    }
    thread_leave();
}

SYSCALL_HANDLER(thread_tls)
{
    if (a0 >= USER_END)
        return -EINVAL;
    self_thread()->fs_base = a0;
    wrmsr(MSR_FS_BASE, a0);
    return 0;
}

SYSCALL_HANDLER(yield)
{
    schedule();
    return 0;
}

SYSCALL_HANDLER(getpid)
{
    return self_process()->pid;
}

SYSCALL_HANDLER(process_status)
{
    struct process *p = (struct process *)handle_get(self_process(), (int)a0, OBJ_PROCESS);
    struct sys_exit *e;
    int r = -ENOMEM;

    if (p == NULL)
        return -EBADF;
    e = kzalloc(sizeof *e);
    if (e != NULL) {
        e->pid = p->pid;
        e->state = p->state;
        if (p->state != PROC_RUNNING) {
            e->status = p->status;
            e->fault_ip = p->fault_ip;
            e->fault_addr = p->fault_addr;
            if (p->report != NULL)
                memcpy(e->report, p->report, sizeof e->report);
        }
        r = copy_to_user(a1, e, sizeof *e);
        kfree(e);
    }
    object_unref(&p->object);
    return r;
}

SYSCALL_HANDLER(handle_close)
{
    return handle_close(self_process(), (int)a0);
}

/* --- time and chance --- */

SYSCALL_HANDLER(clock_get)
{
    uint64_t ns;

    if (a0 == SYS_CLOCK_MONOTONIC)
        ns = now_ns();
    else if (a0 == SYS_CLOCK_REALTIME)
        ns = realtime_ns();
    else
        return -EINVAL;
    return copy_to_user(a1, &ns, sizeof ns);
}

SYSCALL_HANDLER(clock_set)
{
    if (!process_has(self_process(), RIGHT_CLOCK_SET))
        return -EACCES;
    realtime_set(a0);
    return 0;
}

SYSCALL_HANDLER(random)
{
    uint64_t done = 0, bytes = a1 < RANDOM_PIECE ? a1 : RANDOM_PIECE;
    uint8_t chunk[COPY_CHUNK];
    int r = 0;

    if ((a2 & ~(uint64_t)RANDOM_NONBLOCK) != 0 || a1 > RANDOM_MAX)
        return -EINVAL;
    if (!random_seeded()) {
        if (a2 & RANDOM_NONBLOCK)
            return -EAGAIN;
        r = random_wait_seeded();
    }
    while (r == 0 && done < bytes) {
        uint64_t n = bytes - done < sizeof chunk ? bytes - done : sizeof chunk;
        random_bytes(chunk, n);
        r = copy_to_user(a0 + done, chunk, n);
        done += n;
    }
    memset(chunk, 0, sizeof chunk);
    return r < 0 ? r : (int64_t)done;
}

/* --- log, console, power --- */

/* What a process writes is a line of text, whatever bytes it sent. */
static void make_printable(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)text[i] < ' ' || text[i] == 0x7f)
            text[i] = text[i] == '\t' || text[i] == '\n' ? ' ' : '?';
    text[n] = 0;
}

SYSCALL_HANDLER(log_write)
{
    struct process *p = self_process();
    char text[LOG_LINE_MAX];
    uint64_t n = a2 < sizeof text - 1 ? a2 : sizeof text - 1;
    int r;

    if (a0 > LOG_DEBUG)
        return -EINVAL;
    r = copy_from_user(text, a1, n);
    if (r < 0)
        return r;
    while (n > 0 && text[n - 1] == '\n')
        n--;
    make_printable(text, n);
    klog((enum log_level)a0, "%s: %s", p->name, text);
    return 0;
}

SYSCALL_HANDLER(log_read)
{
    char chunk[COPY_CHUNK];
    uint64_t cursor, done = 0;
    int r = copy_from_user(&cursor, a0, sizeof cursor);

    if (r < 0)
        return r;
    if (!process_has(self_process(), RIGHT_LOG_READ))
        return -EACCES;
    while (r == 0 && done < a2) {
        size_t n = log_read(&cursor, chunk, a2 - done < sizeof chunk ? a2 - done : sizeof chunk);
        if (n == 0)
            break;
        r = copy_to_user(a1 + done, chunk, n);
        done += n;
    }
    if (r == 0)
        r = copy_to_user(a0, &cursor, sizeof cursor);
    return r < 0 ? r : (int64_t)done;
}

static uint32_t console_ready(struct object *o)
{
    (void)o;
    return console_readable() ? READY_IN : 0;
}

static struct waitq *console_object_waitq(struct object *o)
{
    (void)o;
    return console_waitq();
}

static const struct object_ops console_ops = {.ready = console_ready, .waitq = console_object_waitq};
static struct object console_object = {.kind = OBJ_CONSOLE, .refs = 1, .ops = &console_ops};

SYSCALL_HANDLER(console_open)
{
    struct process *p = self_process();
    int r;

    if (!process_has(p, RIGHT_CONSOLE))
        return -EACCES;
    object_ref(&console_object);
    r = handle_new(p, &console_object);
    if (r < 0)
        object_unref(&console_object);
    return r;
}

SYSCALL_HANDLER(console_read)
{
    struct object *o = handle_get(self_process(), (int)a0, OBJ_CONSOLE);
    char chunk[COPY_CHUNK];
    size_t n;
    int r;

    if (o == NULL)
        return -EBADF;
    object_unref(o);
    if (!user_range_ok(a1, a2))
        return -EFAULT;
    if (a2 == 0)
        return 0;
    n = console_read(chunk, a2 < sizeof chunk ? a2 : sizeof chunk);
    if (n == 0)
        return -EAGAIN;
    r = copy_to_user(a1, chunk, n);
    return r < 0 ? r : (int64_t)n;
}

SYSCALL_HANDLER(console_write)
{
    uint64_t done = 0, bytes = a1 < CONSOLE_MAX ? a1 : CONSOLE_MAX, deadline = now_ns() + CONSOLE_WAIT_NS;
    char chunk[COPY_CHUNK];

    if (!process_has(self_process(), RIGHT_CONSOLE))
        return -EACCES;
    if (!user_range_ok(a0, a1))
        return -EFAULT;
    while (done < bytes) {
        uint64_t n = bytes - done < sizeof chunk ? bytes - done : sizeof chunk;
        int r = copy_from_user(chunk, a0 + done, n);
        if (r == 0)
            r = console_write_wait(chunk, n, deadline);
        if (r < 0)
            return done > 0 ? (int64_t)done : r;
        done += n;
    }
    return (int64_t)done;
}

SYSCALL_HANDLER(power)
{
    if (!process_has(self_process(), RIGHT_POWER))
        return -EACCES;
    switch (a0) {
    case POWER_OFF:
        power_off();
    case POWER_REBOOT:
        power_reboot();
    case POWER_TEST_PASS:
    case POWER_TEST_FAIL:
        power_test_exit(a0 == POWER_TEST_PASS);
    default:
        return -EINVAL;
    }
}
