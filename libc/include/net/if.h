/* SPDX-License-Identifier: MIT
 *
 * net/if.h: links by name and by number (POSIX.1-2017). The number is the
 * kernel's link index plus one, since zero means "none" here.
 */
#ifndef SLIPWAY_NET_IF_H
#define SLIPWAY_NET_IF_H

#ifdef __cplusplus
extern "C" {
#endif

#define IF_NAMESIZE 16
#define IFNAMSIZ IF_NAMESIZE

struct if_nameindex {
    unsigned if_index; /* 0 ends the list */
    char *if_name;
};

unsigned if_nametoindex(const char *name);
char *if_indextoname(unsigned index, char *name);
struct if_nameindex *if_nameindex(void);
void if_freenameindex(struct if_nameindex *list);

#ifdef __cplusplus
}
#endif

#endif
