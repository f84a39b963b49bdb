/* SPDX-License-Identifier: MIT
 *
 * net/core/internal.h: the net core's state, shared by its own files only.
 *
 * Owns: struct net_core (one instance, `core`) and what hangs off it.
 * Context and lock: as in net/core/core.h.
 *
 * Addresses travel as struct net_addr; IPv4 on the fast path as uint32_t in
 * network byte order as it lies in the packet (ip4_t), so that comparing needs
 * no swap.
 */
#ifndef NET_CORE_INTERNAL_H
#define NET_CORE_INTERNAL_H

#include <net/core/core.h>
#include <slipway/errno.h>

#define ADDRS_MAX        32
#define ROUTES_MAX       64
#define NEIGH_MAX        1024
#define NEIGH_BUCKETS    256
#define TAPS_MAX         4    /* per link */
#define GROUP_MAX        16   /* endpoints in one group */
#define PARKED_MAX       64   /* SYNs per reserved port (design, section 5) */
#define PARKED_BYTES_MAX 1500 /* of one parked packet */
#define RESERVE_NS       2000000000ull
#define FRAGMENT_IDS     64u
#define IP4_MTU_MIN      68u  /* RFC 791, section 3.2: every link and path carries as much */
#define ETH_HDR          14u
#define ETHERTYPE_IPV4   0x0800u
#define ETHERTYPE_IPV6   0x86ddu
#define IP_PACKET_MAX    65535u

typedef uint32_t ip4_t;

/* --- memory access ------------------------------------------------------------- */
static inline uint16_t be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline void put_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline ip4_t load_ip4(const void *p)
{
    ip4_t v;
    __builtin_memcpy(&v, p, 4);
    return v;
}
static inline uint64_t load64(const void *p)
{
    uint64_t v;
    __builtin_memcpy(&v, p, 8);
    return v;
}
static inline ip4_t ip4_mask(unsigned prefix) /* network order; x86 is little-endian */
{
    return prefix == 0 ? 0 : __builtin_bswap32(0xffffffffu << (32 - prefix));
}
static inline bool addr_is_any(const struct net_addr *a)
{
    return (load64(a->b) | load64(a->b + 8)) == 0;
}
static inline bool addr_equal(const struct net_addr *a, const struct net_addr *b)
{
    return ((load64(a->b) ^ load64(b->b)) | (load64(a->b + 8) ^ load64(b->b + 8))) == 0;
}
static inline struct net_addr addr_from_ip4(ip4_t ip)
{
    struct net_addr a = {{0}};
    __builtin_memcpy(a.b, &ip, 4);
    return a;
}
/* Indices in shared memory: one writer each, release and acquire (ring.h). */
static inline uint32_t shared_load(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
static inline void shared_store(uint32_t *p, uint32_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* --- a table of small ids whose pages are made on demand ------------------------- */
#define ID_PAGE  64u
#define ID_PAGES 512u
#define ID_MAX   (ID_PAGE * ID_PAGES - 1) /* 0 is no id */
struct id_table {
    void *page[ID_PAGES];
    uint32_t object_bytes; /* each object begins with a uint16_t for the free list */
    uint16_t fresh;        /* first id never used */
    uint16_t free_head, free_tail;
};
void id_table_init(struct id_table *t, size_t object_bytes);
void id_table_fini(struct id_table *t);
uint16_t id_alloc(struct id_table *t); /* 0: out of ids or memory */
void id_free(struct id_table *t, uint16_t id);
static inline void *id_at(const struct id_table *t, uint16_t id)
{
    return (uint8_t *)t->page[id / ID_PAGE] + (size_t)(id % ID_PAGE) * t->object_bytes;
}

/* --- endpoints ------------------------------------------------------------------- */
struct dst_cache { /* valid while generation equals core.config_gen */
    uint32_t generation;
    ip4_t dst;
    uint16_t want_link; /* as asked: LINK_ANY or a link */
    uint8_t mac_known;
    uint8_t mac[6];
    uint32_t mtu;
    ip4_t nexthop;
    struct link *link;
};
#define DST_CACHE 4
struct dst_cache6 {
    struct dst_cache to; /* its IPv4 addresses play no part */
    struct net_addr dst, hop;
};

struct port_member; /* ports.h */
struct flow_entry;

struct net_endpoint {
    /* What delivery touches. */
    struct net_ring *ring;
    uint8_t *rx;
    uint32_t rx_size, rx_head;
    bool failed;       /* the process wrote impossible indices */
    bool closed;       /* handle gone or owner dead: nothing goes in or out */
    bool released;     /* endpoint_close was called; freed with the last netbuf */
    bool wake_pending; /* on core.wake */
    bool tx_queued;    /* on core.tx_head's list */
    bool takes;        /* NET_OPEN_TAKES */
    bool restricted;   /* its owner's ports are for some peers only (manifest: allow) */
    void *waiter;
    struct net_endpoint *wake_next;
    uint64_t delivered, dropped;
    /* What transmission touches. */
    const uint8_t *tx;
    uint32_t tx_entries, tx_tail;
    struct net_cqe *cq;
    uint32_t cq_entries, cq_head;
    const uint8_t *arena;
    uint32_t arena_off, arena_size;
    uint32_t inflight; /* netbufs under way */
    uint16_t link_inflight[NET_LINKS_MAX];
    int32_t deficit_bytes;
    struct net_endpoint *tx_next;
    struct dst_cache dst[DST_CACHE];
    struct dst_cache6 dst6[DST_CACHE];
    /* The rest. */
    struct nc_owner *owner;
    struct net_endpoint *owner_next, **owner_prev;
    struct nc_shared shm;
    struct port_member *members; /* its places in port groups */
    struct flow_entry *flows;
    uint32_t slots; /* bit per default slot */
    uint32_t narenas; /* additions to the arena (arena.c) */
    struct nc_shared more[NET_ARENAS_MORE];
};
/* arena.c: are these bytes in the arena, and in one piece of it? Where? (phys may be NULL.) */
bool arena_has(const struct net_endpoint *e, uint32_t off, uint32_t len);
const uint8_t *arena_far(const struct net_endpoint *e, uint32_t off, uint64_t *phys);
void arenas_free(struct net_endpoint *e);
static inline const uint8_t *arena_at(const struct net_endpoint *e, uint32_t off)
{
    return off < e->arena_size ? e->arena + off : arena_far(e, off, NULL);
}
static inline bool endpoint_has(const struct net_endpoint *e, uint32_t right)
{
    return e->owner != NULL && (e->owner->rights->bits & right) != 0;
}
/* Refuse for want of a right: logs it (rate-limited per owner), -EACCES. */
int owner_refuse(struct nc_owner *o, const char *right);
bool owner_has(struct nc_owner *o, uint32_t right); /* NULL owner: the kernel, may do all */
void endpoint_fail(struct net_endpoint *e, const char *what);
void endpoint_complete(struct net_endpoint *e, uint64_t cookie, int status);
void endpoint_wake(struct net_endpoint *e); /* at the end of the batch */
void endpoint_drop_inflight(struct net_endpoint *e);
void slots_forget(struct net_endpoint *e);
/* Records in the receive ring that the process has not taken yet, oldest
 * first. fn gets a snapshot of the header; false from fn ends the walk. All
 * that lies in the ring may have been altered by the process. */
void ring_walk(struct net_endpoint *e,
               bool (*fn)(void *ctx, struct net_rx *record, const struct net_rx *copy), void *ctx);

/* --- packets under classification --------------------------------------------------- */
struct packet {
    const uint8_t *frame; /* what came in */
    const uint8_t *l3;
    uint32_t l3_len; /* its own length, padding cut off */
    uint8_t l2_len;
    uint8_t family, proto;
    uint8_t csum;      /* enum net_csum */
    bool l2_multicast; /* sent to a group or broadcast MAC */
    bool to_group;     /* IP destination is broadcast or multicast */
    bool tcp_syn;      /* SYN without ACK */
    uint8_t problem;   /* IPv6: what its sender must be told, as in struct net_rx, and ... */
    uint16_t problem_at;
    uint16_t gso_size;
    uint16_t lport, rport;
    uint16_t l4_off;
    struct link *link;
    struct net_addr laddr, raddr;
};

struct port_entry;
struct target {
    struct net_endpoint *endpoint; /* NULL: dropped or parked */
    struct port_entry *port;       /* entry that matched, for its counters */
    struct flow_entry *flow;       /* or this one */
    uint32_t port_id;
    uint8_t slot; /* enum net_slot + 1, 0 for none */
    uint8_t drop; /* enum net_drop when endpoint is NULL and !park */
    bool park;
};
void classify_frame(struct packet *p, struct target *t);  /* from the link header on */
void classify_packet(struct packet *p, struct target *t); /* from the IP header on */
uint16_t ip_checksum(const uint8_t *h, unsigned bytes);   /* 0 when a header is right */
/* Read the transport header of an IPv4 packet whose IP header is valid; false
 * when it is too short. Fills proto, ports (as `from` and `to`), tcp_syn. */
struct ports_pair {
    uint16_t from, to;
};
bool read_ports(const uint8_t *l4, uint32_t l4_len, uint8_t proto, struct ports_pair *out);

void receive_packet(struct packet *p, uint64_t now_ns, struct net_endpoint *injector);
/* Copies a record in; false when the ring is full. l2: leave the link header on. */
bool ring_put(struct net_endpoint *e, const struct net_rx *meta, const void *data, uint32_t len);
uint32_t ring_free(struct net_endpoint *e); /* bytes */
void deliver(struct packet *p, struct target *t, uint64_t now_ns);

/* --- links ----------------------------------------------------------------------------- */
struct core_link {
    struct netbuf *batch_head, *batch_tail;
    unsigned batch_count;
    uint32_t queued;   /* netbufs that the driver holds */
    uint32_t capacity; /* learnt: where the driver refused */
    struct net_endpoint *tap[TAPS_MAX];
    unsigned ntaps;
    uint64_t tapped, tap_dropped;
};
#define TX_BATCH 32u
static inline struct core_link *link_core(const struct link *l)
{
    return (struct core_link *)l->core;
}
static inline bool link_ready(const struct link *l)
{
    return (l->flags & (LINKF_UP | LINKF_RUNNING)) == (LINKF_UP | LINKF_RUNNING);
}
/* Would n more packets of this endpoint find room? */
bool link_has_room(struct link *l, const struct net_endpoint *e, unsigned n);
void link_queue(struct link *l, struct netbuf *nb); /* into the batch; sends a full one */
void links_flush(void);                             /* send all batches, wake all */
void wake_flush(void);
void loopback_init(struct link *lo);
void loopback_fini(void);
extern struct link loopback;
void tap_frame(struct link *l, const uint8_t *frame, uint32_t len);
void tap_netbuf(struct link *l, const struct netbuf *nb);
void tap_forget(struct net_endpoint *e);

struct netbuf *netbuf_alloc(void);
void netbuf_free(struct netbuf *nb); /* never handed to a link */
void netbuf_finish(struct netbuf *nb, int status, enum net_drop why);
void netbufs_fini(void);
uint64_t checksum_add(uint64_t sum, const void *data, size_t bytes); /* bytes even but for the last piece */
uint16_t checksum_fold(uint64_t sum);
/* Of a header without options: almost every one. */
static inline uint16_t ip_checksum_20(const uint8_t *h)
{
    uint64_t sum = (load64(h) & 0xffffffffu) + (load64(h) >> 32) + (load64(h + 8) & 0xffffffffu) +
                   (load64(h + 8) >> 32) + load_ip4(h + 16);

    sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}
/* Of a piece that lies at offset `at` of what is summed. */
uint16_t checksum_turned(const void *data, size_t bytes, uint32_t at);

/* --- transmission ------------------------------------------------------------------------ */
bool tx_poll(int budget); /* deficit round robin; true when more waits */
void tx_forget(struct net_endpoint *e);

/* One record on its way out (transmit.c, txcheck.c). */
struct tx {
    struct net_endpoint *endpoint;
    struct net_tx record;      /* the kernel's snapshot */
    struct netbuf *nb;         /* header copied, segments in place */
    uint8_t *ip;               /* IP header in nb */
    uint32_t ip_header, total; /* bytes of IP header, of the IP packet */
    ip4_t src, dst;
    struct net_addr src6, dst6;
    uint8_t family, proto;
    bool foreign; /* source address is not ours (net.forward) */
    struct dst_cache *to;
    const struct net_addr *hop6;
    /* When a check says no: */
    enum net_drop why;
    int status;
};
static inline bool tx_refuse(struct tx *t, enum net_drop why, int status)
{
    t->why = why;
    t->status = status;
    return false;
}
/* Bytes of the arena, where they lie, as pieces of nb; none crosses a page. */
bool tx_add_piece(struct tx *t, struct netbuf *nb, uint32_t off, uint32_t left);
/* Completes the sum, or leaves it to the link (l not NULL and able). */
bool tx_prepare_checksum(struct tx *t, const struct link *l);
static inline void tx_add_ethernet(const struct tx *t, struct netbuf *nb)
{
    uint8_t *h = nb->head - ETH_HDR;

    __builtin_memcpy(h, t->to->mac, 6);
    __builtin_memcpy(h + 6, t->to->link->mac, 6);
    put_be16(h + 12, t->family == NET_INET ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
    nb->head = h;
    nb->head_len += ETH_HDR;
    nb->total_len += ETH_HDR;
}

/* fragment.c */
#define TX_PIECE 0x8000u             /* in a netbuf's tx_flags: one of several of a record */
uint32_t tx_mtu(const struct tx *t); /* the most that goes to t->to in one packet */
bool tx_may_cut(struct tx *t);
bool tx_cut(struct tx *t, uint32_t mtu);
void cut_piece_done(struct netbuf *nb, int status);
bool tx_check_record(struct tx *t); /* fields of the record itself */
bool tx_check_ip4(struct tx *t);    /* header, source and destination address */
bool tx_check_ports(struct tx *t);  /* after routing: may this owner send so? */
bool tx_check_frame(struct tx *t);  /* a whole frame: who may send which */

/* --- addresses, routes, neighbours --------------------------------------------------------- */
struct own_ip4 { /* compact copy for the receive path */
    ip4_t ip, broadcast;
    uint16_t link, prefix;
};
struct own_ip6 { /* likewise */
    struct net_addr addr;
    uint16_t link;
    uint8_t prefix, flags; /* ADDR_* */
};
struct address {
    struct net_addr addr;
    uint16_t link;
    uint8_t family, prefix;
    uint32_t flags;
};
struct route {
    struct net_addr dst, gateway, source;
    ip4_t net, mask; /* IPv4: dst and prefix, ready to compare */
    uint16_t link;
    uint8_t family, prefix;
    bool connected; /* made by the kernel from an address */
    uint32_t metric, mtu;
};
struct neighbour {
    struct neighbour *next; /* bucket */
    struct net_addr addr;
    uint16_t link;
    uint8_t family, state;
    uint8_t mac[6];
    uint64_t changed_ns;
};
bool addr_is_own(uint8_t family, const struct net_addr *a);
bool ip4_is_own(ip4_t ip);
bool ip4_is_broadcast(ip4_t ip); /* limited, or directed on any of our links */
bool addr_in_prefix(const struct net_addr *a, const struct net_addr *net, unsigned bits);
const struct address *addr_on_link(uint16_t link, uint8_t family, const struct net_addr *near);
void groups_update(void); /* after the addresses have changed */
bool ip6_is_joined(const struct link *l, const struct net_addr *group);
int addr_add(const struct net_config *c);
int addr_del(const struct net_config *c);
int route_add(const struct net_config *c, bool connected);
int route_del(const struct net_config *c, bool connected);
/* Longest prefix among routes over links that are up; want LINK_ANY or a link. */
const struct route *route_find4(ip4_t dst, uint16_t want);
int neigh_set(const struct net_config *c);
int neigh_del(const struct net_config *c);
struct neighbour *neigh_find(uint16_t link, uint8_t family, const struct net_addr *a);
void neigh_fini(void);
/* Out: how to reach dst. 0 or -ENETUNREACH. */
int resolve4(struct dst_cache *d, ip4_t dst, uint16_t want);
void find_mac(struct dst_cache *d, uint8_t family, const struct net_addr *hop); /* d->link is set */

/* --- everything ------------------------------------------------------------------------------ */
struct net_core {
    struct net_counters c;
    uint64_t batch_ns; /* time stamp of the poll that runs, 0 outside */
    uint32_t config_gen;
    struct link *link[NET_LINKS_MAX];
    unsigned nlinks;
    struct net_endpoint *slot[SLOT_COUNT];
    struct net_endpoint *wake;
    struct net_endpoint *tx_head, *tx_tail; /* endpoints that wait for their turn */

    struct own_ip4 own4[ADDRS_MAX];
    unsigned nown4;
    struct own_ip6 own6[ADDRS_MAX];
    unsigned nown6;
    struct address addr[ADDRS_MAX];
    unsigned naddrs;
    struct route route[ROUTES_MAX]; /* longest prefix first, then metric */
    unsigned nroutes;
    struct neighbour *neigh[NEIGH_BUCKETS];
    unsigned nneigh;

    uint32_t fragment_id[FRAGMENT_IDS];
    uint8_t boot_secret[16], hash_secret[16];
    uint8_t *bounce; /* one whole packet, made on first use */
    uint8_t blob[NET_BLOB_MAX];
    uint32_t blob_bytes;
};
extern struct net_core core;
static inline uint64_t core_now(void)
{
    return core.batch_ns != 0 ? core.batch_ns : nc_now_ns();
}
static inline void count_drop(enum net_drop why)
{
    core.c.drop[why]++; /* C-RX-1 */
}
uint8_t *core_bounce(void); /* IP_PACKET_MAX + ETH_HDR bytes, or NULL */

#endif
