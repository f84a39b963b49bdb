/* SPDX-License-Identifier: MIT
 *
 * net/core/reserve.c: ports whose owner died and will come back.
 *
 * Owns: reservations and the SYNs parked in them. For RESERVE_NS the port belongs
 * to the family of the one that died; a client that connects in between is
 * served by the next owner instead of refused. Context and lock: as in
 * net/core/core.h.
 */
#include <net/core/ports.h>

static struct reservation *reserved; /* all, in no order; few */

static void arm_timer(void)
{
    uint64_t next = UINT64_MAX;

    for (const struct reservation *r = reserved; r != NULL; r = r->next)
        if (r->expires_ns < next)
            next = r->expires_ns;
    if (next != UINT64_MAX)
        nc_timer(next, reservations_expire);
}

void port_reserve(struct port_entry *e, const char *family)
{
    struct reservation *r = nc_alloc(sizeof(*r));

    if (r == NULL) { /* no memory: the successor registers afresh */
        port_free_entry(e);
        return;
    }
    r->entry = e;
    r->expires_ns = nc_now_ns() + RESERVE_NS; /* C-REG-6 */
    for (unsigned i = 0; i < NAME_MAX_BYTES - 1 && family[i] != 0; i++)
        r->family[i] = family[i];
    r->next = reserved;
    reserved = r;
    e->reservation = r;
    e->state = PORT_RESERVED;
    arm_timer();
}

void port_park(struct port_entry *e, const struct packet *p)
{
    struct reservation *r = e->reservation;
    struct parked *k = NULL;

    if (r->count < PARKED_MAX && p->l3_len <= PARKED_BYTES_MAX) /* C-REG-7 */
        k = nc_alloc(sizeof(*k) + p->l3_len);
    if (k == NULL) {
        count_drop(DROP_PARK_FULL);
        e->dropped++;
        return;
    }
    k->link = p->link->index;
    k->csum = p->csum;
    k->len = (uint16_t)p->l3_len;
    __builtin_memcpy(k->packet, p->l3, p->l3_len);
    if (r->last != NULL)
        r->last->next = k;
    else
        r->first = k;
    r->last = k;
    r->count++;
    core.c.in_flight++;
}

bool reservation_rescue(const struct net_rx *copy, const void *data)
{
    struct port_entry *e = port_by_id(copy->port_id);
    uint8_t packet[PARKED_BYTES_MAX];
    struct target t;
    struct packet p = {.csum = CSUM_NONE};

    if (e == NULL || e->state != PORT_RESERVED || copy->len > sizeof(packet))
        return false;
    p.link = link_by_index(copy->link);
    if (p.link == NULL)
        return false;
    /* The dead process could write there: what counts is what our own copy says. */
    __builtin_memcpy(packet, data, copy->len);
    p.l3 = p.frame = packet;
    p.l3_len = copy->len;
    classify_packet(&p, &t);
    if (!t.park || t.port != e)
        return false;
    port_park(e, &p);
    return true;
}

/* Unhooks the reservation; the caller frees the entry. */
static struct parked *detach(struct port_entry *e)
{
    struct reservation **p = &reserved, *r = e->reservation;
    struct parked *list = r->first;

    while (*p != r)
        p = &(*p)->next;
    *p = r->next;
    e->reservation = NULL;
    nc_free(r);
    return list;
}

static void drop_parked(struct parked *k, enum net_drop why)
{
    while (k != NULL) {
        struct parked *next = k->next;

        core.c.in_flight--;
        count_drop(why);
        nc_free(k);
        k = next;
    }
}

static void unpark(struct parked *k)
{
    uint64_t now = core_now();

    while (k != NULL) {
        struct parked *next = k->next;
        struct packet p = {.csum = k->csum, .l3 = k->packet, .frame = k->packet, .l3_len = k->len};
        struct target t;

        p.link = link_by_index(k->link);
        core.c.in_flight--;
        classify_packet(&p, &t);
        deliver(&p, &t, now);
        nc_free(k);
        k = next;
    }
}

void reservations_take_over(const struct port_entry *by, const char *family)
{
    struct parked *list = NULL, **tail = &list;
    struct reservation *next;

    for (struct reservation *r = reserved; r != NULL; r = next) {
        struct port_entry *e = r->entry;

        next = r->next;
        if (__builtin_memcmp(r->family, family, NAME_MAX_BYTES) != 0 || !port_key_overlaps(&e->key, &by->key))
            continue;
        *tail = detach(e);
        while (*tail != NULL)
            tail = &(*tail)->next;
        port_free_entry(e);
    }
    if (list == NULL)
        return;
    unpark(list);
    wake_flush();
}

void reservations_expire(void)
{
    uint64_t now = nc_now_ns();
    struct reservation *next;

    for (struct reservation *r = reserved; r != NULL; r = next) {
        struct port_entry *e = r->entry;

        next = r->next;
        if (r->expires_ns > now)
            continue;
        drop_parked(detach(e), DROP_PARK_EXPIRED);
        port_free_entry(e);
    }
    arm_timer();
}

void reservations_fini(void)
{
    while (reserved != NULL) {
        struct port_entry *e = reserved->entry;

        drop_parked(detach(e), DROP_PARK_EXPIRED);
        port_free_entry(e);
    }
}
