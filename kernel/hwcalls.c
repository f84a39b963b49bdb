/* SPDX-License-Identifier: MIT
 *
 * kernel/hwcalls.c: system calls about the hardware: the kept log, the watchdog.
 *
 * Owns: nothing. Context: thread.
 */
#include <kernel/keep.h>
#include <kernel/proc.h>
#include <kernel/syscall.h>
#include <kernel/watchdog.h>

#define COPY_CHUNK 256u

SYSCALL_HANDLER(log_previous)
{
    char chunk[COPY_CHUNK];
    uint64_t cursor, done = 0;
    int r = copy_from_user(&cursor, a0, sizeof cursor);

    if (r == 0 && !process_has(self_process(), RIGHT_LOG_READ))
        r = -EACCES;
    while (r == 0 && done < a2) {
        size_t n = keep_previous(cursor, chunk, a2 - done < sizeof chunk ? a2 - done : sizeof chunk);
        if (n == 0)
            break;
        r = copy_to_user(a1 + done, chunk, n);
        cursor += n;
        done += n;
    }
    if (r == 0)
        r = copy_to_user(a0, &cursor, sizeof cursor);
    return r < 0 ? r : (int64_t)done;
}

SYSCALL_HANDLER(watchdog_feed)
{
    if (!process_has(self_process(), RIGHT_POWER))
        return -EACCES;
    if (watchdog_timeout_ms() == 0)
        return -ENODEV;
    watchdog_feed();
    return watchdog_timeout_ms();
}
