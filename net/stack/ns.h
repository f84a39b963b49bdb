/* SPDX-License-Identifier: MIT
 *
 * net/stack/ns.h: what libnet's files share with each other.
 *
 * Owns: struct netstack and the shapes behind a socket. The outside sees only
 * net/stack/netstack.h. Context: one thread at a time, see there.
 *
 * Reading order: netstack.c (create, run), ring.c (packets in and out),
 * ip_input.c, tcp_input.c, tcp_output.c, socket.c.
 */
#ifndef NET_STACK_NS_H
#define NET_STACK_NS_H

#include <net/stack/checksum.h>
#include <net/stack/netstack.h>
#include <string.h>

#define NS_NONE  0xffffffffu
#define NS_NEVER UINT64_MAX
#define NS_MS    1000000ull
#define NS_SEC   1000000000ull

#define ns_container(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* --- bytes in network order ------------------------------------------------ */
static inline uint16_t ns_swap16(uint16_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_bswap16(v);
#else
    return v;
#endif
}
static inline uint32_t ns_swap32(uint32_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_bswap32(v);
#else
    return v;
#endif
}
static inline uint16_t get16(const void *p)
{
    uint16_t v;
    __builtin_memcpy(&v, p, 2);
    return ns_swap16(v);
}
static inline uint32_t get32(const void *p)
{
    uint32_t v;
    __builtin_memcpy(&v, p, 4);
    return ns_swap32(v);
}
static inline void put16(void *p, uint16_t v)
{
    v = ns_swap16(v);
    __builtin_memcpy(p, &v, 2);
}
static inline void put32(void *p, uint32_t v)
{
    v = ns_swap32(v);
    __builtin_memcpy(p, &v, 4);
}
static inline void put16_raw(void *p, uint16_t v) /* already in network order */
{
    __builtin_memcpy(p, &v, 2);
}

/* --- addresses ------------------------------------------------------------- */
static inline bool addr_equal(const struct net_addr *a, const struct net_addr *b)
{
    uint64_t x[2], y[2];
    __builtin_memcpy(x, a, 16);
    __builtin_memcpy(y, b, 16);
    return x[0] == y[0] && x[1] == y[1];
}
static inline bool addr_any(const struct net_addr *a)
{
    uint64_t x[2];
    __builtin_memcpy(x, a, 16);
    return (x[0] | x[1]) == 0;
}
/* Whose an address is: its family and, for link-local IPv6 ones, the link (its
 * index + 1, as in sin6_scope_id; 0 for all others). Names of connections have
 * one, so that families never meet in a table. */
static inline uint32_t ns_net(uint8_t family, uint16_t scope)
{
    return (uint32_t)scope << 16 | family;
}
static inline uint8_t net_family(uint32_t net)
{
    return (uint8_t)net;
}
static inline uint16_t net_scope(uint32_t net)
{
    return (uint16_t)(net >> 16);
}
static inline uint16_t net_link(uint32_t net) /* as rings and keys want it */
{
    return net >> 16 != 0 ? (uint16_t)((net >> 16) - 1) : LINK_ANY;
}
static inline bool addr_link_local(const struct net_addr *a) /* fe80::/10, of an IPv6 address */
{
    return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}
static inline bool addr_group6(const struct net_addr *a)
{
    return a->b[0] == 0xff;
}
/* ff01::/16 and ff02::/16 say as little about the link as fe80::/10 does. */
static inline bool addr_scoped(uint8_t family, const struct net_addr *a)
{
    return family == NET_INET6 &&
           (addr_link_local(a) || (addr_group6(a) && ((a->b[1] & 15) == 1 || (a->b[1] & 15) == 2)));
}
static inline uint32_t addr_net(uint8_t family, const struct net_addr *a, uint16_t scope)
{
    return ns_net(family, addr_scoped(family, a) ? scope : 0);
}
static inline bool addr_unicast(uint8_t family, const struct net_addr *a) /* may be one end of a connection */
{
    return !addr_any(a) && a->b[0] < (family == NET_INET ? 224 : 255);
}
static inline void addr_set4(struct net_addr *a, const uint8_t *four)
{
    uint32_t v;
    uint64_t x[2] = {0, 0};
    __builtin_memcpy(&v, four, 4);
    __builtin_memcpy(x, &v, 4);
    __builtin_memcpy(a, x, 16);
}

/* --- received bytes wait in chunks (buf.c) --------------------------------- */
#define CHUNK_BYTES 2032u
struct chunk {
    struct chunk *next;
    uint16_t off, len; /* valid bytes are data[off .. off+len) */
    uint32_t pad;
    uint8_t data[CHUNK_BYTES];
};
struct bufq {
    struct chunk *head, *tail;
    uint32_t bytes;
};
bool bufq_put(struct netstack *ns, struct bufq *q, const void *data, uint32_t n); /* all or nothing */
/* Bytes that lie behind a queue's end and do not count yet: they are summed while
 * they are copied, and only then it is known whether they are good. Until keep or
 * drop the queue must not grow. */
struct bufq_early {
    struct chunk *fresh; /* not linked yet; NULL: the tail takes them all */
    uint32_t first;      /* bytes in the tail; the others are in `fresh` */
};
bool bufq_early_put(struct netstack *ns, struct bufq *q, struct bufq_early *e, const void *data, uint32_t n,
                    uint64_t *sum); /* n <= CHUNK_BYTES; false: no memory */
void bufq_early_keep(struct bufq *q, struct bufq_early *e);
void bufq_early_drop(struct netstack *ns, struct bufq_early *e);
/* A datagram: its head, then its bytes. */
struct dgram_head {
    struct net_addr addr;
    uint16_t port, link, len;
    uint8_t family, pad;
};
bool bufq_put_dgram(struct netstack *ns, struct bufq *q, const struct dgram_head *head, const void *data,
                    uint32_t n);
/* Copies up to n bytes that begin `skip` bytes in; returns how many. */
uint32_t bufq_peek(const struct bufq *q, uint32_t skip, void *dst, uint32_t n);
void bufq_drop(struct netstack *ns, struct bufq *q, uint32_t n); /* n <= bytes */
uint32_t bufq_get(struct netstack *ns, struct bufq *q, void *dst, uint32_t n);
void bufq_splice(struct netstack *ns, struct bufq *to, struct bufq *from); /* from becomes empty */
void bufq_free(struct netstack *ns, struct bufq *q);

/* --- timers: a heap with lazy moves (timer.c) ------------------------------ */
struct ns_timer {
    uint64_t when, key; /* due time; where it stands in the heap (key <= when) */
    uint32_t pos;       /* index in the heap + 1, 0 when outside */
    uint32_t pad;
    void (*fn)(struct netstack *ns, struct ns_timer *t);
};
int timer_reserve(struct netstack *ns, uint32_t more); /* so that timer_set cannot fail */
void timer_release(struct netstack *ns, uint32_t n);
void timer_set(struct netstack *ns, struct ns_timer *t, uint64_t when_ns);
static inline void timer_stop(struct ns_timer *t)
{
    t->when = NS_NEVER; /* leaves the heap when it reaches the top */
}
static inline bool timer_armed(const struct ns_timer *t)
{
    return t->pos != 0 && t->when != NS_NEVER;
}
void timer_remove(struct netstack *ns, struct ns_timer *t); /* before its memory goes */
void timer_run(struct netstack *ns);
uint64_t timer_next(struct netstack *ns);

/* --- ports that this process owns (port.c) --------------------------------- */
struct ns_port {
    struct ns_port *next;
    uint8_t family, proto;
    uint16_t port;
    struct net_addr addr;
    uint32_t refs;    /* sockets, connections and TIME_WAITs that need it */
    uint32_t binders; /* sockets that were bound by name */
    bool group;       /* others serve it, too: connections need flow entries */
    bool adopted;     /* not ours, but a connection that came from its owner is */
    struct tcb *listener;
    uint8_t secret[NET_SECRET_BYTES];
};
/* port 0: a free one; group: others may serve it, too. *out holds a reference. */
int port_acquire(struct netstack *ns, uint8_t family, uint8_t proto, const struct net_addr *addr,
                 uint16_t port, bool group, struct ns_port **out);
/* One that was taken over from another process: as acquired, or (own false) for
 * a single connection of somebody else's port. NULL: no memory. */
struct ns_port *port_adopt(struct netstack *ns, uint8_t family, uint8_t proto, const struct net_addr *addr,
                           uint16_t port, const uint8_t *secret, bool own);
/* A flow entry in the kernel's registry keeps a connection with this process when
 * its port's group grows. An id, or 0 where none is needed or to be had. */
uint32_t flow_pin(struct netstack *ns, const struct ns_port *p, uint32_t net, const struct net_addr *laddr,
                  const struct net_addr *raddr, uint16_t rport);
void flow_unpin(struct netstack *ns, const struct ns_port *p, uint32_t id);
static inline struct ns_port *port_hold(struct ns_port *p)
{
    p->refs++;
    return p;
}
void port_drop(struct netstack *ns, struct ns_port *p);
struct ns_port *port_find(struct netstack *ns, uint8_t family, uint8_t proto, const struct net_addr *laddr,
                          uint16_t port);

/* --- where to send (ip_output.c) ------------------------------------------- */
struct ip_path {
    struct net_addr dst, src;
    uint32_t flags, speed_bps; /* LINKF_* */
    uint16_t mtu, link;
    uint32_t net;
    uint64_t expires_ns;
};
/* Cached look-up; 0 or -errno. The path is the cache's: copy it to keep it. */
int ip_route(struct netstack *ns, uint32_t net, const struct net_addr *dst, const struct ip_path **out);
void ip_route_flush(struct netstack *ns);
void ip_route_mtu(struct netstack *ns, uint32_t net, const struct net_addr *dst, uint16_t mtu); /* by ICMP */
#define MTU_MIN4 68u   /* RFC 791: every link carries so much */
#define MTU_MIN6 1280u /* RFC 8200, section 5 */
static inline uint32_t ip_header_bytes(uint32_t net)
{
    return net_family(net) == NET_INET6 ? 40 : 20;
}

/* --- paths that carry less than their first link (path_mtu.c) ---------------- */
#define PATH_MTUS 32
struct path_mtu {
    struct net_addr dst;
    uint64_t until_ns;
    uint16_t mtu;
    bool holds; /* else only remembered */
};
void path_mtu_init(struct netstack *ns);
void path_mtu_learn(struct netstack *ns, const struct net_addr *dst, uint16_t mtu, bool told); /* by a router */
uint16_t path_mtu_limit(struct netstack *ns, const struct net_addr *dst, uint16_t mtu); /* the smaller */
uint16_t path_mtu_remembered(struct netstack *ns, const struct net_addr *dst);          /* 0: nothing */

/* --- sockets --------------------------------------------------------------- */
struct nsock {
    struct netstack *ns;
    void *user;
    bool watched;    /* ns_env.changed is told */
    uint32_t index;  /* in ns->socks */
    uint32_t serial; /* tells a reused index apart */
    uint8_t type, proto, family, ttl, tos;
    bool reuseaddr, reuseport, broadcast, bound, closed; /* closed: nobody holds it any more */
    bool v6only;
    int error;                                /* pending, positive */
    struct ns_port *port;
    struct ns_port *port4;      /* IPv6 socket that serves IPv4, too: the port there */
    struct ns_addr local, peer; /* an IPv4 peer of an IPv6 socket is here as what it is */
    struct nsock *reap_next;
};

/* UDP and ICMP echo. Each queued datagram is a struct dgram_head and its bytes. */
struct dsock {
    struct nsock s;
    struct dsock *hash_next;
    struct bufq q;
    uint32_t rcvbuf, queued; /* charged bytes, with a share for each datagram */
    uint32_t count;
    bool connected, rd_shut, wr_shut;
    uint32_t flow_id; /* connected on a shared port: its peer's datagrams come here */
};
#define DGRAM_CHARGE 64u /* book-keeping that a datagram costs beside its bytes */

/* --- one received IP packet, as the protocols see it ----------------------- */
struct ip_in {
    const struct net_rx *rx;
    const uint8_t *packet; /* IP header */
    const uint8_t *data;   /* what follows the IP header and its options */
    uint32_t len;          /* bytes of data */
    uint32_t total;        /* bytes from packet to the end of data */
    uint8_t family, proto, ttl;
    bool multicast;  /* destination is a group or a broadcast */
    uint16_t next_at; /* IPv6: offset of the byte that says what `data` is */
    uint32_t net;     /* of both addresses */
    uint64_t pseudo; /* checksum of the pseudo-header but for the length */
    struct net_addr src, dst;
};
static inline bool ip_trusted(const struct ip_in *in) /* transport checksum needs no look */
{
    return in->rx->csum != CSUM_NONE;
}

/* --- the transmit arena (ring.c) ------------------------------------------- */
#define BLK_BYTES 2048u
struct ablk {
    uint32_t next; /* next block of the same buffer, or of the free list */
    uint16_t refs; /* transmit records that have not completed */
    bool held;     /* a buffer still needs the bytes */
    uint8_t pad;
    struct tcb *owner; /* NULL: a datagram, or its connection has gone */
};

#define ROUTE_CACHE 16
#define DGRAM_HASH  64
#define PORT_HASH   64
#define CHUNKS_KEPT 32

struct tcp_node;
struct tcp_tw;

struct netstack {
    struct ns_env env;
    struct ns_config cfg;
    uint64_t now; /* taken at the start of run and of calls that need it */
    uint64_t generation;
    struct ns_counters count;

    /* rings: cached places, and our own copies of our indices */
    struct net_ring *ring;
    uint8_t *rx_base;
    struct net_tx *tx_base;
    struct net_cqe *cq_base;
    uint8_t *arena;
    uint32_t rx_mask, rx_tail, tx_mask, tx_entries, tx_head, tx_tail_seen, cq_mask, cq_tail;
    uint32_t tx_kicked; /* tx_head at the last kick */

    uint8_t *blk_base;
    uint8_t *blk_more[NET_ARENAS_MORE]; /* what was added to the arena */
    uint32_t nblk_near, narenas;        /* blocks of the first arena */
    bool arena_full;                    /* nothing more is to be had */
    struct ablk *blk;
    uint32_t nblk, blk_free, blk_nfree;
    uint32_t grown; /* bytes by which receive buffers have grown, of all connections */

    struct chunk *chunk_free;
    uint32_t chunk_nfree;
    void *rec_spare; /* tcp_sack.c's small arrays */
    uint32_t rec_nspare;

    struct ns_timer **heap;
    uint32_t heap_n, heap_room, heap_promised;

    struct nsock **socks;
    uint32_t *socks_next; /* of the free places, from socks_free on */
    uint32_t socks_room, socks_free, nsocks, serial;
    struct nsock *reap; /* closed, to be freed when the call ends */

    struct dsock *dgram[DGRAM_HASH];
    struct ns_port *ports[PORT_HASH];
    struct ip_path route[ROUTE_CACHE];
    struct path_mtu path_mtu[PATH_MTUS];
    uint32_t path_mtus;
    struct ns_timer path_mtu_timer;

    struct tcp_node **conn; /* connections, half-open ones and TIME_WAITs */
    uint32_t conn_mask, conn_n;
    uint32_t hash_key[12];
    uint8_t label_key[16]; /* flow labels (RFC 6437) */
    struct tcb *outq; /* connections that found the transmit ring full */
    struct tcp_tw *tw_head, *tw_tail;
    struct ns_timer tw_timer;
    uint32_t tw_n;
    uint16_t ip_id;

    struct {
        uint64_t tokens, when_ns;
    } icmp_limit, rst_limit;
};

static inline uint64_t ns_clock(struct netstack *ns)
{
    return ns->now = ns->env.now_ns(ns->env.ctx);
}
static inline void *ns_alloc(struct netstack *ns, size_t bytes)
{
    return ns->env.alloc(ns->env.ctx, bytes);
}
static inline void ns_free(struct netstack *ns, void *p)
{
    ns->env.free(ns->env.ctx, p);
}
static inline void sock_changed(struct nsock *s)
{
    s->ns->generation++;
    if (s->watched && s->user != NULL)
        s->ns->env.changed(s->ns->env.ctx, s->user);
}

/* socket.c */
int sock_add(struct netstack *ns, struct nsock *s);
void sock_remove(struct nsock *s);
void sock_reap(struct netstack *ns);
struct nsock *sock_by_cookie(struct netstack *ns, uint64_t cookie);
void sock_error(struct nsock *s, int positive_errno);
/* What the caller of a socket call means, in the family that goes on the wire:
 * ::ffff:a.b.c.d on an IPv6 socket is a.b.c.d (RFC 4291 2.5.5.2). */
static inline int sock_name_in(const struct nsock *s, const struct ns_addr *a, struct ns_addr *out)
{
    uint64_t high;

    *out = *a;
    if (a->family != s->family)
        return -EAFNOSUPPORT;
    if (s->family != NET_INET6)
        return 0;
    __builtin_memcpy(&high, a->addr.b, 8);
    if (high != 0 || get32(a->addr.b + 8) != 0xffff) {
        if (!addr_scoped(NET_INET6, &a->addr))
            out->scope = 0;
        return 0;
    }
    out->family = NET_INET;
    out->scope = 0;
    addr_set4(&out->addr, a->addr.b + 12);
    return s->v6only ? -EADDRNOTAVAIL : 0;
}
/* And back. */
static inline void sock_name_out(const struct nsock *s, struct ns_addr *a)
{
    if (s->family == NET_INET6 && a->family == NET_INET) {
        uint32_t four;

        __builtin_memcpy(&four, a->addr.b, 4);
        a->addr = (struct net_addr){{[10] = 0xff, [11] = 0xff}};
        __builtin_memcpy(a->addr.b + 12, &four, 4);
    }
    a->family = s->family;
}
/* Ports of a socket that is bound to `a` (of sock_name_in). For :: without V6ONLY
 * the same number in both families, or none. */
int sock_ports(struct nsock *s, const struct ns_addr *a);
/* Only the port of this family is needed from here on. */
void sock_narrow(struct nsock *s, uint8_t family);
void sock_drop_ports(struct nsock *s);
static inline bool sock_dual(const struct nsock *s)
{
    return s->port4 != NULL;
}

/* ring.c: transmit. tx_begin gives the next record with defaults filled in and
 * room for NET_TX_HDR_MAX header bytes, or NULL; tx_commit publishes it. */
struct net_tx *tx_begin(struct netstack *ns, uint8_t **hdr);
void tx_commit(struct netstack *ns, struct net_tx *tx);
bool tx_room(struct netstack *ns);
void tx_flush(struct netstack *ns); /* everything committed leaves now */
void ring_completions(struct netstack *ns);
uint32_t blk_alloc(struct netstack *ns, struct tcb *owner);
uint32_t blk_alloc_run(struct netstack *ns, uint32_t n); /* for one record; freed by its completion */
void blk_unhold(struct netstack *ns, uint32_t b);        /* its buffer is done with it */
#define BLKS_MORE (NET_ARENA_MORE / BLK_BYTES)
static inline uint8_t *blk_data(const struct netstack *ns, uint32_t b)
{
    uint32_t far = b - ns->nblk_near;

    if (b < ns->nblk_near)
        return ns->blk_base + (size_t)b * BLK_BYTES;
    return ns->blk_more[far / BLKS_MORE] + (size_t)(far % BLKS_MORE) * BLK_BYTES;
}
static inline uint32_t blk_off(const struct netstack *ns, uint32_t b) /* in the arena, as the kernel counts */
{
    return (uint32_t)(ns->blk_base - ns->arena) + b * BLK_BYTES;
}
static inline bool arena_may_grow(const struct netstack *ns)
{
    return ns->env.arena_more != NULL && !ns->arena_full;
}
bool arena_grow(struct netstack *ns);
/* Adds a segment to tx, merging it with its neighbour; false when there are too many. */
bool tx_add_seg(struct netstack *ns, struct net_tx *tx, uint32_t b, uint32_t off, uint32_t len);
/* Cookies: what a completion speaks of. */
enum cookie_kind { COOKIE_NONE = 0, COOKIE_BLOCKS = 1, COOKIE_SOCK = 2 };
static inline uint64_t cookie_blocks(uint32_t first, uint32_t n)
{
    return (uint64_t)COOKIE_BLOCKS << 56 | (uint64_t)(n & 0xffffff) << 32 | first;
}
static inline uint64_t cookie_sock(const struct nsock *s)
{
    return (uint64_t)COOKIE_SOCK << 56 | (uint64_t)(s->index & 0xffffff) << 32 | s->serial;
}

/* ip_input.c, ip_output.c */
void ip_input(struct netstack *ns, const struct net_rx *rx, const uint8_t *packet);
void ip6_input(struct netstack *ns, const struct net_rx *rx, const uint8_t *packet);
/* A packet of ours that an error quotes: its addresses, its transport header (8
 * bytes at least). False: too short, or a fragment without one. */
struct ip_quote {
    struct net_addr src, dst;
    const uint8_t *l4;
    uint8_t proto;
};
bool ip6_walk_quote(const uint8_t *q, uint32_t n, struct ip_quote *out);
uint64_t ip_pseudo(uint8_t family, uint8_t proto, const struct net_addr *src, const struct net_addr *dst);
#define IP4_DF 0x4000u
void ip4_header(uint8_t *h, uint32_t total, uint16_t id, uint16_t frag, uint8_t ttl, uint8_t proto,
                const struct net_addr *src, const struct net_addr *dst);
/* `label`: version, class and flow label, as ip6_label gives them. `payload`: all
 * that follows these 40 bytes. */
void ip6_header(uint8_t *h, uint32_t label, uint32_t payload, uint8_t next, uint8_t hops,
                const struct net_addr *src, const struct net_addr *dst);
uint32_t ip6_label(const struct netstack *ns, const struct net_addr *src, const struct net_addr *dst,
                   uint16_t sport, uint16_t dport);
/* One datagram: transport header (its checksum field zero, at csum_off) and
 * payload. Copies both. 0 or -errno. */
struct ip_dgram {
    uint8_t proto, ttl;
    uint16_t csum_off; /* within hdr */
    bool pseudo;       /* checksum covers the pseudo-header */
    bool broadcast_ok;
    const struct ip_path *path;
    const struct net_addr *src; /* NULL: the path's */
    const uint8_t *hdr;
    uint32_t hdr_len;
    const uint8_t *data;
    uint32_t data_len;
    uint64_t cookie; /* for failures; 0 for none */
};
int ip_send(struct netstack *ns, struct ip_dgram *d);

/* icmp.c */
/* Links with a smaller MTU are rarer than attackers that name one (RFC 5927 7.2). */
#define PATH_MTU_BELIEVED 552
void icmp_input(struct netstack *ns, const struct ip_in *in);
/* Whom an error that quotes a packet of ours concerns: a connection, a connected
 * datagram socket, who sent the echo request. `q`: the quoted transport header, at
 * least 8 bytes of it; `mtu`: 0, or what the error says of the path. */
void icmp_deliver(struct netstack *ns, uint32_t net, uint8_t proto, const struct net_addr *src,
                  const struct net_addr *dst, const uint8_t *q, int err, uint16_t mtu);
void icmp_unreachable(struct netstack *ns, const struct ip_in *in, uint8_t code);
int icmp_send(struct dsock *d, const uint8_t *buf, size_t n, const struct ip_path *path,
              const struct net_addr *src);
/* icmp6.c */
enum { ICMP6_UNREACHABLE = 1, ICMP6_TOO_BIG, ICMP6_TIME_EXCEEDED, ICMP6_PARAMETER, ICMP6_ECHO = 128,
       ICMP6_ECHO_REPLY };
void icmp6_input(struct netstack *ns, const struct ip_in *in);
/* RFC 4443: an error about `in`, from this host; `value`: pointer of a parameter problem. */
void icmp6_error(struct netstack *ns, const struct ip_in *in, uint8_t type, uint8_t code, uint32_t value);
void icmp6_expired(struct netstack *ns, const uint8_t *packet, uint32_t n); /* of a first fragment */
int icmp6_send(struct dsock *d, const uint8_t *buf, size_t n, const struct ip_path *path,
               const struct net_addr *src);
bool limit_take(uint64_t now, uint64_t *tokens, uint64_t *when_ns, uint32_t per_second, uint32_t burst);

/* udp.c */
void udp_input(struct netstack *ns, const struct ip_in *in);
/* An ICMP error that quotes a datagram of ours. */
bool udp_error(struct netstack *ns, uint32_t net, const struct net_addr *laddr, const struct net_addr *raddr,
               uint16_t lport, uint16_t rport, int err);
struct dsock *dgram_find(struct netstack *ns, uint32_t net, uint8_t proto, const struct net_addr *laddr,
                         uint16_t lport, const struct net_addr *raddr, uint16_t rport);
void dgram_queue(struct dsock *d, const struct ip_in *in, uint16_t rport, const uint8_t *data, uint32_t n);
int dgram_socket(struct netstack *ns, uint8_t family, int type, struct nsock **out);
int dgram_bind(struct dsock *d, const struct ns_addr *a);
void dgram_hash(struct dsock *d);
int dgram_connect(struct dsock *d, const struct ns_addr *a);
int dgram_send(struct dsock *d, const void *buf, size_t n, const struct ns_addr *to);
int dgram_recv(struct dsock *d, void *buf, size_t n, int flags, struct ns_addr *from);
int dgram_shutdown(struct dsock *d, int how);
void dgram_close(struct dsock *d);
int dgram_next_len(const struct dsock *d); /* bytes of the next datagram, 0 for none */
unsigned dgram_events(const struct dsock *d);

#endif
