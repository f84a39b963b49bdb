/* SPDX-License-Identifier: MIT
 *
 * tests/sim/conform.c: plays the cases of tests/sim/cases against one libnet on
 * its rings; TAP on standard output. docs/HACKING.md describes the language.
 *
 *   conform.tap [-v] [FILE.case ...]     without files all of them; -v: each packet
 *
 * Owns: the order of things. A step happens when its time has come and everything
 * before it has had its effect; what the stack sends is taken by the next ">", and
 * nothing that it sends may be left over. Time is virtual, and host and medium
 * take none of it, so that times are exact.
 */
#include <dirent.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <tests/sim/conform_run.h>

#define CASES_MAX 400
#define TOLERANCE (1 * SIM_MS)

struct run run;
static struct script script;

void run_fail(const struct step *p, const char *fmt, ...)
{
    va_list ap;

    if (run.failed)
        return;
    run.failed = true;
    if (run.meant)
        return;
    printf("# %s:%u: ", run.file, p->line);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
}

/* --- packets -------------------------------------------------------------------------- */
static void show(const char *way, uint64_t when, const struct tseg *s)
{
    char text[400];

    if (!run.verbose)
        return;
    seg_text(s, text, sizeof(text));
    printf("# %12.6f %s %s\n", (double)(when - run.start) / SIM_S, way, text);
}

/* Everything that the stack sends comes here. */
static void capture(void *arg, const uint8_t *packet, size_t n)
{
    struct sent *s = &run.sent[run.nsent];
    char why[200];

    (void)arg;
    if (run.nsent == SENT_MAX) {
        sim_fail("more segments than a case can look at");
        return;
    }
    if (!seg_read(packet, n, &s->seg, why, sizeof(why))) {
        sim_fail("it sent %s", why);
        return;
    }
    s->when = sim.now;
    run.nsent++;
    show(">", sim.now, &s->seg);
}

static void unexpected(const struct step *p)
{
    char text[400];

    seg_text(&run.sent[0].seg, text, sizeof(text));
    run_fail(p, "nothing was expected before this, but at %.6f came > %s",
             (double)(run.sent[0].when - run.start) / SIM_S, text);
}

void run_until(uint64_t when)
{
    while (!sim.failed && sim.n != 0 && sim.heap[0].when <= when)
        sim_step();
    if (sim.now < when)
        sim.now = when;
}

/* To our address by the wire; IPv6, and what is for a group or a stranger, straight
 * into the stack, as a kernel would that let it through. */
void run_inject(const uint8_t *packet, size_t n)
{
    static struct {
        struct net_rx rx;
        uint8_t bytes[65536];
    } foreign;

    if (packets.family == NET_INET && get32(packet + 16) == OUR_IP) {
        if (!wire_send(PEER_IP, packet, n))
            sim_fail("the packet is larger than the link's MTU");
        return;
    }
    foreign.rx = (struct net_rx){.kind = RX_PACKET, .link = 1, .len = (uint32_t)n, .time_ns = sim.now};
    memcpy(foreign.bytes, packet, n);
    netstack_input(run.host.ns, &foreign.rx, foreign.bytes);
    host_wake(&run.host);
}

static void step_in(const struct step *p)
{
    static uint8_t packet[65536];

    for (unsigned i = 0; i < p->seg.most || i == 0; i++) {
        show("<", sim.now, &p->seg);
        run_inject(packet, seg_build(&p->seg, packet));
    }
}

static void step_out(const struct step *p, uint64_t lo, uint64_t hi)
{
    struct sent s;
    char why[200], want[400], got[400];

    while (!sim.failed && run.nsent == 0 && sim.n != 0 && sim.heap[0].when <= hi + TOLERANCE)
        sim_step();
    seg_text(&p->seg, want, sizeof(want));
    if (run.nsent == 0) {
        run_fail(p, "expected > %s until %.6f, nothing came", want, (double)(hi - run.start) / SIM_S);
        return;
    }
    s = run.sent[0];
    memmove(&run.sent[0], &run.sent[1], --run.nsent * sizeof(s));
    seg_text(&s.seg, got, sizeof(got));
    if (!seg_matches(&p->seg, &s.seg, why, sizeof(why)))
        run_fail(p, "expected > %s, came > %s: %s", want, got, why);
    else if (s.when + TOLERANCE < lo || s.when > hi + TOLERANCE)
        run_fail(p, "> %s came at %.6f, not between %.6f and %.6f", got, (double)(s.when - run.start) / SIM_S,
                 (double)(lo - run.start) / SIM_S, (double)(hi - run.start) / SIM_S);
    seg_note(&s.seg);
    run.last = s.when;
}

/* --- steps ------------------------------------------------------------------------------- */
static void step(const struct step *p)
{
    uint64_t base = p->when.how == ABSOLUTE ? run.start : run.last;
    uint64_t lo = base, hi = base;

    if (p->when.how != AT_ONCE) {
        lo += p->when.lo;
        hi = p->when.hi == UINT64_MAX ? base + 100000 * SIM_S : base + p->when.hi;
    }
    if (p->kind == STEP_OUT) {
        step_out(p, lo, hi);
        for (unsigned i = 1; i < p->seg.most && !run.failed && (i < p->seg.least || run.nsent != 0); i++)
            step_out(p, lo, hi);
    } else {
        run_until(lo);
        if (run.nsent != 0 && !sim.failed) {
            unexpected(p);
            return;
        }
        run.last = sim.now;
        if (p->kind == STEP_IN)
            step_in(p);
        else
            run_command(p);
        run_until(sim.now);
    }
    if (sim.failed)
        run_fail(p, "%s", sim.why);
}

static void start(void)
{
    static const struct wire_model still = {.mtu = 1500};

    sim_start(1);
    sim.exact = true;
    wire_start(&still, NULL);
    packets_start();
    memset(&run.host, 0, sizeof(run.host));
    memset(run.sock, 0, sizeof(run.sock));
    run.nsent = 0;
    run.failed = run.up = false;
    run.options = (struct host_options){.cfg = {.reset_unbound = true},
                                        .rx_bytes = 256 * 1024,
                                        .tx_entries = 256,
                                        .arena_bytes = 2048 * 1024};
    run.start = run.last = sim.now;
}

static void capture6(const uint8_t *packet, size_t n)
{
    capture(NULL, packet, n);
}

static int route(struct host *h, struct net_route_info *io)
{
    int r = direct_kernel.route(h, io);

    put_address(io->src.b, OUR_IP);
    return r;
}

static void up(void)
{
    static struct host_kernel kernel;

    if (run.up)
        return;
    run.up = true;
    for (uint32_t i = 0; i < 3; i++) /* the peer, and two more */
        wire_attach(PEER_IP + i, capture, NULL);
    kernel = direct_kernel;
    kernel.route = route;
    wire_six = capture6;
    host_start(&run.host, "host", OUR_IP, &kernel, &run.options);
    run_until(sim.now);
}

static void finish(const struct step *last)
{
    if (!run.failed && run.nsent != 0)
        unexpected(last);
    if (!run.failed && wire_stats.nobody != 0)
        run_fail(last, "%llu packets went to somebody else", (unsigned long long)wire_stats.nobody);
    host_stop(&run.host);
    while (sim_step()) /* what is under way frees itself */
        ;
    if (sim.failed)
        run_fail(last, "at the end: %s", sim.why);
    wire_stop();
    sim_stop();
}

static bool play(void)
{
    start();
    for (unsigned i = 0; i < script.nsteps && !run.failed; i++) {
        if (strcmp(script.step[i].word[0], "with") != 0)
            up();
        step(&script.step[i]);
    }
    up();
    finish(&script.step[script.nsteps - 1]);
    return !run.failed;
}

/* --- files ---------------------------------------------------------------------------------- */
static char *read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 65536);

    if (f == NULL || text == NULL || fread(text, 1, 65535, f) == 0) {
        printf("# %s cannot be read\n", path);
        free(text);
        text = NULL;
    }
    if (f != NULL)
        fclose(f);
    return text;
}

static bool one(const char *path, unsigned number)
{
    char *text = read_file(path);
    const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    bool good = text != NULL;

    run.file = path;
    if (good && !script_parse(&script, text)) {
        printf("# %s:%s\n", path, script.error);
        good = false;
    }
    good = good && play();
    printf("%sok %u - %.*s: %s\n", good ? "" : "not ", number, (int)strcspn(name, "."), name,
           text != NULL ? script.shows : "");
    fflush(stdout);
    free(text);
    return good;
}

/* A runner that lets everything pass would look like a perfect stack: each of
 * these must fail, the first must not. */
static bool notices_faults(void)
{
    static const char head[] = "covers RFC 9293 3.5\nshows nothing\npassive c\n";
    static const char *const end[] = {"< PA 1:11(10) ack 1\n+40ms > A 1 ack 11 <>\n",
                                      "< S 100\n",
                                      "< PA 1:11(10) ack 1\nquiet 1s\n",
                                      "+1s > A 1 ack 1\n",
                                      "< PA 1:11(10) ack 1\n+45ms > A 1 ack 11\n",
                                      "< PA 1:11(10) ack 1\n+35ms > A 1 ack 11\n",
                                      "< PA 1:11(10) ack 1\n+40ms > A 1 ack 10\n",
                                      "< PA 1:11(10) ack 1\n+40ms > A 2 ack 11\n",
                                      "< PA 1:11(10) ack 1\n+40ms > PA 1 ack 11\n",
                                      "< PA 1:11(10) ack 1\n+40ms > A 1 ack 11 win 5\n",
                                      "< PA 1:11(10) ack 1\n+40ms > A 1 ack 11 <mss 1460>\n",
                                      "< S 100\n> [4001] A 1 ack 1\n",
                                      "send c 5\n> PA 1:5(4) ack 1\n",
                                      "recv c 5\n",
                                      "recv c 5 = ECONNRESET\n",
                                      "events c = in\n",
                                      "expect c state=CLOSED\n",
                                      "expect c cwnd=3\n",
                                      "expect counter rst_in=1\n",
                                      "recv d 5 = EAGAIN\n",
                                      "dance c\n",
                                      "< PA 1:11(9) ack 1\n"};
    unsigned passed = 0;

    run.meant = true;
    for (size_t i = 0; i < sizeof(end) / sizeof(end[0]); i++) {
        char text[300];
        snprintf(text, sizeof(text), "%s%s", head, end[i]);
        passed += (script_parse(&script, text) && play()) != (i == 0);
    }
    run.meant = false;
    return passed == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int all(void)
{
    const char *src = getenv("srcdir");
    char folder[512], *path[CASES_MAX];
    unsigned n = 0, bad = 0;
    struct dirent *e;
    DIR *d;

    snprintf(folder, sizeof(folder), "%s/tests/sim/cases", src != NULL ? src : ".");
    if ((d = opendir(folder)) == NULL) {
        printf("Bail out! no folder %s\n", folder);
        return 1;
    }
    while ((e = readdir(d)) != NULL && n < CASES_MAX) {
        size_t len = strlen(e->d_name);
        if (len < 6 || strcmp(e->d_name + len - 5, ".case") != 0)
            continue;
        path[n] = malloc(sizeof(folder) + len + 2);
        if (path[n] == NULL)
            abort();
        sprintf(path[n++], "%s/%s", folder, e->d_name);
    }
    closedir(d);
    qsort(path, n, sizeof(path[0]), by_name);
    printf("1..%u\n", n + 1);
    bad = !notices_faults();
    printf("%sok 1 - the runner notices what is wrong\n", bad != 0 ? "not " : "");
    for (unsigned i = 0; i < n; i++) {
        bad += !one(path[i], i + 2);
        free(path[i]);
    }
    return bad != 0;
}

int main(int argc, char **argv)
{
    unsigned n = 0, bad = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-v") == 0)
            run.verbose = true;
        else
            bad += !one(argv[i], ++n);
    }
    return n == 0 ? all() : bad != 0;
}
