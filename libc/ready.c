/* SPDX-License-Identifier: MIT
 *
 * libc/ready.c: a server tells init that it serves. Context: any thread.
 */
#include <slipway/initproto.h>
#include <slipway/sys.h>

void sys_ready(void)
{
    struct sys_msg m;
    sys_msg_set(&m, INIT_READY, NULL, 0);
    sys_ask("init", &m, 1000);
}
