/* SPDX-License-Identifier: MIT
 *
 * servers/init/announce.c: "ready: ADDRESS" on the console.
 *
 * One line for each link that has an address, once the servers are up; an
 * address that comes later (DHCP) gets its line when netd reports it, and one
 * that was shown already gets no second line when netd comes back.
 */
#include "init.h"
#include <stdio.h>
#include <string.h>

#define LINKS_MAX 16

static struct init_address shown[LINKS_MAX];
static unsigned nshown;
static bool open_for_business;

/* A line of its own: when the shell has a prompt on the screen, the line goes
 * below it, and the shell, once notified, draws its prompt again. */
static void show(const struct init_address *a)
{
    char line[80];
    int shell = sys_name_lookup("shell");
    int n = snprintf(line, sizeof line, "%sready: %s\n", shell >= 0 ? "\n" : "", a->text);

    sys_console_write(line, (uint64_t)n);
    sys_logf(SYS_LOG_DEBUG, "%s has %s", a->link, a->text);
    if (shell >= 0) {
        sys_notify(shell, 1);
        sys_handle_close(shell);
    }
}

static struct init_address *slot_of(const char *link)
{
    for (unsigned i = 0; i < nshown; i++)
        if (strcmp(shown[i].link, link) == 0)
            return &shown[i];
    if (nshown == LINKS_MAX)
        return NULL;
    memset(&shown[nshown], 0, sizeof shown[nshown]);
    strcpy(shown[nshown].link, link);
    return &shown[nshown++];
}

void announce_address(const char *link, const char *text)
{
    struct init_address *a = slot_of(link);

    if (a == NULL || strcmp(a->text, text) == 0)
        return;
    strcpy(a->text, text);
    if (open_for_business)
        show(a);
}

/* Static addresses are nobody's news: the kernel knows them. */
static void collect_static(void)
{
    struct net_config c;
    struct net_link_info l;
    struct init_address a;

    for (uint64_t i = 0; sys_net_info(NETINFO_ADDR, i, &c, sizeof c) > 0; i++) {
        if (c.family != NET_INET || sys_net_info(NETINFO_LINK, c.link, &l, sizeof l) <= 0 ||
            (l.flags & LINKF_LOOPBACK))
            continue;
        memset(&a, 0, sizeof a);
        memcpy(a.link, l.name, sizeof a.link - 1);
        snprintf(a.text, sizeof a.text, "%u.%u.%u.%u", c.addr.b[0], c.addr.b[1], c.addr.b[2], c.addr.b[3]);
        announce_address(a.link, a.text);
    }
}

void announce_all(void)
{
    if (open_for_business)
        return;
    collect_static();
    open_for_business = true;
    for (unsigned i = 0; i < nshown; i++)
        if (shown[i].text[0] != 0)
            show(&shown[i]);
}
