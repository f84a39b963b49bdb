/* SPDX-License-Identifier: MIT
 *
 * tests/sim/conform_cmd.c: the commands of a case: socket calls with the result
 * that they must have, what is true of a connection, the world around it.
 *
 * Owns: the sockets' names. A read is compared with the pattern that the peer's
 * stream carries, byte by byte.
 */
#include <stdlib.h>
#include <string.h>
#include <tests/sim/conform_run.h>

#define NO_RESULT INT64_MIN /* the command has said itself what is wrong */

/* --- names --------------------------------------------------------------------------------- */
static const struct {
    const char *name;
    int value;
} errnos[] = {{"EAGAIN", EAGAIN},
              {"EINPROGRESS", EINPROGRESS},
              {"EALREADY", EALREADY},
              {"EISCONN", EISCONN},
              {"ENOTCONN", ENOTCONN},
              {"EPIPE", EPIPE},
              {"EINVAL", EINVAL},
              {"ECONNREFUSED", ECONNREFUSED},
              {"ECONNRESET", ECONNRESET},
              {"ECONNABORTED", ECONNABORTED},
              {"ETIMEDOUT", ETIMEDOUT},
              {"EHOSTUNREACH", EHOSTUNREACH},
              {"ENETUNREACH", ENETUNREACH},
              {"EADDRINUSE", EADDRINUSE},
              {"EADDRNOTAVAIL", EADDRNOTAVAIL},
              {"EMSGSIZE", EMSGSIZE},
              {"EOPNOTSUPP", EOPNOTSUPP}},
  options[] = {{"nodelay", NSO_NODELAY},
               {"keepalive", NSO_KEEPALIVE},
               {"reuseaddr", NSO_REUSEADDR},
               {"linger", NSO_LINGER},
               {"sndbuf", NSO_SNDBUF},
               {"rcvbuf", NSO_RCVBUF},
               {"error", NSO_ERROR},
               {"ttl", NSO_TTL},
               {"tos", NSO_TOS},
               {"user_timeout", NSO_USER_TIMEOUT},
               {"inq", NSO_INQ},
               {"keepidle", NSO_KEEPIDLE},
               {"keepintvl", NSO_KEEPINTVL},
               {"keepcnt", NSO_KEEPCNT},
               {"acceptconn", NSO_ACCEPTCONN}};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *errno_name(int64_t value)
{
    for (size_t i = 0; i < COUNT(errnos); i++)
        if (value == errnos[i].value)
            return errnos[i].name;
    return "?";
}

static struct run_sock *sock_find(const char *name)
{
    for (unsigned i = 0; i < SOCKS_MAX; i++)
        if (run.sock[i].s != NULL && strcmp(run.sock[i].name, name) == 0)
            return &run.sock[i];
    return NULL;
}

static struct run_sock *sock_of(const struct step *p)
{
    struct run_sock *s = sock_find(p->word[1]);

    if (s == NULL)
        run_fail(p, "there is no socket %s", p->word[1]);
    return s;
}

static struct run_sock *sock_new(const struct step *p, const char *name, struct nsock *s)
{
    for (unsigned i = 0; i < SOCKS_MAX; i++) {
        if (run.sock[i].s != NULL)
            continue;
        memset(&run.sock[i], 0, sizeof(run.sock[i]));
        strcpy(run.sock[i].name, name);
        run.sock[i].s = s;
        return &run.sock[i];
    }
    run_fail(p, "too many sockets");
    return NULL;
}

static uint64_t number(const struct step *p, unsigned word, uint64_t otherwise)
{
    uint64_t n = otherwise;

    if (word < p->nwords && !parse_number(p->word[word], &n))
        run_fail(p, "%s is no number", p->word[word]);
    return n;
}

/* --- socket calls ---------------------------------------------------------------------------- */
static int64_t do_socket(const struct step *p)
{
    struct nsock *s = NULL;
    int r;

    if (sock_find(p->word[1]) != NULL)
        run_fail(p, "%s is in use", p->word[1]);
    r = ns_socket(run.host.ns, packets.family, NS_STREAM, &s);
    if (r == 0)
        sock_new(p, p->word[1], s);
    return r;
}

static void address(const struct step *p, unsigned port, uint16_t port_else, uint32_t ip, struct ns_addr *a)
{
    memset(a, 0, sizeof(*a));
    a->family = packets.family;
    a->port = (uint16_t)number(p, port, port_else);
    if (p->nwords > port + 1 && !parse_ip(p->word[port + 1], &ip))
        run_fail(p, "%s is no address", p->word[port + 1]);
    put_address(a->addr.b, ip);
}

static int64_t do_bind(const struct step *p)
{
    struct ns_addr a;

    address(p, 2, OUR_PORT, 0, &a);
    return ns_bind(sock_of(p)->s, &a);
}

static int64_t do_listen(const struct step *p)
{
    return ns_listen(sock_of(p)->s, (int)number(p, 2, 8));
}

static int64_t do_connect(const struct step *p)
{
    struct ns_addr a;

    address(p, 2, PEER_PORT, PEER_IP, &a);
    return ns_connect(sock_of(p)->s, &a);
}

static int64_t do_accept(const struct step *p)
{
    struct nsock *s = NULL;
    int r = ns_accept(sock_of(p)->s, &s, NULL);

    if (r == 0)
        sock_new(p, p->word[2], s);
    return r;
}

static int64_t do_send(const struct step *p)
{
    struct run_sock *s = sock_of(p);
    uint64_t n = number(p, 2, 0);
    uint8_t *buf = malloc(n + 1);
    int r;

    for (uint64_t i = 0; i < n; i++)
        buf[i] = text_byte(false, s->put + (uint32_t)i);
    r = ns_send(s->s, buf, n, 0, NULL);
    s->put += r > 0 ? (uint32_t)r : 0;
    free(buf);
    return r;
}

static int64_t receive(const struct step *p, int flags)
{
    struct run_sock *s = sock_of(p);
    uint64_t n = number(p, 2, 0);
    uint8_t *buf = malloc(n + 1);
    int r = ns_recv(s->s, buf, n, flags, NULL);

    for (int i = 0; i < r; i++) {
        if (buf[i] == text_byte(true, s->got + (uint32_t)i))
            continue;
        run_fail(p, "byte %u of the stream is wrong", s->got + (uint32_t)i);
        break;
    }
    if (r > 0 && !(flags & NS_PEEK))
        s->got += (uint32_t)r;
    free(buf);
    return r;
}

static int64_t do_recv(const struct step *p)
{
    return receive(p, 0);
}

static int64_t do_peek(const struct step *p)
{
    return receive(p, NS_PEEK);
}

static int64_t do_shutdown(const struct step *p)
{
    int how = strcmp(p->word[2], "read") == 0 ? 0 : strcmp(p->word[2], "write") == 0 ? 1 : 2;

    return ns_shutdown(sock_of(p)->s, how);
}

static int64_t do_close(const struct step *p)
{
    struct run_sock *s = sock_of(p);

    ns_close(s->s);
    s->s = NULL;
    return 0;
}

static int64_t do_option(const struct step *p)
{
    int v = 0, r;

    for (size_t i = 0; i < COUNT(options); i++) {
        if (strcmp(p->word[2], options[i].name) != 0)
            continue;
        if (p->nwords == 4) {
            v = strcmp(p->word[3], "off") == 0 ? -1 : (int)number(p, 3, 0);
            return ns_setopt(sock_of(p)->s, (enum ns_opt)options[i].value, v);
        }
        r = ns_getopt(sock_of(p)->s, (enum ns_opt)options[i].value, &v);
        return r != 0 ? r : strcmp(p->word[2], "error") == 0 ? -v : v;
    }
    run_fail(p, "unknown option %s", p->word[2]);
    return NO_RESULT;
}

static int64_t do_events(const struct step *p)
{
    static const char *const names[] = {"in", "out", "err", "hup", "rdhup"};
    unsigned ev = ns_events(sock_of(p)->s);
    char text[40] = "";

    for (unsigned i = 0; i < COUNT(names); i++)
        if (ev >> i & 1)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", text[0] != '\0' ? "," : "",
                     names[i]);
    if (strcmp(p->result, text[0] != '\0' ? text : "none") != 0)
        run_fail(p, "events are %s, expected %s", text[0] != '\0' ? text : "none", p->result);
    return NO_RESULT;
}

/* --- what is true now -------------------------------------------------------------------------- */
static const char *const states[] = {"CLOSED",      "LISTEN",     "SYN_SENT",   "SYN_RCVD",
                                     "ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT_1", "CLOSING",
                                     "LAST_ACK",    "FIN_WAIT_2", "TIME_WAIT"};

static unsigned state_of_flow(uint16_t peer)
{
    static struct ns_conn_info info[64];
    unsigned n = ns_list(run.host.ns, info, COUNT(info));

    for (unsigned i = 0; i < n; i++)
        if (info[i].proto == NET_TCP && info[i].peer.port == peer)
            return info[i].state;
    return TCP_CLOSED;
}

static bool value_of(const struct tcb *t, const char *name, uint64_t *v)
{
    const struct {
        const char *name;
        uint64_t value;
    } known[] = {{"cwnd", t->snd_mss != 0 ? t->cwnd / t->snd_mss : 0},
                 {"ssthresh", t->snd_mss != 0 ? t->ssthresh / t->snd_mss : 0},
                 {"mss", t->snd_mss},
                 {"rto", tcp_rto(t)},
                 {"srtt", t->srtt_us * 1000ull},
                 {"flight", t->snd_max - t->snd_una},
                 {"snd_wnd", t->snd_wnd},
                 {"inq", t->rcv.bytes},
                 {"outq", t->snd.bytes},
                 {"retransmits", t->retransmits}};

    for (size_t i = 0; i < COUNT(known); i++)
        if (strcmp(known[i].name, name) == 0) {
            *v = known[i].value;
            return true;
        }
    return false;
}

static bool counter_of(const char *name, uint64_t *v)
{
    const struct ns_counters *c = ns_counters(run.host.ns);
    const struct {
        const char *name;
        uint64_t value;
    } known[] = {{"in", c->tcp_in},
                 {"bad", c->tcp_bad},
                 {"ip_bad", c->ip_bad},
                 {"rst_in", c->tcp_rst_in},
                 {"rst_out", c->tcp_rst_out},
                 {"retransmit", c->tcp_retransmit},
                 {"ooo", c->tcp_ooo},
                 {"timeouts", c->tcp_timeouts},
                 {"overflow", c->tcp_accept_overflow},
                 {"cookies_sent", c->cookies_sent},
                 {"cookies_accepted", c->cookies_accepted},
                 {"cookies_refused", c->cookies_refused},
                 {"sockets", netstack_sockets(run.host.ns)}};

    for (size_t i = 0; i < COUNT(known); i++)
        if (strcmp(known[i].name, name) == 0) {
            *v = known[i].value;
            return true;
        }
    return false;
}

static void check_state(const struct step *p, unsigned state, const char *want)
{
    if (state >= COUNT(states) || strcmp(states[state], want) != 0)
        run_fail(p, "the state is %s, expected %s", state < COUNT(states) ? states[state] : "?", want);
}

static void check_value(const struct step *p, const char *name, uint64_t v, const char *want)
{
    struct span s;

    if (!parse_span(want, &s))
        run_fail(p, "%s is no number", want);
    else if (!s.any && (v < s.lo || v > s.hi))
        run_fail(p, "%s is %llu, expected %s", name, (unsigned long long)v, want);
}

/* expect NAME|[PEERPORT]|counter FIELD=VALUE ... */
static int64_t do_expect(const struct step *p)
{
    bool counter = strcmp(p->word[1], "counter") == 0;
    struct run_sock *s = NULL;
    unsigned port = 0;

    if (!counter && sscanf(p->word[1], "[%u]", &port) != 1 && (s = sock_of(p)) == NULL)
        return NO_RESULT;
    for (unsigned i = 2; i < p->nwords; i++) {
        char name[WORD_MAX], *equals;
        uint64_t v;
        strcpy(name, p->word[i]);
        equals = strchr(name, '=');
        if (equals == NULL) {
            run_fail(p, "FIELD=VALUE, not %s", name);
            break;
        }
        *equals++ = '\0';
        if (strcmp(name, "state") == 0)
            check_state(p, s != NULL ? ((struct tcb *)s->s)->state : state_of_flow((uint16_t)port), equals);
        else if (counter ? counter_of(name, &v) : s != NULL && value_of((struct tcb *)s->s, name, &v))
            check_value(p, name, v, equals);
        else
            run_fail(p, "nothing is called %s", name);
    }
    return NO_RESULT;
}

/* --- the world ------------------------------------------------------------------------------------ */
/* with NAME VALUE ...: before anything else happens; mtu at any time. */
static int64_t do_with(const struct step *p)
{
    for (unsigned i = 1; i + 1 < p->nwords; i += 2) {
        uint32_t v = (uint32_t)number(p, i + 1, 0);
        if (strcmp(p->word[i], "mtu") == 0)
            wire_model.mtu = (uint16_t)v;
        else if (run.up)
            run_fail(p, "too late for %s", p->word[i]);
        else if (strcmp(p->word[i], "rcvbuf") == 0)
            run.options.cfg.tcp_rcvbuf = v;
        else if (strcmp(p->word[i], "sndbuf") == 0)
            run.options.cfg.tcp_sndbuf = v;
        else if (strcmp(p->word[i], "time_wait_ms") == 0)
            run.options.cfg.time_wait_ms = v;
        else if (strcmp(p->word[i], "peer_isn") == 0)
            packets.peer_isn = v;
        else if (strcmp(p->word[i], "family") == 0)
            packets.family = v == 6 ? NET_INET6 : NET_INET;
        else
            run_fail(p, "with what? %s", p->word[i]);
    }
    return NO_RESULT;
}

static int64_t do_icmp(const struct step *p)
{
    uint8_t packet[128];
    size_t n = icmp_build(p, packet);

    if (n == 0)
        run_fail(p, "there is no such ICMP error");
    else
        run_inject(packet, n);
    return NO_RESULT;
}

static int64_t do_quiet(const struct step *p)
{
    uint64_t ns;

    if (!parse_time(p->word[1], &ns))
        run_fail(p, "how long?");
    else
        run_until(run.last = sim.now + ns);
    return NO_RESULT;
}

/* isn NAME [PEERPORT]: remembers a flow's initial sequence number; gap A B: how far
 * B lies beyond A. */
static int64_t do_isn(const struct step *p)
{
    run.isn[(p->word[1][0] - 'a') % 26u] = flow_of((uint16_t)number(p, 2, PEER_PORT))->iss;
    return NO_RESULT;
}

static int64_t do_gap(const struct step *p)
{
    return (uint32_t)(run.isn[(p->word[2][0] - 'a') % 26u] - run.isn[(p->word[1][0] - 'a') % 26u]);
}

/* flood N [over]: as many SYNs from as many ports, whose answers don't matter; or the
 * RSTs that take them back. */
static int64_t do_flood(const struct step *p)
{
    uint64_t n = number(p, 1, 0);
    unsigned flows = packets.nflows;
    uint8_t packet[128];

    for (uint64_t i = 0; i < n; i++) {
        struct tseg s = {.flags = TCP_SYN, .peer = (uint16_t)(10000 + i)};
        if (p->nwords == 3) {
            s.flags = TCP_RST;
            s.seq = 1;
        }
        run_inject(packet, seg_build(&s, packet));
        run_until(sim.now);
        run.nsent = 0;
    }
    packets.nflows = flows;
    return NO_RESULT;
}

/* near_wrap N: sets the clock so that the listener's next initial sequence number
 * for the peer's usual port comes N before the numbers begin again. Asks for one
 * by a SYN, which it takes back. */
static int64_t do_near_wrap(const struct step *p)
{
    struct tseg s = {.flags = TCP_SYN};
    uint8_t packet[128];

    run_inject(packet, seg_build(&s, packet));
    run_until(sim.now);
    if (run.nsent != 1) {
        run_fail(p, "nobody listens");
        return NO_RESULT;
    }
    run.nsent = 0;
    s.flags = TCP_RST;
    s.seq = 1;
    run_inject(packet, seg_build(&s, packet));
    run_until(sim.now + (uint32_t)(0u - (uint32_t)number(p, 1, 0) - flow_of(0)->iss) * 4000ull);
    run.last = sim.now;
    return NO_RESULT;
}

/* --- dispatch ---------------------------------------------------------------------------------------- */
static const struct command {
    const char *name;
    unsigned least, most; /* words, the name included */
    int64_t (*fn)(const struct step *p);
} commands[] = {
    {"socket", 2, 2, do_socket},       {"bind", 3, 4, do_bind},     {"listen", 2, 3, do_listen},
    {"connect", 2, 4, do_connect},     {"accept", 3, 3, do_accept}, {"send", 3, 3, do_send},
    {"recv", 3, 3, do_recv},           {"peek", 3, 3, do_peek},     {"shutdown", 3, 3, do_shutdown},
    {"close", 2, 2, do_close},         {"option", 3, 4, do_option}, {"events", 2, 2, do_events},
    {"expect", 3, 10, do_expect},      {"with", 3, 9, do_with},     {"icmp", 2, 8, do_icmp},
    {"quiet", 2, 2, do_quiet},         {"isn", 2, 3, do_isn},       {"gap", 3, 3, do_gap},
    {"near_wrap", 2, 2, do_near_wrap}, {"flood", 2, 3, do_flood}};

/* Without a result in the case a call must do all that was asked. */
static void check_result(const struct step *p, int64_t r)
{
    const char *want = p->result;
    bool good;
    struct span s;

    if (*want == '\0') {
        bool bytes = strcmp(p->word[0], "send") == 0 || strcmp(p->word[0], "recv") == 0;
        good = bytes ? r == (int64_t)number(p, 2, 0)
                     : r == (strcmp(p->word[0], "connect") == 0 ? -EINPROGRESS : 0);
        want = bytes ? p->word[2] : "success";
    } else if (*want == 'E') {
        good = r < 0 && strcmp(errno_name(-r), want) == 0;
    } else {
        good = parse_span(want, &s) && r >= 0 && (s.any || ((uint64_t)r >= s.lo && (uint64_t)r <= s.hi));
    }
    if (!good)
        run_fail(p, "%s gave %lld (%s), expected %s", p->word[0], (long long)r, r < 0 ? errno_name(-r) : "",
                 want);
}

void run_command(const struct step *p)
{
    for (size_t i = 0; i < COUNT(commands); i++) {
        const struct command *c = &commands[i];
        int64_t r;
        if (strcmp(c->name, p->word[0]) != 0)
            continue;
        if (p->nwords < c->least || p->nwords > c->most) {
            run_fail(p, "%s takes %u to %u words", c->name, c->least - 1, c->most - 1);
            return;
        }
        if (c->fn != do_with && c->fn != do_socket && c->fn != do_expect && c->fn != do_icmp &&
            c->fn != do_quiet && c->fn != do_isn && c->fn != do_gap && c->fn != do_near_wrap &&
            c->fn != do_flood && sock_of(p) == NULL)
            return;
        r = c->fn(p);
        if (r != NO_RESULT && !run.failed)
            check_result(p, r);
        if (run.up) { /* what a process does before it sleeps */
            run.host.kernel->kick(&run.host);
            host_wake(&run.host);
        }
        return;
    }
    run_fail(p, "unknown command %s", p->word[0]);
}
