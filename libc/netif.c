/* SPDX-License-Identifier: MIT
 *
 * libc/netif.c: links by name and number. Context: any thread.
 */
#include <errno.h>
#include <net/if.h>
#include <slipway/sys.h>
#include <stdlib.h>
#include <string.h>

unsigned if_nametoindex(const char *name)
{
    struct net_link_info l;
    for (uint64_t i = 0; sys_net_info(NETINFO_LINK, i, &l, sizeof l) > 0; i++)
        if (strncmp(l.name, name, sizeof l.name) == 0)
            return l.index + 1u;
    errno = ENODEV;
    return 0;
}

char *if_indextoname(unsigned index, char *name)
{
    struct net_link_info l;
    for (uint64_t i = 0; sys_net_info(NETINFO_LINK, i, &l, sizeof l) > 0; i++) {
        if (l.index + 1u != index)
            continue;
        memcpy(name, l.name, sizeof l.name);
        name[sizeof l.name] = 0;
        return name;
    }
    errno = ENODEV;
    return NULL;
}

struct if_nameindex *if_nameindex(void)
{
    struct net_link_info l;
    struct if_nameindex *list = NULL;

    for (size_t n = 0;; n++) {
        struct if_nameindex *more = realloc(list, (n + 1) * sizeof *list);
        if (more == NULL)
            break;
        list = more;
        list[n] = (struct if_nameindex){0, NULL};
        if (sys_net_info(NETINFO_LINK, n, &l, sizeof l) <= 0)
            return list;
        char name[LINK_NAME_MAX + 1] = {0};
        memcpy(name, l.name, sizeof l.name);
        list[n].if_name = strdup(name);
        list[n].if_index = l.index + 1u;
        if (list[n].if_name == NULL) {
            list[n].if_index = 0;
            break;
        }
    }
    if (list != NULL)
        if_freenameindex(list);
    errno = ENOBUFS;
    return NULL;
}

void if_freenameindex(struct if_nameindex *list)
{
    for (struct if_nameindex *i = list; i->if_index != 0; i++)
        free(i->if_name);
    free(list);
}
