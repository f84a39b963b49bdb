/* SPDX-License-Identifier: MIT
 *
 * libc/resolve.c: questions to the resolver, which is netd's. Context: any thread.
 */
#include "libc.h"
#include <slipway/netdproto.h>
#include <string.h>
#include <time.h>

#define PAUSE_MIN_NS 10000000
#define PAUSE_MAX_NS 200000000

/* netd may have died over it; its successor knows nothing of the question. Where too many
 * are open, of this process or in all, this one waits for its turn. */
static int ask(int handle)
{
    uint64_t until_ns = sys_now_ns() + NETD_RESOLVE_MS * 1000000ull;
    struct timespec pause = {.tv_nsec = PAUSE_MIN_NS};
    int deaths = 0;

    for (;;) {
        struct sys_msg m;
        sys_msg_set(&m, NETD_RESOLVE, NULL, 0);
        m.handle = handle;
        int r = sys_ask("netd", &m, NETD_RESOLVE_MS);
        if (r == -EPEER && ++deaths < 2)
            continue;
        if (r != -EAGAIN || sys_now_ns() >= until_ns)
            return r;
        nanosleep(&pause, NULL);
        pause.tv_nsec = pause.tv_nsec * 2 < PAUSE_MAX_NS ? pause.tv_nsec * 2 : PAUSE_MAX_NS;
    }
}

int sys_resolve(struct netd_resolve *q)
{
    int handle = sys_memobj_create(NETD_RESOLVE_BYTES);
    if (handle < 0)
        return handle;
    int64_t at = sys_memobj_map(handle, 0, 0, NETD_RESOLVE_BYTES, PROT_R | PROT_W);
    int r = (int)at;

    if (at > 0) {
        memcpy((void *)at, q, sizeof *q);
        r = ask(handle);
        if (r == 0)
            memcpy(q, (const void *)at, sizeof *q);
        sys_mem_unmap((uint64_t)at, NETD_RESOLVE_BYTES);
    }
    sys_handle_close(handle);
    if (r == 0 && (q->count > NETD_ADDRS_MAX || memchr(q->found, 0, sizeof q->found) == NULL))
        r = -EPROTO;
    return r;
}
