/* SPDX-License-Identifier: MIT
 *
 * tests/sim/app.c: a client and a server that check every byte, and the end of
 * every connection.
 *
 * A connection begins with a head (number, bytes up, bytes down) from the
 * client; both directions then carry a pattern that depends on the number, the
 * direction and the place, at the same time. Port 7 also echoes datagrams.
 */
#include <stdlib.h>
#include <string.h>
#include <tests/sim/sim.h>

#define CONNS         64
#define HEAD          12u
#define CONNECT_LIMIT (30 * SIM_S) /* libnet's own */

struct app_stats app_stats;

struct conn {
    struct nsock *s;
    uint32_t id, up, down, sent, got; /* sent, got: bytes by this side, head included for the client */
    uint8_t head[HEAD];
    bool wr_done, rd_done, started, connected;
    uint64_t read_at; /* a slow reader waits until then */
    uint64_t opened_at;
};
struct app {
    struct app_plan plan;
    bool server;
    struct nsock *listener, *udp;
    struct ns_addr to;
    struct conn conn[CONNS];
    uint32_t opened, over, asked;
    uint64_t open_at, ask_at;
};

static uint8_t pattern(uint32_t id, bool down, uint32_t off)
{
    return (uint8_t)(off * 31 + (off >> 8) * 7 + id * 17 + (down ? 101 : 0));
}

/* May a connection end so? A dead peer answers with a reset or not at all; what
 * it has not accepted it refuses; and an attempt may find no way through. */
static bool right_error(const struct app_plan *p, const struct conn *c, int err)
{
    bool attempt = !c->connected && c->opened_at != 0;

    if (err == ETIMEDOUT && attempt && (p->may_time_out || p->may_fail))
        return sim.now - c->opened_at >= CONNECT_LIMIT / 2;
    if (!p->may_fail)
        return false;
    return err == ECONNRESET || err == ETIMEDOUT || err == EPIPE || err == ENOMEM ||
           (err == ECONNREFUSED && attempt);
}

static void over(struct host *h, struct conn *c, int err)
{
    struct app *a = h->app;

    if (err != 0 && !right_error(&a->plan, c, err))
        sim_fail("%s: connection %u failed with error %d (%s), sent %u got %u", h->name, c->id, err,
                 a->server ? "server" : "client", c->sent, c->got);
    ns_close(c->s);
    *(err == 0 ? &app_stats.finished : &app_stats.failed) += 1;
    memset(c, 0, sizeof(*c));
    a->over++;
}

/* Up to `left` bytes of the pattern. 1: blocked or done for now; negative: error. */
static int push(struct host *h, struct conn *c, bool down, uint32_t skip, uint32_t total)
{
    struct app *a = h->app;
    uint8_t buf[4096];

    while (c->sent < total) {
        uint32_t n = total - c->sent, most = a->plan.chunk != 0 ? a->plan.chunk : 1 + sim_below(sizeof(buf));
        int r;
        if (n > most)
            n = most;
        if (n > sizeof(buf))
            n = sizeof(buf);
        for (uint32_t i = 0; i < n; i++)
            buf[i] = c->sent + i < skip ? c->head[c->sent + i] : pattern(c->id, down, c->sent + i - skip);
        r = ns_send(c->s, buf, n, 0, NULL);
        if (r == -EAGAIN)
            return 1;
        if (r < 0)
            return r;
        c->sent += (uint32_t)r;
    }
    return 1;
}

/* Read what there is and check it. 0: end; 1: later; negative: error. */
static int pull(struct host *h, struct conn *c, bool down, uint32_t skip)
{
    struct app *a = h->app;
    uint8_t buf[4096];

    if (a->plan.pause_ms != 0 && a->server) {
        if (sim.now < c->read_at)
            return 1;
        c->read_at = sim.now + sim_below(a->plan.pause_ms) * SIM_MS;
        sim_at(c->read_at, (void (*)(void *))host_wake, h);
    }
    for (int turns = 0; turns < 64; turns++) {
        uint32_t most = skip > c->got ? skip - c->got : 1 + sim_below(sizeof(buf));
        int r = ns_recv(c->s, buf, most, 0, NULL);
        if (r == -EAGAIN)
            return 1;
        if (r <= 0)
            return r;
        for (uint32_t i = 0; i < (uint32_t)r; i++) {
            if (c->got + i < skip) {
                c->head[c->got + i] = buf[i];
            } else if (buf[i] != pattern(c->id, down, c->got + i - skip)) {
                sim_fail("%s: connection %u: wrong byte at %u", h->name, c->id, c->got + i - skip);
                return -EIO;
            }
        }
        c->got += (uint32_t)r;
        app_stats.bytes += (uint32_t)r;
        if (c->got == skip && skip != 0) {
            memcpy(&c->id, c->head, 4);
            memcpy(&c->up, c->head + 4, 4);
            memcpy(&c->down, c->head + 8, 4);
        }
        if (a->plan.pause_ms != 0 && a->server)
            return 1;
    }
    host_wake(h);
    return 1;
}

static void serve(struct host *h, struct conn *c)
{
    int r = 1;

    if (!c->rd_done) {
        r = pull(h, c, false, HEAD);
        if (r == 0) {
            if (c->got != c->up + HEAD) {
                sim_fail("%s: connection %u ended after %u of %u bytes", h->name, c->id, c->got,
                         c->up + HEAD);
                r = -EIO;
            } else {
                c->rd_done = true;
                r = 1;
            }
        }
    }
    if (r > 0 && c->got >= HEAD && !c->wr_done) {
        r = push(h, c, true, 0, c->down);
        if (r > 0 && c->sent == c->down) {
            c->wr_done = true;
            ns_shutdown(c->s, 1);
        }
    }
    if (r < 0)
        over(h, c, -r);
    else if (c->rd_done && c->wr_done)
        over(h, c, 0);
}

static void ask(struct host *h, struct conn *c)
{
    struct app *a = h->app;
    int r;

    if (!c->connected) {
        int err = 0;
        ns_getopt(c->s, NSO_ERROR, &err);
        if (err != 0) {
            over(h, c, err);
            return;
        }
        if (!(ns_events(c->s) & NS_OUT))
            return;
        c->connected = true;
    }
    r = c->wr_done ? 1 : push(h, c, false, HEAD, c->up + HEAD);
    if (r > 0 && c->sent == c->up + HEAD && !c->wr_done && (a->plan.closes_first || c->got == c->down)) {
        c->wr_done = true;
        ns_shutdown(c->s, 1);
    }
    if (r > 0 && !c->rd_done) {
        r = pull(h, c, true, 0);
        if (r == 0) {
            c->rd_done = true;
            r = 1;
            if (c->got != c->down) {
                sim_fail("%s: connection %u ended after %u of %u bytes down", h->name, c->id, c->got,
                         c->down);
                r = -EIO;
            }
        }
    }
    if (r > 0 && c->got == c->down && c->sent == c->up + HEAD && !c->wr_done)
        host_wake(h); /* to shut down */
    if (r < 0)
        over(h, c, -r);
    else if (c->rd_done && c->wr_done)
        over(h, c, 0);
}

/* Who only waits learns of a death by asking. */
static void watch_peer(struct nsock *s, const struct app_plan *p)
{
    if (!p->may_fail)
        return;
    ns_setopt(s, NSO_KEEPALIVE, 1);
    ns_setopt(s, NSO_KEEPIDLE, 5);
    ns_setopt(s, NSO_KEEPINTVL, 2);
    ns_setopt(s, NSO_KEEPCNT, p->may_time_out ? 12 : 4);
}

static int family(const struct app *a)
{
    return a->plan.six ? NET_INET6 : NET_INET;
}

static void open_next(struct host *h)
{
    struct app *a = h->app;

    for (int i = 0; i < CONNS; i++) {
        struct conn *c = &a->conn[i];
        int r;
        if (c->s != NULL)
            continue;
        memset(c, 0, sizeof(*c));
        if (ns_socket(h->ns, family(a), NS_STREAM, &c->s) != 0) {
            if (h->alloc_fail == 0)
                sim_fail("%s: no socket", h->name);
            c->s = NULL;
            return;
        }
        if (sim_chance(300))
            ns_setopt(c->s, NSO_NODELAY, 1);
        watch_peer(c->s, &a->plan);
        c->opened_at = sim.now;
        c->id = h->ip << 16 ^ a->opened;
        c->up = a->plan.bytes_up != 0 ? sim_below(a->plan.bytes_up + 1) : 0;
        c->down = a->plan.bytes_down != 0 ? sim_below(a->plan.bytes_down + 1) : 0;
        memcpy(c->head, &c->id, 4);
        memcpy(c->head + 4, &c->up, 4);
        memcpy(c->head + 8, &c->down, 4);
        a->opened++;
        app_stats.opened++;
        r = ns_connect(c->s, &a->to);
        if (r != -EINPROGRESS)
            over(h, c, -r);
        return;
    }
}

static void accept_all(struct host *h)
{
    struct app *a = h->app;

    for (int i = 0; i < CONNS; i++) {
        struct conn *c = &a->conn[i];
        if (c->s != NULL)
            continue;
        if (ns_accept(a->listener, &c->s, NULL) != 0) {
            c->s = NULL;
            return;
        }
    }
}

static void echo_datagrams(struct host *h)
{
    struct app *a = h->app;
    static uint8_t buf[2048];
    struct ns_addr from;
    int r;

    for (int i = 0; a->udp != NULL && i < 64; i++) {
        r = ns_recv(a->udp, buf, sizeof(buf), 0, &from);
        if (r < 0)
            return;
        ns_send(a->udp, buf, (size_t)r, 0, &from);
        app_stats.datagrams++;
    }
}

/* A datagram out now and then; what comes back must be one of ours, whole. */
static void ask_datagrams(struct host *h)
{
    struct app *a = h->app;
    static uint8_t buf[1472];
    struct ns_addr from;
    int r;

    if (a->plan.datagrams == 0)
        return;
    if (a->udp == NULL &&
        (ns_socket(h->ns, family(a), NS_DGRAM, &a->udp) != 0 || ns_connect(a->udp, &a->to) != 0))
        return;
    while ((r = ns_recv(a->udp, buf, sizeof(buf), 0, &from)) >= 0) {
        for (int i = 1; i < r; i++)
            if (buf[i] != pattern(buf[0], false, (uint32_t)i))
                sim_fail("%s: datagram of %d bytes differs at %d", h->name, r, i);
        app_stats.echoes++;
    }
    if (a->asked < a->plan.datagrams && sim.now >= a->ask_at) {
        uint32_t n = 1 + sim_below(wire_model.mtu - (a->plan.six ? 48u : 28u)); /* a router may drop the longer ones */
        buf[0] = (uint8_t)a->asked++;
        for (uint32_t i = 1; i < n; i++)
            buf[i] = pattern(buf[0], false, i);
        ns_send(a->udp, buf, n, 0, NULL);
        a->ask_at = sim.now + sim_below(30) * SIM_MS;
        sim_at(a->ask_at, (void (*)(void *))host_wake, h);
    }
}

static void step(struct host *h)
{
    struct app *a = h->app;

    if (a == NULL)
        return;
    if (a->server) {
        accept_all(h);
        echo_datagrams(h);
    } else {
        ask_datagrams(h);
        if (a->opened < a->plan.connections && sim.now >= a->open_at) {
            open_next(h);
            a->open_at = sim.now + sim_below(20) * SIM_MS;
            sim_at(a->open_at, (void (*)(void *))host_wake, h);
        }
    }
    for (int i = 0; i < CONNS; i++)
        if (a->conn[i].s != NULL)
            (a->server ? serve : ask)(h, &a->conn[i]);
}

static struct app *app_new(struct host *h, const struct app_plan *p)
{
    struct app *a = calloc(1, sizeof(*a));

    if (a == NULL)
        abort();
    a->plan = *p;
    h->app = a;
    h->step = step;
    host_wake(h);
    return a;
}

void app_server(struct host *h, uint16_t port, const struct app_plan *p)
{
    struct app *a = app_new(h, p);
    struct ns_addr name = {.family = (uint8_t)family(a), .port = port};

    a->server = true;
    if (ns_socket(h->ns, family(a), NS_STREAM, &a->listener) != 0 ||
        ns_setopt(a->listener, NSO_REUSEADDR, 1) != 0 ||
        ns_setopt(a->listener, NSO_REUSEPORT, p->group) != 0 || ns_bind(a->listener, &name) != 0 ||
        ns_listen(a->listener, 16) != 0)
        sim_fail("%s: cannot listen", h->name);
    watch_peer(a->listener, p); /* what it accepts inherits it */
    if (ns_socket(h->ns, family(a), NS_DGRAM, &a->udp) != 0 ||
        ns_setopt(a->udp, NSO_REUSEPORT, p->group) != 0 || ns_bind(a->udp, &name) != 0)
        sim_fail("%s: cannot bind", h->name);
}

void app_client(struct host *h, uint32_t server_ip, uint16_t port, const struct app_plan *p)
{
    struct app *a = app_new(h, p);

    a->to.family = (uint8_t)family(a);
    a->to.port = port;
    if (p->six && (h->ip & 1) == 0)
        a->to.addr.b[10] = a->to.addr.b[11] = 0xff;
    else if (p->six)
        a->to.addr.b[0] = 0xfd;
    for (int i = 0; i < 4; i++)
        a->to.addr.b[i + (p->six ? 12 : 0)] = (uint8_t)(server_ip >> (24 - 8 * i));
}

bool app_client_done(const struct host *h)
{
    const struct app *a = h->app;

    return a == NULL || (a->over >= a->plan.connections && !a->server);
}

unsigned app_open(const struct host *h)
{
    const struct app *a = h->app;
    unsigned n = 0;

    for (int i = 0; a != NULL && i < CONNS; i++)
        n += a->conn[i].s != NULL;
    return n;
}

unsigned app_sockets(struct host *h, struct nsock **at[APP_SOCKETS_MAX])
{
    struct app *a = h->app;
    unsigned n = 0;

    if (a->listener != NULL)
        at[n++] = &a->listener;
    if (a->udp != NULL)
        at[n++] = &a->udp;
    for (int i = 0; i < CONNS; i++)
        if (a->conn[i].s != NULL)
            at[n++] = &a->conn[i].s;
    return n;
}

void app_free(struct host *h)
{
    free(h->app); /* the sockets go with the stack */
    h->app = NULL;
    h->step = NULL;
}
