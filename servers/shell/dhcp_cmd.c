/* SPDX-License-Identifier: MIT
 *
 * servers/shell/dhcp_cmd.c: dhcp: the leases that netd has, and asking anew.
 */
#include "shell.h"
#include <arpa/inet.h>
#include <slipway/netdproto.h>
#include <stdio.h>
#include <string.h>

static const char *text_of(const uint8_t a[4], char buf[INET_ADDRSTRLEN])
{
    static const uint8_t none[4];
    return memcmp(a, none, 4) == 0 ? "-" : inet_ntop(AF_INET, a, buf, INET_ADDRSTRLEN);
}

static void show(const struct netd_link *l)
{
    char address[INET_ADDRSTRLEN], server[INET_ADDRSTRLEN], router[INET_ADDRSTRLEN], left[24] = "-";
    uint64_t now_ns = sys_now_ns();

    if (l->expiry_ns == UINT64_MAX)
        strcpy(left, "for ever");
    else if (l->expiry_ns > now_ns)
        snprintf(left, sizeof left, "%llu s", (unsigned long long)((l->expiry_ns - now_ns) / 1000000000u));
    printf("%-6.8s %-11.12s %-16s %-16s %-16s %-10s %u\n", l->name, l->state, text_of(l->address, address),
           text_of(l->server, server), text_of(l->router, router), left, (unsigned)l->conflicts);
}

int cmd_dhcp(int argc, char **argv)
{
    bool renew = argc == 2 && strcmp(argv[1], "renew") == 0;
    struct sys_msg m;
    struct netd_link l;
    int r = 0;

    if (argc > 1 && !renew)
        return SHELL_USAGE;
    if (!renew)
        printf("%-6s %-11s %-16s %-16s %-16s %-10s CONFLICTS\n", "LINK", "STATE", "ADDRESS", "SERVER", "ROUTER",
               "LEFT");
    for (uint32_t i = 0; r == 0 && !shell_interrupted(); i++) {
        sys_msg_set(&m, NETD_LINK, &i, sizeof i);
        r = sys_ask("netd", &m, 2000);
        memcpy(&l, m.data, sizeof l);
        if (r == 0 && !renew) {
            show(&l);
        } else if (r == 0) {
            sys_msg_set(&m, NETD_RENEW, &i, sizeof i);
            sys_ask("netd", &m, 2000); /* -ENOENT: no DHCP on this link */
        }
    }
    return r == -ENOENT ? 0 : shell_error("netd", r);
}
