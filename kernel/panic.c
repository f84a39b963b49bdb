/* SPDX-License-Identifier: MIT
 *
 * kernel/panic.c: the end, with all that helps to understand it.
 *
 * Owns: panic(), the backtrace, symbol look-up. Context: any, also inside a
 * fault in ring 0: nothing here allocates, and it reads no address that is not
 * mapped.
 */
#include <kernel/acpi.h>
#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/keep.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/options.h>
#include <kernel/parse.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <kernel/symbols.h>
#include <kernel/time.h>
#include <kernel/watchdog.h>

#define FRAMES_MAX     24
#define LAST_LOG_BYTES 1536u

extern char kernel_text[], kernel_text_end[];

void symbolise(uint64_t ip, char *buf, size_t bytes)
{
    uint32_t lo = 0, hi = ksym_count;
    uint64_t offset = ip - KERNEL_BASE;

    if (ip < (uint64_t)kernel_text || ip >= (uint64_t)kernel_text_end || hi == 0) {
        ksnprintf(buf, bytes, "%#lx", ip);
        return;
    }
    while (hi - lo > 1) {
        uint32_t mid = (lo + hi) / 2;
        if (ksyms[mid].offset <= offset)
            lo = mid;
        else
            hi = mid;
    }
    ksnprintf(buf, bytes, "%s+%#lx", ksym_names + ksyms[lo].name, offset - ksyms[lo].offset);
}

size_t backtrace_text(uint64_t ip, uint64_t frame, char *buf, size_t bytes)
{
    size_t n = 0;
    char name[96];

    for (unsigned i = 0; i < FRAMES_MAX && n + 1 < bytes; i++) {
        symbolise(ip, name, sizeof name);
        int k = ksnprintf(buf + n, bytes - n, "  0x%016lx %s\n", ip, name);
        n += (size_t)k < bytes - n ? (size_t)k : bytes - n - 1;
        if ((frame & 7) != 0 || !kernel_readable(frame) || !kernel_readable(frame + 8))
            break;
        const uint64_t *f = (const uint64_t *)frame;
        ip = f[1];
        if (f[0] <= frame || ip == 0)
            break; /* frames grow upwards; the first one's link is 0 */
        frame = f[0];
    }
    return n;
}

static void say(const char *text)
{
    console_write_polled(text, strlen(text));
    keep_append(text, strlen(text));
}

static void say_registers(void)
{
    char line[160];
    uint64_t cr0, cr2, cr3, cr4, rsp, rflags;

    __asm__ volatile("movq %%cr0, %0; movq %%cr2, %1; movq %%cr3, %2" : "=r"(cr0), "=r"(cr2), "=r"(cr3));
    __asm__ volatile("movq %%cr4, %0; movq %%rsp, %1; pushfq; popq %2" : "=r"(cr4), "=r"(rsp), "=r"(rflags));
    ksnprintf(line, sizeof line, "cr0 %lx cr2 %lx cr3 %lx cr4 %lx rsp %lx rflags %lx\n", cr0, cr2, cr3, cr4,
              rsp, rflags);
    say(line);
}

static void say_last_log(uint64_t end)
{
    static char text[LAST_LOG_BYTES + 1];
    uint64_t cursor = end > LAST_LOG_BYTES ? end - LAST_LOG_BYTES : 0;
    size_t n = log_read(&cursor, text, LAST_LOG_BYTES);

    text[n] = 0;
    const char *from = text;
    if (end > LAST_LOG_BYTES && strchr(text, '\n') != NULL)
        from = strchr(text, '\n') + 1; /* not the rest of a cut line */
    console_write_polled("last log lines:\n", 16); /* the kept log has them */
    console_write_polled(from, strlen(from));
}

/* panic=halt, or panic=reboot,SECONDS */
static void __attribute__((noreturn)) finish(void)
{
    const char *how = option("panic");

    keep_ending(KEEP_PANIC);
    if (how != NULL && strncmp(how, "reboot", 6) == 0) {
        const char *p = how + 6 + (how[6] == ',');
        uint32_t seconds = 0;
        parse_decimal(&p, 0, 3600, &seconds);
        say("the machine restarts\n");
        for (uint32_t i = 0; i < seconds * 100; i++) {
            watchdog_feed(); /* so many seconds, not fewer */
            delay_us(10000);
        }
        power_reboot();
    }
    if (option("test") != NULL)
        power_test_exit(false);
    watchdog_stop(); /* halted is what was asked for */
    say("halted\n");
    for (;;)
        __asm__ volatile("cli; hlt");
}

/* The others stand still from here on, and nothing they held stops the report. */
void panic_begin(void)
{
    irq_disable();
    if (!smp_stop_others())
        for (;;)
            __asm__ volatile("cli; hlt"); /* another CPU's report is under way */
    locks_give_way();
}

void boot_stop(const char *fmt, ...)
{
    char text[256];
    va_list ap;

    panic_begin();
    va_start(ap, fmt);
    kvsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    say("Slipway cannot boot: ");
    say(text);
    say("\n");
    finish();
}

void panic(const char *fmt, ...)
{
    static volatile bool entered;
    static char text[256], trace[FRAMES_MAX * 128];
    uint64_t end = log_end();
    va_list ap;

    panic_begin();
    if (entered) {
        say("panic: another fault while the first is reported\n");
        for (;;)
            __asm__ volatile("cli; hlt");
    }
    entered = true;
    va_start(ap, fmt);
    kvsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    say("\npanic: ");
    say(text);
    say("\n");
    say_registers();
    backtrace_text((uint64_t)__builtin_return_address(0), *(uint64_t *)__builtin_frame_address(0), trace,
                   sizeof trace);
    say(trace);
    say_last_log(end);
    finish();
}
