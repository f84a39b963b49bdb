/* SPDX-License-Identifier: MIT
 *
 * tests/sim/throughput.c: bulk transfers by libnet, each beside an ideal sender
 * on the same path with the same losses (ideal.c).
 *
 *   throughput [-v]   prints the table; TAP says whether each cell holds
 *
 * A cell holds when libnet reaches at least 90 % of the ideal and not more than
 * all of it (more would be unfair to others, or a wrong model), and without loss
 * at least 95 % of what window and path allow. Two more transfers without loss have
 * buffers that nobody sets: they must grow to what the largest fixed ones reach.
 */
#include <stdlib.h>
#include <string.h>
#include <tests/sim/ideal.h>

#define SERVER_IP  0x0a000001u
#define CLIENT_IP  0x0a000002u
#define ARENA      (16u << 20)
#define RX_RING    (8u << 20)
#define LIMIT      (20000 * SIM_S)
#define SEEDS_MAX  16u
#define PER_CENT   100.0
#define LEAST      90.0
#define LEAST_FULL 95.0
#define LEAST_GROWN 80.0 /* growing takes a few round trips */

static const uint32_t losses[] = {0, 1, 10, 50, 100}; /* per mille */
static const uint32_t round_trips_ms[] = {1, 20, 100};
static const uint32_t growing_ms[] = {20, 100}; /* C-BUF-1 */
static const uint32_t windows[] = {32u << 10, 256u << 10, 4u << 20};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- one transfer by libnet ---------------------------------------------------------- */
static struct bulk {
    const struct transfer *t;
    struct host server, client;
    struct nsock *listener, *in, *out;
    bool grows;
    uint64_t to_send, left, begin_ns, half_at, end_at, packets, lost;
} bulk;

static bool fate(const uint8_t *packet, size_t n)
{
    bool lost;

    (void)packet;
    if (n <= 100) /* no text: acknowledgements get through */
        return false;
    lost = bulk_lost(bulk.t, bulk.packets++);
    bulk.lost += lost;
    return lost;
}

static void buffers(struct nsock *s)
{
    if (bulk.grows)
        return;
    if (ns_setopt(s, NSO_SNDBUF, (int)bulk.t->window) != 0 || ns_setopt(s, NSO_RCVBUF, (int)bulk.t->window) != 0)
        sim_fail("no buffers");
}

static void client_step(struct host *h)
{
    static const uint8_t zeros[64 * 1024];

    (void)h;
    if (!(ns_events(bulk.out) & NS_OUT) && bulk.begin_ns == 0)
        return;
    if (bulk.begin_ns == 0)
        bulk.begin_ns = sim.now;
    while (bulk.to_send > 0) {
        int r = ns_send(bulk.out, zeros, bulk.to_send < sizeof(zeros) ? bulk.to_send : sizeof(zeros), 0, NULL);
        if (r == -EAGAIN)
            return;
        if (r < 0) {
            sim_fail("send: error %d", -r);
            return;
        }
        bulk.to_send -= (uint64_t)r;
    }
}

static void server_step(struct host *h)
{
    static uint8_t buf[64 * 1024];
    uint64_t half = (uint64_t)(bulk.t->segments / 2) * BULK_MSS, all = (uint64_t)bulk.t->segments * BULK_MSS;
    int r;

    (void)h;
    if (bulk.in == NULL && ns_accept(bulk.listener, &bulk.in, NULL) != 0)
        return;
    while ((r = ns_recv(bulk.in, buf, sizeof(buf), 0, NULL)) > 0) {
        bulk.left -= (uint64_t)r;
        if (bulk.half_at == 0 && all - bulk.left >= half)
            bulk.half_at = sim.now;
        if (bulk.left == 0)
            bulk.end_at = sim.now;
    }
    if (r != -EAGAIN)
        sim_fail("receive: %d", r);
}

static void bulk_start(void)
{
    /* What grows begins as a program does (libc/net.c). */
    struct host_options o = {.rx_bytes = RX_RING, .tx_entries = bulk.grows ? 256 : 4096,
                             .arena_bytes = bulk.grows ? 256 * 1024 : ARENA};
    struct ns_addr name = {.family = NET_INET, .port = 9}, to = name;

    for (int i = 0; i < 4; i++)
        to.addr.b[i] = (uint8_t)(SERVER_IP >> (24 - 8 * i));
    host_start(&bulk.server, "server", SERVER_IP, &direct_kernel, &o);
    host_start(&bulk.client, "client", CLIENT_IP, &direct_kernel, &o);
    if (ns_socket(bulk.server.ns, NET_INET, NS_STREAM, &bulk.listener) != 0 ||
        ns_bind(bulk.listener, &name) != 0 ||
        ns_socket(bulk.client.ns, NET_INET, NS_STREAM, &bulk.out) != 0) {
        sim_fail("no sockets");
        return;
    }
    buffers(bulk.listener);
    buffers(bulk.out);
    if (ns_listen(bulk.listener, 1) != 0 || ns_connect(bulk.out, &to) != -EINPROGRESS)
        sim_fail("no connection");
    bulk.server.step = server_step;
    bulk.client.step = client_step;
}

static void libnet_transfer(const struct transfer *t, bool grows, struct transfer_result *r)
{
    struct wire_model wire = {.delay_ns = t->rtt_ns / 2, .byte_ns = BULK_BYTE_NS, .mtu = BULK_PACKET};
    uint64_t end;

    memset(&bulk, 0, sizeof(bulk));
    bulk.t = t;
    bulk.grows = grows;
    bulk.to_send = bulk.left = (uint64_t)t->segments * BULK_MSS;
    sim_start(t->seed);
    sim.exact = true;
    wire_start(&wire, NULL);
    wire_fate = fate;
    bulk_start();
    end = sim.now + LIMIT;
    while (!sim.failed && bulk.end_at == 0 && sim.now < end && sim_step())
        ;
    if (bulk.end_at == 0)
        sim_fail("not over");
    r->all_ns = bulk.end_at - bulk.begin_ns;
    r->half_ns = bulk.end_at - bulk.half_at;
    r->sent = bulk.packets;
    r->lost = bulk.lost;
    host_stop(&bulk.client);
    host_stop(&bulk.server);
    while (sim_step()) /* what is still under way frees itself */
        ;
    wire_stop();
    if (sim.failed)
        printf("# %s\n", sim.why);
    sim_stop();
}

/* --- a cell: several seeds of both ------------------------------------------------------ */
struct cell {
    double ideal, libnet, full; /* bytes a second; of the second half, libnet's */
    double part, part_full;     /* per cent: of the ideal; of what window and path allow */
};

static bool verbose;

static void one_cell(uint32_t loss, uint32_t rtt_ms, uint32_t window, bool grows, struct cell *c)
{
    struct transfer t = {.loss = loss, .rtt_ns = rtt_ms * SIM_MS, .window = window};
    uint64_t ideal_ns = 0, libnet_ns = 0, half_ns = 0;
    double path = (double)BULK_MSS / BULK_PACKET / BULK_BYTE_NS * SIM_S, most = (double)window / rtt_ms * 1000;
    uint32_t seeds = loss == 0 ? 1 : 5;

    /* Without loss so many windows that one more or less at the ends says little;
     * with it, sixty losses for each seed, and more. */
    t.segments = loss != 0 ? (loss == 1 ? 60000 : 300000 / loss) : window < 1u << 20 ? 30000 : 86000;
    for (uint32_t i = 0; i < seeds; i++) {
        struct transfer_result ideal, libnet;
        t.seed = 1 + i;
        ideal_transfer(&t, &ideal);
        libnet_transfer(&t, grows, &libnet);
        if (verbose)
            printf("# seed %u: ideal %.3f s (%llu sent, %llu lost), libnet %.3f s (%llu sent, %llu lost)\n", 1 + i,
                   (double)ideal.all_ns / SIM_S, (unsigned long long)ideal.sent, (unsigned long long)ideal.lost,
                   (double)libnet.all_ns / SIM_S, (unsigned long long)libnet.sent,
                   (unsigned long long)libnet.lost);
        ideal_ns += ideal.all_ns;
        libnet_ns += libnet.all_ns;
        half_ns += libnet.half_ns;
    }
    c->ideal = (double)t.segments * BULK_MSS * seeds * SIM_S / (double)ideal_ns;
    c->libnet = (double)t.segments * BULK_MSS * seeds * SIM_S / (double)libnet_ns;
    c->full = (double)(t.segments - t.segments / 2) * BULK_MSS * seeds * SIM_S / (double)half_ns;
    c->part = PER_CENT * c->libnet / c->ideal;
    c->part_full = PER_CENT * c->full / (most < path ? most : path);
}

static const char *rate(double bytes_s, char *buf, size_t n)
{
    snprintf(buf, n, bytes_s >= 1e8 ? "%.0f" : bytes_s >= 1e6 ? "%.2f" : "%.4f", bytes_s / 1e6);
    return buf;
}

/* One row. Whether it holds. */
static bool show(unsigned number, uint32_t loss, uint32_t rtt_ms, uint32_t window, bool grows)
{
    struct cell c;
    char a[16], b[16], full[16] = "", size[16];
    bool good;

    one_cell(loss, rtt_ms, window, grows, &c);
    good = c.part >= (grows ? LEAST_GROWN : LEAST) && c.part <= PER_CENT &&
           (loss != 0 || c.part_full >= LEAST_FULL);
    if (loss == 0)
        snprintf(full, sizeof(full), "%.1f %%", c.part_full);
    snprintf(size, sizeof(size), grows ? "grows" : "%u KiB", window >> 10);
    printf("# %4.1f %%  %3u ms  %8s  %9s  %9s     %5.1f %%   %13s\n", loss / 10.0, rtt_ms, size,
           rate(c.ideal, a, sizeof(a)), rate(c.libnet, b, sizeof(b)), c.part, full);
    printf("%sok %u - %.1f %% loss, %u ms, %s\n", good ? "" : "not ", number, loss / 10.0, rtt_ms, size);
    fflush(stdout);
    return good;
}

int main(int argc, char **argv)
{
    unsigned number = 0, bad = 0;

    verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
    printf("1..%zu\n", COUNT(losses) * COUNT(round_trips_ms) * COUNT(windows) + COUNT(growing_ms));
    printf("# MB/s, the whole transfer; window/RTT (or the path's 1 GB/s): its second half\n");
    printf("#  loss     RTT   buffer      ideal     libnet    of ideal   of window/RTT\n");
    for (size_t l = 0; l < COUNT(losses); l++)
        for (size_t r = 0; r < COUNT(round_trips_ms); r++)
            for (size_t w = 0; w < COUNT(windows); w++)
                bad += !show(++number, losses[l], round_trips_ms[r], windows[w], false);
    for (size_t r = 0; r < COUNT(growing_ms); r++)
        bad += !show(++number, 0, growing_ms[r], windows[COUNT(windows) - 1], true);
    return bad != 0;
}
