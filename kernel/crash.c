/* SPDX-License-Identifier: MIT
 *
 * kernel/crash.c: what is told about a process that faulted.
 *
 * Owns: the text of a crash report (struct sys_exit.report) and the one line in
 * the log. Called by: the trap code, for faults in ring 3. Context: the faulting
 * thread, its address space loaded. Everything read from the process may be
 * garbage: the walk is bounded and copies survive faults.
 */
#include <kernel/elf.h>
#include <kernel/initrd.h>
#include <kernel/log.h>
#include <kernel/proc.h>
#include <kernel/string.h>

#define BACKTRACE_MAX 16u
#define LOG_TAIL_BYTES 640u
#define WHERE_BYTES 80u

struct report {
    char *text;
    size_t len;
    const void *image; /* NULL: not found */
    size_t image_bytes;
};

static void __attribute__((format(printf, 2, 3))) add(struct report *r, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = kvsnprintf(r->text + r->len, FAULT_LINES - r->len, fmt, ap);
    va_end(ap);
    if (n > 0)
        r->len += (size_t)n < FAULT_LINES - r->len ? (size_t)n : FAULT_LINES - 1 - r->len;
}

static const char *fault_name(uint64_t vector)
{
    switch (vector) {
    case 0:
        return "division error";
    case 3:
        return "breakpoint";
    case 6:
        return "invalid instruction";
    case 13:
        return "protection fault";
    case 14:
        return "page fault";
    case 16:
    case 19:
        return "floating-point error";
    default:
        return "exception";
    }
}

static const char *access_name(uint64_t error)
{
    if (error & 0x10) /* Intel SDM vol. 3, 4.7 */
        return "executing";
    return error & 2 ? "writing" : "reading";
}

static void where(const struct report *r, const struct process *p, uint64_t ip, char *buf, size_t room)
{
    uint64_t vaddr = ip - p->bias;

    if (ip < p->bias || vaddr >= ELF_SPAN_MAX)
        ksnprintf(buf, room, "outside the image");
    else if (r->image == NULL || !elf_symbolise(r->image, r->image_bytes, vaddr, buf, room))
        ksnprintf(buf, room, "image+0x%lx", vaddr);
}

static void add_registers(struct report *r, const struct trap_frame *f)
{
    add(r, "rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
    add(r, "rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", f->rsi, f->rdi, f->rbp, f->rsp);
    add(r, "r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", f->r8, f->r9, f->r10, f->r11);
    add(r, "r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", f->r12, f->r13, f->r14, f->r15);
    add(r, "rip %016lx flags %lx error %lx\n", f->rip, f->rflags, f->error);
}

/* Frame pointers: [rbp] is the caller's, [rbp + 8] the return address; they rise. */
static void add_backtrace(struct report *r, const struct process *p, const struct trap_frame *f)
{
    uint64_t rbp = f->rbp, frame[2];
    char text[WHERE_BYTES];

    where(r, p, f->rip, text, sizeof text);
    add(r, "  0 %016lx %s\n", f->rip, text);
    for (unsigned i = 1; i < BACKTRACE_MAX; i++) {
        if (rbp % 8 != 0 || copy_from_user(frame, rbp, sizeof frame) < 0 || frame[1] == 0)
            return;
        thread_breathe(); /* naming an address may search a long table */
        where(r, p, frame[1] - 1, text, sizeof text); /* inside the call, not after it */
        add(r, "%3u %016lx %s\n", i, frame[1], text);
        if (frame[0] <= rbp)
            return;
        rbp = frame[0];
    }
}

static void add_log_tail(struct report *r)
{
    uint64_t end = log_end(), cursor = end > LOG_TAIL_BYTES ? end - LOG_TAIL_BYTES : 0;
    char tail[LOG_TAIL_BYTES + 1];
    size_t have = 0, n, start = 0;

    while (have < LOG_TAIL_BYTES && (n = log_read(&cursor, tail + have, LOG_TAIL_BYTES - have)) > 0)
        have += n;
    tail[have] = 0;
    if (end > LOG_TAIL_BYTES) { /* begin with a whole line */
        const char *line = strchr(tail, '\n');
        start = line != NULL ? (size_t)(line - tail) + 1 : 0;
    }
    add(r, "log:\n%s", tail + start);
}

void crash_report(struct process *p, const struct trap_frame *f, uint64_t fault_addr)
{
    struct report r = {.text = kzalloc(FAULT_LINES)};
    char text[WHERE_BYTES];

    r.image = initrd_find(p->path, &r.image_bytes);
    where(&r, p, f->rip, text, sizeof text);
    if (r.text != NULL) {
        add(&r, "%s[%u] (%s): %s (vector %lu)", p->name, p->pid, p->path, fault_name(f->vector), f->vector);
        if (f->vector == 14)
            add(&r, " %s address %016lx", access_name(f->error), fault_addr);
        add(&r, "\n");
        add_registers(&r, f);
        add(&r, "image at %016lx\n", p->bias);
        add_backtrace(&r, p, f);
        add_log_tail(&r);
        kfree(p->report);
        p->report = r.text;
    }
    klog(LOG_ERROR, "%s[%u]: %s at %s (%016lx), address %016lx", p->name, p->pid, fault_name(f->vector), text,
         f->rip, fault_addr);
}

void process_fault(struct trap_frame *f, uint64_t fault_addr)
{
    struct process *p = self_process();

    if (p->dying)
        return; /* another thread was faster; this one leaves in return_to_user */
    if (signal_fault(f, fault_addr))
        return;
    p->fault_ip = f->rip;
    p->fault_addr = fault_addr;
    crash_report(p, f, fault_addr); /* C-PROC-1 */
    process_end(p, PROC_FAULTED, (int32_t)f->vector);
}
