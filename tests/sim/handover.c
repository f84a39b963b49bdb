/* SPDX-License-Identifier: MIT
 *
 * tests/sim/handover.c: a process hands all its sockets to its successor, in the
 * middle of everything (slipway/handover.h). What was on its way into or out of
 * the old rings is lost, as on any network; not a byte of a stream may be.
 */
#include <net/stack/tcp.h>
#include <slipway/handover.h>
#include <stdlib.h>
#include <string.h>
#include <tests/sim/sim.h>

#define RECORDS_MAX 512

struct moving {
    struct nsock **at; /* NULL: an orphan */
    void *record;
    size_t bytes;
};
static struct moving moving[RECORDS_MAX];
static unsigned nmoving;

/* False: it cannot move. */
static bool note(struct nsock **at, struct nsock *s)
{
    struct moving *m = &moving[nmoving];
    int64_t n = ns_export(s, NULL, 0);

    if (n < 0 || nmoving == RECORDS_MAX)
        return false;
    m->at = at;
    m->bytes = (size_t)n;
    m->record = malloc(m->bytes);
    if (m->record == NULL)
        abort();
    if (ns_export(s, m->record, m->bytes) != n)
        sim_fail("a record changes its size");
    nmoving++;
    return true;
}

static void drop_records(void)
{
    while (nmoving > 0)
        free(moving[--nmoving].record);
}

static bool is_orphan(const struct nsock *s)
{
    const struct tcb *t = (const struct tcb *)s;

    return s != NULL && s->type == NS_STREAM && tcb_orphan(t) && tcp_exportable(t);
}

bool host_hand_over(struct host *h) /* C-MOVE-2 */
{
    struct nsock **at[APP_SOCKETS_MAX];
    unsigned n = app_sockets(h, at);
    bool able = true;

    netstack_run(h->ns, 1 << 20); /* everything that has arrived */
    for (unsigned i = 0; i < n && able; i++)
        able = note(at[i], *at[i]);
    for (uint32_t i = 0; i < h->ns->socks_room && able; i++)
        if (is_orphan(h->ns->socks[i]))
            able = note(NULL, h->ns->socks[i]);
    if (!able) {
        drop_records();
        return false;
    }
    for (uint32_t i = h->ns->socks_room; i-- > 0;)
        if (is_orphan(h->ns->socks[i]))
            ns_forget(h->ns->socks[i]);
    for (unsigned i = 0; i < n; i++)
        ns_forget(*at[i]);
    host_new_stack(h);
    for (unsigned i = 0; i < nmoving && !sim.failed; i++) {
        struct nsock *s;
        int r = ns_import(h->ns, moving[i].record, moving[i].bytes, NULL, &s);

        if (r != 0 || (s == NULL) != (moving[i].at == NULL))
            sim_fail("%s: a record of kind %d is not taken: %d", h->name,
                     ((struct handover *)moving[i].record)->kind, r);
        if (moving[i].at != NULL)
            *moving[i].at = s;
    }
    drop_records();
    app_stats.handovers++;
    return true;
}
