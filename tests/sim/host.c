/* SPDX-License-Identifier: MIT
 *
 * tests/sim/host.c: a process of the simulation: one libnet, its environment,
 * and when it gets to run.
 */
#include <stdlib.h>
#include <string.h>
#include <tests/sim/sim.h>

/* --- environment ------------------------------------------------------------------ */
static uint64_t env_now(void *ctx)
{
    (void)ctx;
    return sim.now;
}

static void env_random(void *ctx, void *buf, size_t n)
{
    uint8_t *p = buf;

    (void)ctx;
    while (n-- > 0)
        *p++ = (uint8_t)sim_random();
}

static void *env_alloc(void *ctx, size_t n)
{
    struct host *h = ctx;
    void *p;

    if (h->alloc_fail != 0 && sim_chance(h->alloc_fail))
        return NULL;
    p = calloc(1, n);
    if (p != NULL)
        h->allocations++;
    return p;
}

static void env_free(void *ctx, void *p)
{
    struct host *h = ctx;

    h->allocations--;
    free(p);
}

static void env_kick(void *ctx)
{
    struct host *h = ctx;

    if (h->alive)
        h->kernel->kick(h);
}

static void *env_arena_more(void *ctx)
{
    struct host *h = ctx;

    return h->kernel->arena_more(h);
}

static int env_register(void *ctx, struct net_port_op *op)
{
    struct host *h = ctx;

    return h->kernel->port_register(h, op);
}

static int env_unregister(void *ctx, const struct net_port_op *op)
{
    struct host *h = ctx;

    return h->alive ? h->kernel->port_unregister(h, op) : 0;
}

static int env_route(void *ctx, struct net_route_info *io)
{
    struct host *h = ctx;

    return h->kernel->route(h, io);
}

/* --- scheduling -------------------------------------------------------------------------- */
struct wake {
    struct host *h;
    uint32_t serial;
    uint64_t when; /* of a timer; 0 for a plain wake-up */
};

static void drain_more(struct host *h)
{
    const struct net_rx *rx;

    for (int i = 0; i < HOST_RINGS && h->more[i] != NULL; i++) {
        while ((rx = ns_ring_peek(h->more[i], &h->more_tail[i])) != NULL) {
            netstack_input(h->ns, rx, (const uint8_t *)(rx + 1));
            ns_ring_pop(h->more[i], &h->more_tail[i], rx);
        }
    }
}

static void run(void *arg)
{
    struct wake *w = arg;
    struct host *h = w->h;
    uint64_t next;

    if (!h->alive || h->serial != w->serial || (w->when != 0 && h->timer_at != w->when)) {
        free(w); /* of a former life, or a timer that was set anew since */
        return;
    }
    if (w->when == 0)
        h->wake_pending = false;
    else
        h->timer_at = 0;
    drain_more(h);
    netstack_run(h->ns, 64);
    if (h->step != NULL)
        h->step(h);
    h->kernel->kick(h); /* what wait() does before it sleeps */
    if (ns_ring_peek(h->ring, &(uint32_t){h->ring->rx_tail}) != NULL)
        host_wake(h);
    next = netstack_deadline(h->ns);
    if (next <= sim.now) {
        host_wake(h);
    } else if (next != UINT64_MAX && next != h->timer_at) {
        w->when = h->timer_at = next;
        sim_at(next, run, w);
        return;
    }
    free(w);
}

void host_wake(struct host *h)
{
    struct wake *w;

    if (!h->alive || h->wake_pending)
        return;
    w = malloc(sizeof(*w));
    if (w == NULL)
        abort();
    h->wake_pending = true;
    w->h = h;
    w->serial = h->serial;
    w->when = 0;
    uint64_t at = sim.now;
    if (!sim.exact) { /* a statement for each draw, as everywhere: C gives operands no order */
        at += 1 * SIM_US + sim_below(50) * SIM_US;
        at += sim_random() % (h->options.lazy_ns + 1);
    }
    sim_at(at, run, w);
}

/* --- life ----------------------------------------------------------------------------------- */
static bool start_stack(struct host *h)
{
    struct ns_env env = {.ctx = h,
                         .now_ns = env_now,
                         .random = env_random,
                         .alloc = env_alloc,
                         .free = env_free,
                         .kick = env_kick,
                         .arena_more = env_arena_more,
                         .port_register = env_register,
                         .port_unregister = env_unregister,
                         .route = env_route};

    h->ring = h->kernel->open(h);
    return h->ring != NULL && netstack_create(&h->ns, &env, &h->options.cfg, h->ring) == 0;
}

void host_start(struct host *h, const char *name, uint32_t ip, const struct host_kernel *k,
                const struct host_options *o)
{
    h->name = name;
    h->ip = ip;
    h->kernel = k;
    h->options = *o;
    h->serial++;
    h->wake_pending = false;
    h->timer_at = 0;
    h->allocations = 0;
    h->alloc_fail = 0;
    h->step = NULL;
    h->app = NULL;
    memset(h->more, 0, sizeof(h->more));
    memset(h->more_tail, 0, sizeof(h->more_tail));
    if (!start_stack(h)) {
        sim_fail("%s does not start", name);
        return;
    }
    h->alive = true;
    host_wake(h);
}

void host_new_stack(struct host *h)
{
    netstack_destroy(h->ns);
    h->kernel->close(h);
    h->serial++;
    h->wake_pending = false;
    h->timer_at = 0;
    if (!start_stack(h))
        sim_fail("%s does not start anew", h->name);
    host_wake(h);
}

void host_die(struct host *h)
{
    h->alive = false;
    if (h->app != NULL)
        app_free(h);
    h->alloc_fail = 0;
    netstack_destroy(h->ns); /* its memory; what it sends goes nowhere */
    h->kernel->close(h);
    h->ns = NULL;
    h->ring = NULL;
}

void host_stop(struct host *h)
{
    if (h->alive) {
        host_die(h);
        if (h->allocations != 0)
            sim_fail("%s: %ld allocations leaked", h->name, h->allocations);
    }
    free(h->kernel_data);
    h->kernel_data = NULL;
}
