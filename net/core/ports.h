/* SPDX-License-Identifier: MIT
 *
 * net/core/ports.h: the port registry, seen from inside the net core.
 *
 * Owns: port entries (groups of endpoints), flow entries, reservations with
 * their parked SYNs.
 * Context and lock: as in net/core/core.h. The look-ups neither allocate nor
 * write anything but counters.
 *
 * A port number leads through a page of 256 cells straight to what covers it:
 * a cell holds the id of one entry, or of a "stack" when several entries (on
 * other addresses or links, or ranges) share the number; a stack is sorted,
 * most specific first, and bounded. So a look-up is two loads in the common
 * case and never more than STACK_MAX comparisons.
 */
#ifndef NET_CORE_PORTS_H
#define NET_CORE_PORTS_H

#include <net/core/internal.h>

#define STACK_MAX  15
#define CELL_STACK 0x8000u /* the cell's id names a stack, not an entry */
#define FLOW_ID    0x8000u /* in the low half of a registry id: a flow */

enum port_state { PORT_FREE = 0, PORT_LIVE, PORT_RESERVED };

struct port_member {
    struct net_endpoint *endpoint;
    struct port_entry *entry;
    struct port_member *next;               /* in the group */
    struct port_member *ep_next, **ep_prev; /* the endpoint's list */
    uint32_t salt;                          /* for the choice by flow hash */
};

struct parked {
    struct parked *next;
    uint16_t link, len;
    uint8_t csum;
    uint8_t packet[];
};

/* What an owner gives to whoever shows the token. */
struct offer {
    bool made;
    uint8_t token[NET_SECRET_BYTES];
};

struct reservation {
    struct reservation *next;
    struct port_entry *entry;
    uint64_t expires_ns;
    char family[NAME_MAX_BYTES]; /* who may take the port over */
    struct parked *first, *last;
    unsigned count;
};

struct port_entry {
    uint16_t free_next; /* id_table's */
    uint16_t id;
    uint16_t generation;
    uint8_t state; /* enum port_state */
    uint8_t score; /* how specific the key is */
    bool addr_any;
    bool joinable; /* registered with PORT_JOIN */
    bool anybodys; /* not of a manifest: who comes by the number next is a stranger */
    uint16_t nmembers;
    struct offer offer;
    struct net_port_key key;
    struct port_member *members;
    struct reservation *reservation;
    uint64_t delivered, dropped;
};

struct flow_entry {
    uint16_t free_next; /* id_table's */
    uint16_t id;
    uint16_t generation;
    uint16_t next; /* id of the next in the bucket */
    struct offer offer;
    struct net_flow_key key;
    struct net_endpoint *endpoint;
    struct flow_entry *ep_next, **ep_prev;
    uint64_t hash, delivered, dropped;
};

static inline uint32_t port_id(const struct port_entry *p)
{
    return (uint32_t)p->generation << 16 | p->id;
}
static inline uint32_t flow_id(const struct flow_entry *f)
{
    return (uint32_t)f->generation << 16 | FLOW_ID | f->id;
}

void ports_init(void);
void ports_fini(void);
/* The entry that a packet to (laddr, lport) on `link` belongs to, or NULL. */
struct port_entry *port_lookup(uint8_t family, uint8_t proto, uint16_t link, const struct net_addr *laddr,
                               uint16_t lport);
/* Member of the group for this packet. */
struct net_endpoint *port_choose(const struct port_entry *e, const struct packet *p);
bool port_has_owner(const struct port_entry *e, const struct nc_owner *o);
struct port_entry *port_by_id(uint32_t id);
struct port_entry *port_by_key(const struct net_port_key *key, uint8_t state);
struct port_entry *port_nth(uint64_t cursor);
uint32_t ports_count(void);
bool port_key_valid(const struct net_port_key *k);
bool port_key_equal(const struct net_port_key *a, const struct net_port_key *b);
bool port_key_overlaps(const struct net_port_key *a, const struct net_port_key *b);
void port_secret(const void *key, size_t bytes, const char *name, uint8_t out[NET_SECRET_BYTES]);
bool port_number_taken(const struct net_port_key *k); /* one port: does anything overlap? */
int port_each_overlap(const struct net_port_key *k, int (*fn)(struct port_entry *e, void *ctx), void *ctx);
int port_new_entry(const struct net_port_key *k, struct port_entry **out); /* live, without members */
void port_free_entry(struct port_entry *e); /* members and reservation must be gone */
int port_join(struct port_entry *e, struct net_endpoint *ep);
void port_part(struct port_member *m); /* may leave the entry without members */

/* register.c */
/* The endpoint receives no more. With reserve_for (a dead owner that will
 * restart) what its manifest line serves stays reserved. */
void ports_endpoint_closed(struct net_endpoint *e, const struct nc_owner *reserve_for);

/* reserve.c */
void port_reserve(struct port_entry *e, const char *family);
void port_park(struct port_entry *e, const struct packet *p);
/* A record from a dead owner's ring: parked when it is a SYN for the reserved
 * port that it claims to be for; false when not. */
bool reservation_rescue(const struct net_rx *copy, const void *data);
/* Ends reservations of `family` that the new entry overlaps; classifies their
 * parked packets again. */
void reservations_take_over(const struct port_entry *by, const char *family);

void reservations_expire(void); /* the timer's function */
void reservations_fini(void);

/* flows.c */
void flows_init(void);
void flows_fini(void);
extern uint32_t flows_count;
struct flow_entry *flow_lookup(const struct packet *p);
uint64_t flow_hash(const struct packet *p);
struct flow_entry *flow_by_key(const struct net_flow_key *k);
struct flow_entry *flow_by_id(uint32_t id);
struct flow_entry *flow_nth(uint64_t cursor);
int flow_bind(const struct net_flow_key *k, struct net_endpoint *e, struct flow_entry **out);
void flow_free(struct flow_entry *f);
void flows_endpoint_closed(struct net_endpoint *e);
bool flow_key_valid(const struct net_flow_key *k);
bool flow_key_matches(const struct net_flow_key *k, const struct packet *p);
bool flows_may_use_port(uint8_t proto, uint16_t port); /* false: certainly none does */

/* A flow belongs to its owner alone, also against the port's; an unowned port is
 * net.default's (resets, unreachables, DHCP). */
static inline bool tx_owns(const struct tx *t, const struct packet *p)
{
    const struct nc_owner *o = t->endpoint->owner;
    const struct port_entry *e;

    if (flows_count != 0) {
        const struct flow_entry *f = flow_lookup(p);
        if (f != NULL)
            return f->endpoint->owner == o;
    }
    e = port_lookup(p->family, p->proto, p->link->index, &p->laddr, p->lport);
    if (e == NULL || e->state != PORT_LIVE)
        return endpoint_has(t->endpoint, RIGHT_NET_DEFAULT);
    return port_has_owner(e, o);
}

#endif
