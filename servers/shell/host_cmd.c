/* SPDX-License-Identifier: MIT
 *
 * servers/shell/host_cmd.c: host: what name servers say of a name or an address, past
 * the hosts file.
 */
#include "shell.h"
#include <arpa/inet.h>
#include <slipway/netdproto.h>
#include <stdio.h>
#include <string.h>

static bool read_address(const char *text, uint8_t *family, struct net_addr *a)
{
    memset(a, 0, sizeof *a);
    *family = NET_INET;
    if (inet_pton(AF_INET, text, a->b) == 1)
        return true;
    *family = NET_INET6;
    return inet_pton(AF_INET6, text, a->b) == 1;
}

static void show(const char *asked, const struct netd_resolve *q)
{
    char text[INET6_ADDRSTRLEN];

    if (q->want & NETD_WANT_PTR) {
        printf("%s is %s\n", asked, q->found);
        return;
    }
    if (q->hops > 0)
        printf("%s is an alias for %s\n", asked, q->found);
    for (unsigned i = 0; i < q->count; i++) {
        const struct netd_address *a = &q->address[i];
        printf("%s has %s %s\n", q->found, a->family == NET_INET ? "address" : "IPv6 address",
               inet_ntop(a->family == NET_INET ? AF_INET : AF_INET6, a->addr.b, text, sizeof text));
    }
}

int cmd_host(int argc, char **argv)
{
    static const char *const why[] = {[NETD_NO_NAME] = "no such name",
                                      [NETD_NO_DATA] = "the name has no address",
                                      [NETD_TRY_LATER] = "no name server answered",
                                      [NETD_FAILED] = "the name server cannot tell"};
    static struct netd_resolve q;

    if (argc < 2 || argc > 3)
        return SHELL_USAGE;
    memset(&q, 0, sizeof q);
    if (read_address(argv[1], &q.family, &q.addr)) {
        q.want = NETD_WANT_PTR;
    } else if (strlen(argv[1]) < sizeof q.name) {
        strcpy(q.name, argv[1]);
        q.want = NETD_WANT_A | NETD_WANT_AAAA | NETD_USE_SEARCH;
    } else {
        return shell_error(argv[1], -EINVAL);
    }
    if (argc == 3) {
        if (!read_address(argv[2], &q.server_family, &q.server))
            return SHELL_USAGE;
        q.server_port = 53;
        q.server_link = LINK_ANY;
    }
    int r = sys_resolve(&q);
    if (r < 0)
        return shell_error("host", r);
    if (q.status != NETD_FOUND) {
        printf("%s: %s\n", argv[1], q.status < sizeof why / sizeof why[0] ? why[q.status] : "?");
        return 1;
    }
    show(argv[1], &q);
    return 0;
}
