/* SPDX-License-Identifier: MIT
 *
 * libc/resolve.c: questions to the resolver, which is netd's. Context: any thread.
 */
#include "libc.h"
#include <slipway/netdproto.h>
#include <string.h>

/* netd may have died over it; its successor knows nothing of the question. */
static int ask(int handle)
{
    struct sys_msg m;
    int r = -EPEER;

    for (int tries = 0; r == -EPEER && tries < 2; tries++) {
        sys_msg_set(&m, NETD_RESOLVE, NULL, 0);
        m.handle = handle;
        r = sys_ask("netd", &m, NETD_RESOLVE_MS);
    }
    return r;
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
