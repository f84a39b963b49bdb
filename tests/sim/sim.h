/* SPDX-License-Identifier: MIT
 *
 * tests/sim/sim.h: the deterministic network simulation.
 *
 * Owns: a virtual clock with an event queue, one seeded generator of chance,
 * one shared medium that loses, delays, reorders, duplicates and corrupts IP
 * packets (wire.c), hosts that run libnet over their own packet rings (host.c),
 * and applications that check every byte (app.c). The same seed gives the same
 * run, bit for bit: nothing here asks the machine for time, chance or order.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <net/stack/netstack.h>
#include <stdio.h>

#define SIM_US 1000ull
#define SIM_MS 1000000ull
#define SIM_S  1000000000ull

/* --- engine (sim.c) --------------------------------------------------------------- */
struct sim_event {
    uint64_t when, order;
    void (*fn)(void *arg);
    void *arg;
};
struct sim {
    uint64_t now, order, rng[4], digest;
    bool exact; /* hosts and devices take no time (conform.c, throughput.c) */
    struct sim_event *heap;
    uint32_t n, room;
    bool failed;
    char why[256];
};
extern struct sim sim;

void sim_start(uint64_t seed);
void sim_stop(void);
void sim_at(uint64_t when, void (*fn)(void *), void *arg);
bool sim_step(void); /* false: nothing left */
uint64_t sim_random(void);
uint32_t sim_below(uint32_t n); /* 0 .. n-1 */
bool sim_chance(uint32_t per_mille);
void sim_note(const void *p, size_t n); /* goes into the run's digest */
void sim_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* --- the medium (wire.c) -------------------------------------------------------------- */
struct wire_model {
    uint32_t loss, duplicate, corrupt, reorder; /* per mille */
    uint64_t delay_ns, jitter_ns, reorder_ns;
    uint64_t byte_ns;     /* 0: no line rate */
    uint32_t queue_bytes; /* of each sender, with a line rate */
    uint16_t mtu;         /* of every host's own link */
    uint16_t path_mtu;    /* of a router between them all, 0: no router */
    bool black_hole;      /* that router does not say what it drops */
    bool down;            /* nothing arrives */
    bool six;             /* IPv6, too: hosts are fd00:: and their IPv4 address behind it */
};
struct wire_stats {
    uint64_t sent, lost, duplicated, corrupted, delivered, nobody, too_big, swallowed;
};
/* The model that holds now: a play may change it while it runs. */
extern struct wire_model wire_model;
extern struct wire_stats wire_stats;
void wire_start(const struct wire_model *m, const char *pcap_path);
void wire_stop(void);
/* Where the medium carries IPv4 only, IPv6 goes here when somebody wants it. */
extern void (*wire_six)(const uint8_t *packet, size_t n);
void wire_attach(uint32_t ip, void (*deliver)(void *arg, const uint8_t *packet, size_t n), void *arg);
void wire_detach(uint32_t ip);
/* Who decides about a packet beside chance, if anybody: true loses it. */
extern bool (*wire_fate)(const uint8_t *packet, size_t n);
bool wire_send(uint32_t from_ip, const uint8_t *packet, size_t n); /* false: queue full */

/* --- a host: one libnet and what is behind its rings (host.c) --------------------------------- */
struct host;
/* What a process asks its kernel for. direct.c plays a kernel with one process
 * on a wire; machine.c asks the real net core. */
struct host_kernel {
    struct net_ring *(*open)(struct host *h); /* NULL: the simulation has failed */
    void (*close)(struct host *h);            /* also after a crash */
    void (*kick)(struct host *h);
    void *(*arena_more)(struct host *h); /* net_grow */
    int (*port_register)(struct host *h, struct net_port_op *op);
    int (*port_unregister)(struct host *h, const struct net_port_op *op);
    int (*route)(struct host *h, struct net_route_info *io);
};
struct host_options {
    struct ns_config cfg;
    uint32_t rx_bytes, tx_entries, arena_bytes;
    uint64_t lazy_ns; /* up to so long until it runs: its rings fill */
};
#define HOST_RINGS 6 /* further receive rings: netd's default slots */
struct host {
    const char *name;
    uint32_t ip; /* host order; what others call it by */
    const struct host_kernel *kernel;
    void *kernel_data;
    struct host_options options;
    struct net_ring *ring;
    struct net_ring *more[HOST_RINGS]; /* read into the same stack */
    uint32_t more_tail[HOST_RINGS];
    struct netstack *ns;
    bool alive, wake_pending;
    uint32_t serial; /* of this life */
    uint64_t timer_at;
    long allocations;
    uint32_t alloc_fail; /* per mille of allocations that fail */
    void (*step)(struct host *h);
    void *app;
};
void host_start(struct host *h, const char *name, uint32_t ip, const struct host_kernel *k,
                const struct host_options *o);
void host_die(struct host *h);  /* like a crash: no goodbye */
void host_stop(struct host *h); /* the end of the run; checks that nothing leaked */
void host_new_stack(struct host *h); /* an empty one, with rings of its own; the application stays */
void host_wake(struct host *h); /* run the stack and the application soon */

/* A host of its own on the medium (direct.c). */
extern const struct host_kernel direct_kernel;

/* One machine with the real net core, a point-to-point link to the medium, and
 * several processes (machine.c). */
void machine_start(uint32_t ip, uint64_t seed);
void machine_stop(void); /* checks the core's books */
void machine_check_books(void); /* at any moment: what came in is somewhere (DESIGN, section 5) */
void machine_set_mtu(uint16_t mtu); /* of its route to the medium */
extern const struct host_kernel machine_kernel;
/* Rights of the process that starts next in this struct host. */
struct machine_rights {
    uint32_t bits;
    uint16_t port; /* TCP and UDP, served: reserved while a successor is awaited */
    bool slots;    /* owns the default slots: netd */
    const char *family; /* NULL: its own name */
};
void machine_grant(struct host *h, const struct machine_rights *r);

/* --- applications (app.c) --------------------------------------------------------------------- */
struct app_plan {
    uint32_t connections, bytes_up, bytes_down;
    bool closes_first;  /* the client closes before it has read all: half-close */
    bool may_fail;      /* some host dies on the way */
    bool may_time_out;  /* so much is lost that a connection may not come about */
    uint32_t pause_ms;  /* the server reads this rarely: windows shut */
    uint32_t chunk;     /* bytes a write; 0: chance */
    bool group;         /* the server shares its port */
    uint32_t datagrams; /* to the echo on the same port, between the connections */
    bool six;           /* IPv6 sockets; clients with an even address speak IPv4 through them */
};
void app_server(struct host *h, uint16_t port, const struct app_plan *p);
void app_client(struct host *h, uint32_t server_ip, uint16_t port, const struct app_plan *p);
bool app_client_done(const struct host *h);
unsigned app_open(const struct host *h); /* connections that are not over */
void app_free(struct host *h);
/* Where the application keeps its sockets (handover.c puts others there). */
#define APP_SOCKETS_MAX 80
unsigned app_sockets(struct host *h, struct nsock **at[APP_SOCKETS_MAX]);
/* handover.c: all sockets move to a new stack, those that only deliver their last
 * bytes, too. False: one of them cannot move just now, and nothing was done. */
bool host_hand_over(struct host *h);
struct app_stats {
    uint64_t opened, finished, failed, bytes, datagrams, echoes, handovers;
};
extern struct app_stats app_stats;

#endif
