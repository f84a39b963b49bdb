/* SPDX-License-Identifier: MIT
 *
 * tests/sim/machine.c: one machine of the simulation: the real net core with
 * several processes, and one link to the medium.
 *
 * The link's "device" reads a packet's payload some time after it was given,
 * holds a bounded number of packets, and finishes them in its poll, as a card
 * does. Every entry into the core first moves the core's clock to the
 * simulation's and afterwards schedules what the core asked for.
 */
#include <stdlib.h>
#include <string.h>
#include <tests/sim/services.h>
#include <tests/sim/sim.h>

#define CARD_PACKETS 32

struct frame {
    struct frame *next;
    size_t n;
    uint8_t *data;
};
static struct {
    uint32_t ip, pid;
    struct link link;
    struct frame *rx_head, **rx_tail;
    struct netbuf *done[CARD_PACKETS];
    int done_status[CARD_PACKETS];
    unsigned ndone, held;
    bool poll_scheduled;
    uint64_t timer_at;
} machine;

struct proc {
    struct nc_owner owner;
    struct sys_rights rights;
    struct net_endpoint *ep, *slot[SLOT_COUNT];
    bool slots;
    const char *family;
};

/* --- in and out of the core -------------------------------------------------------- */
static void enter(void)
{
    if (sim.now > host_now_ns)
        host_advance(sim.now - host_now_ns);
}

static void leave(void);

static void polls(void *arg)
{
    (void)arg;
    machine.poll_scheduled = false;
    enter();
    host_run_polls(4);
    leave();
}

static void core_timer(void *arg)
{
    (void)arg;
    enter();
    leave();
}

static void leave(void)
{
    if (host_poll_pending() && !machine.poll_scheduled) {
        machine.poll_scheduled = true;
        sim_at(sim.now + 1 * SIM_US + sim_below(20) * SIM_US, polls, NULL);
    }
    if (host_timer_due() != UINT64_MAX && host_timer_due() != machine.timer_at) {
        machine.timer_at = host_timer_due();
        sim_at(machine.timer_at, core_timer, NULL);
    }
}

static void on_wake(void *waiter)
{
    host_wake(waiter);
}

/* --- the card ------------------------------------------------------------------------ */
static void device_reads(void *arg)
{
    struct netbuf *nb = arg;
    uint8_t packet[65600];
    size_t n;

    enter();
    n = netbuf_flatten(nb, packet);
    machine.done_status[machine.ndone] = wire_send(machine.ip, packet, n) ? 0 : -ENOBUFS;
    machine.done[machine.ndone++] = nb;
    link_schedule_poll(&machine.link);
    leave();
}

static unsigned card_transmit(struct link *l, struct netbuf *list)
{
    struct netbuf *next;
    unsigned n = 0;

    (void)l;
    for (struct netbuf *nb = list; nb != NULL && machine.held < CARD_PACKETS; nb = next, n++) {
        next = nb->next;
        machine.held++;
        sim_at(sim.now + sim_below(30) * SIM_US, device_reads, nb);
    }
    return n;
}

static int card_poll(struct link *l, int budget)
{
    int n = 0;

    for (unsigned i = 0; i < machine.ndone; i++)
        netbuf_done(machine.done[i], machine.done_status[i]);
    machine.held -= machine.ndone;
    machine.ndone = 0;
    while (n < budget && machine.rx_head != NULL) {
        struct frame *f = machine.rx_head;
        machine.rx_head = f->next;
        if (machine.rx_head == NULL)
            machine.rx_tail = &machine.rx_head;
        link_rx(l, f->data, f->n, NULL);
        free(f->data);
        free(f);
        n++;
    }
    return n;
}

static int card_reset(struct link *l)
{
    (void)l;
    return 0;
}

static const struct link_ops card_ops = {.transmit = card_transmit, .poll = card_poll, .reset = card_reset};

static void arrives(void *arg, const uint8_t *packet, size_t n)
{
    struct frame *f = calloc(1, sizeof(*f));

    (void)arg;
    if (f == NULL || (f->data = malloc(n)) == NULL) /* exactly so long: reading past the end shows */
        abort();
    memcpy(f->data, packet, n);
    f->n = n;
    *machine.rx_tail = f;
    machine.rx_tail = &f->next;
    enter();
    link_schedule_poll(&machine.link);
    leave();
}

/* --- a process' kernel calls ------------------------------------------------------------ */
static struct net_endpoint *open_ring(struct host *h, struct proc *p, uint32_t rx_bytes)
{
    struct sys_net_open io = {.rx_bytes = rx_bytes,
                              .tx_entries = h->options.tx_entries,
                              .arena_bytes =
                                  h->options.arena_bytes != 0 ? h->options.arena_bytes : 256 * 1024};
    struct net_endpoint *e = NULL;
    int r = endpoint_open(&p->owner, &io, h, &e);

    if (r != 0)
        sim_fail("%s: no endpoint, error %d", h->name, -r);
    return e;
}

static struct net_ring *do_open(struct host *h)
{
    struct proc *p = h->kernel_data;

    enter();
    owner_init(&p->owner, ++machine.pid, h->name, &p->rights);
    if (p->family != NULL) {
        memset(p->owner.family, 0, sizeof(p->owner.family));
        strncpy(p->owner.family, p->family, sizeof(p->owner.family) - 1);
    }
    p->ep = open_ring(h, p, h->options.rx_bytes);
    for (uint32_t i = 0; p->slots && i < SLOT_COUNT - 1; i++) {
        int r;
        p->slot[i] = open_ring(h, p, 0);
        if (p->slot[i] == NULL)
            return NULL;
        r = slot_register(p->slot[i], i);
        if (r != 0)
            sim_fail("%s: slot %u refused, error %d", h->name, i, -r);
        h->more[i] = endpoint_ring(p->slot[i]);
    }
    leave();
    return p->ep != NULL ? endpoint_ring(p->ep) : NULL;
}

static void do_close(struct host *h)
{
    struct proc *p = h->kernel_data;

    enter();
    owner_died(&p->owner, true);
    endpoint_close(p->ep);
    for (int i = 0; i < SLOT_COUNT; i++) {
        if (p->slot[i] != NULL)
            endpoint_close(p->slot[i]);
        p->slot[i] = NULL;
    }
    leave();
}

static void do_kick(struct host *h)
{
    struct proc *p = h->kernel_data;
    int r;

    enter();
    r = endpoint_kick(p->ep);
    if (r < 0)
        sim_fail("%s: the core took offence at its ring", h->name);
    leave();
}

static void *do_arena_more(struct host *h)
{
    struct proc *p = h->kernel_data;
    struct nc_shared *s;

    return endpoint_grow(p->ep, &s) == 0 ? s->base : NULL;
}

static int do_register(struct host *h, struct net_port_op *op)
{
    struct proc *p = h->kernel_data;
    int r;

    enter();
    r = port_register(p->ep, op);
    leave();
    return r;
}

static int do_unregister(struct host *h, const struct net_port_op *op)
{
    struct proc *p = h->kernel_data;
    int r;

    enter();
    r = port_unregister(&p->owner, NULL, op);
    if (r != 0)
        sim_fail("%s: port %u could not be given back, error %d", h->name, op->key.port_lo, -r);
    leave();
    return r;
}

static int do_route(struct host *h, struct net_route_info *io)
{
    (void)h;
    return net_route_lookup(io);
}

const struct host_kernel machine_kernel = {
    .open = do_open,
    .close = do_close,
    .kick = do_kick,
    .arena_more = do_arena_more,
    .port_register = do_register,
    .port_unregister = do_unregister,
    .route = do_route,
};

void machine_grant(struct host *h, const struct machine_rights *r)
{
    struct proc *p = h->kernel_data;

    if (p == NULL)
        h->kernel_data = p = calloc(1, sizeof(*p));
    if (p == NULL)
        abort();
    memset(&p->rights, 0, sizeof(p->rights));
    p->rights.bits = r->bits;
    p->rights.ring_limit = 8u * 1024 * 1024;
    p->slots = r->slots;
    p->family = r->family;
    for (unsigned i = 0; r->port != 0 && i < 2; i++) {
        struct net_port_key *k = &p->rights.ports[p->rights.nports++];
        k->family = NET_INET;
        k->proto = i == 0 ? NET_TCP : NET_UDP;
        k->link = LINK_ANY;
        k->port_lo = k->port_hi = r->port;
        p->rights.serve_ports |= 1u << i;
    }
}

/* --- the machine ---------------------------------------------------------------------------- */
void machine_start(uint32_t ip, uint64_t seed)
{
    struct net_config c = {.kind = NETCFG_ADDR_ADD, .family = NET_INET, .prefix = 24};

    memset(&machine, 0, sizeof(machine));
    machine.ip = ip;
    machine.rx_tail = &machine.rx_head;
    host_reset(seed);
    host_now_ns = sim.now;
    host_on_wake = on_wake;
    net_core_init();
    memcpy(machine.link.name, "sl%d", 5);
    machine.link.mtu = wire_model.mtu;
    machine.link.flags = LINKF_POINTOPOINT | LINKF_RUNNING;
    machine.link.ops = &card_ops;
    machine.link.driver = "sim";
    machine.link.irq_mode = "none";
    if (link_register(&machine.link) != 0)
        abort();
    c.link = machine.link.index;
    for (int i = 0; i < 4; i++)
        c.addr.b[i] = (uint8_t)(ip >> (24 - 8 * i));
    if (net_config_apply(NULL, &c) != 0)
        sim_fail("the machine has no address");
    wire_attach(ip, arrives, NULL);
}

void machine_check_books(void)
{
    struct net_counters c = {.size = sizeof(c)};
    uint64_t dropped = 0;

    if (net_info_read(NETINFO_COUNTERS, 0, &c, sizeof(c)) <= 0)
        sim_fail("no counters");
    for (unsigned i = 0; i < DROP_COUNT; i++)
        dropped += net_drop_is_sent(i) ? 0 : c.drop[i];
    if (c.received + c.injected != c.delivered + dropped + c.in_flight)
        sim_fail("books: received %llu + injected %llu, delivered %llu + dropped %llu + in flight %llu",
                 (unsigned long long)c.received, (unsigned long long)c.injected,
                 (unsigned long long)c.delivered, (unsigned long long)dropped,
                 (unsigned long long)c.in_flight);
}

void machine_set_mtu(uint16_t mtu)
{
    struct net_config c = {
        .kind = NETCFG_ROUTE_ADD, .link = machine.link.index, .family = NET_INET, .prefix = 24, .mtu = mtu};

    for (int i = 0; i < 3; i++)
        c.addr.b[i] = (uint8_t)(machine.ip >> (24 - 8 * i));
    enter();
    if (net_config_apply(NULL, &c) != 0)
        sim_fail("the route's limit cannot be set");
    leave();
}

/* After the processes have been stopped and every event has run. */
void machine_stop(void)
{
    enter();
    machine_check_books();
    host_run_polls(1000);
    net_core_fini();
    if (host_allocations != 0)
        sim_fail("the net core leaked %llu allocations", (unsigned long long)host_allocations);
    host_on_wake = NULL;
}
