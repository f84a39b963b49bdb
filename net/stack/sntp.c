/* SPDX-License-Identifier: MIT
 *
 * net/stack/sntp.c: see net/stack/sntp.h. Section numbers are RFC 4330's.
 */
#include <net/stack/ns.h>
#include <net/stack/sntp.h>

#define UNIX_EPOCH_S 2208988800u /* 1970, in seconds since 1900 */

/* Figure 1: offsets in the message. */
enum {
    OFF_FLAGS = 0,
    OFF_STRATUM = 1,
    OFF_DISPERSION = 8,
    OFF_REFERENCE = 12,
    OFF_ORIGIN = 24,
    OFF_RECEIVE = 32,
    OFF_TRANSMIT = 40
};
enum { MODE_CLIENT = 3, MODE_SERVER = 4, VERSION = 4, LEAP_UNKNOWN = 3, STRATUM_MAX = 15 };

void sntp_init(struct sntp *s, void *ctx, void (*random)(void *, void *, size_t))
{
    memset(s, 0, sizeof(*s));
    s->ctx = ctx;
    s->random = random;
    s->next_ns = s->slice_ns = NS_NEVER;
    s->poll_s = SNTP_POLL_MIN_S;
    s->retry_s = SNTP_RETRY_S;
}

static bool same_server(const struct sntp_server *a, const struct sntp_server *b)
{
    return a->family == b->family && a->link == b->link && a->port == b->port &&
           addr_equal(&a->addr, &b->addr);
}

void sntp_set_servers(struct sntp *s, const struct sntp_server *list, unsigned n, uint64_t now_ns)
{
    n = n < SNTP_SERVERS_MAX ? n : SNTP_SERVERS_MAX;
    bool same = n == s->nservers;
    for (unsigned i = 0; same && i < n; i++)
        same = same_server(&s->server[i], &list[i]);
    if (same)
        return;
    for (unsigned i = 0; i < n; i++)
        s->server[i] = list[i];
    s->nservers = n;
    s->at = s->failed = 0;
    s->waiting = false;
    s->poll_s = SNTP_POLL_MIN_S;
    s->retry_s = SNTP_RETRY_S;
    s->next_ns = n != 0 ? now_ns : NS_NEVER;
}

/* --- asking ------------------------------------------------------------------ */

/* A tenth more or less, so that machines that were switched on together spread out. */
static void rest(struct sntp *s, uint32_t seconds, uint64_t now_ns)
{
    uint32_t r;

    s->random(s->ctx, &r, sizeof(r));
    s->waiting = false;
    s->next_ns = now_ns + seconds * NS_SEC + r % (seconds / 10 + 1) * NS_SEC;
}

/* This one failed: the next at once, or, when all have been asked, after a pause. */
static void next_server(struct sntp *s, uint64_t now_ns)
{
    unsigned willing = 0;

    for (unsigned i = 0; i < s->nservers; i++)
        willing += !s->server[i].denied;
    s->failed += !s->server[s->at].denied;
    s->waiting = false;
    s->at = (s->at + 1) % s->nservers;
    if (s->failed < willing || willing == 0) {
        s->next_ns = now_ns;
        return;
    }
    s->failed = 0;
    rest(s, s->retry_s, now_ns); /* C-SNTP-2 */
    s->retry_s = s->retry_s * 2 < SNTP_POLL_MAX_S ? s->retry_s * 2 : SNTP_POLL_MAX_S;
}

static void ask(struct sntp *s, uint64_t now_ns, struct sntp_output *out)
{
    unsigned tried = 0;

    while (tried < s->nservers && s->server[s->at].denied) {
        s->at = (s->at + 1) % s->nservers;
        tried++;
    }
    if (tried == s->nservers) { /* nobody wants us */
        s->next_ns = NS_NEVER;
        return;
    }
    memset(out->message, 0, sizeof(out->message));
    out->message[OFF_FLAGS] = VERSION << 3 | MODE_CLIENT;
    s->random(s->ctx, s->cookie, sizeof(s->cookie));
    memcpy(out->message + OFF_TRANSMIT, s->cookie, sizeof(s->cookie));
    out->to = s->server[s->at];
    out->send = true;
    s->waiting = true;
    s->asked_ns = now_ns;
    s->next_ns = now_ns + SNTP_ANSWER_NS;
    s->sent++;
}

void sntp_poll(struct sntp *s, uint64_t now_ns, struct sntp_output *out)
{
    out->send = false;
    out->adjust_ns = 0;
    if (s->slice_ns <= now_ns) {
        int64_t most = SNTP_SLICE_NS;
        out->adjust_ns = s->left_ns > most ? most : s->left_ns < -most ? -most : s->left_ns;
        s->left_ns -= out->adjust_ns;
        s->slice_ns = s->left_ns != 0 ? now_ns + NS_SEC : NS_NEVER;
    }
    if (s->next_ns > now_ns)
        return;
    if (s->waiting) {
        s->timeouts++;
        next_server(s, now_ns);
    }
    if (s->next_ns <= now_ns)
        ask(s, now_ns, out);
}

void sntp_broken(struct sntp *s, uint64_t now_ns)
{
    if (s->waiting)
        next_server(s, now_ns);
}

uint64_t sntp_deadline(const struct sntp *s)
{
    return s->slice_ns < s->next_ns ? s->slice_ns : s->next_ns;
}

/* --- answers ------------------------------------------------------------------- */

/* Seconds since 1900 in 32 bits: those without the top bit begin again in 2036 (section 3). */
static int64_t unix_ns(const uint8_t *stamp)
{
    uint32_t s = get32(stamp);
    int64_t since_1970 = (int64_t)s - UNIX_EPOCH_S + (s & 0x80000000u ? 0 : 1ll << 32);

    return since_1970 * (int64_t)NS_SEC + (int64_t)((uint64_t)get32(stamp + 4) * NS_SEC >> 32);
}

/* Section 8: the server says no, and why. */
static void kiss(struct sntp *s, const uint8_t *m, uint64_t now_ns)
{
    s->kisses++;
    if (memcmp(m + OFF_REFERENCE, "DENY", 4) == 0 || memcmp(m + OFF_REFERENCE, "RSTR", 4) == 0) {
        s->server[s->at].denied = true;
    } else if (memcmp(m + OFF_REFERENCE, "RATE", 4) == 0) {
        s->poll_s = s->poll_s * 2 < SNTP_POLL_MAX_S ? s->poll_s * 2 : SNTP_POLL_MAX_S;
        s->retry_s = s->poll_s > s->retry_s ? s->poll_s : s->retry_s;
    }
    next_server(s, now_ns);
}

/* Sections 5 and 10: is there a time in it? */
static bool has_time(const uint8_t *m)
{
    return m[OFF_FLAGS] >> 6 != LEAP_UNKNOWN && m[OFF_STRATUM] <= STRATUM_MAX &&
           get16(m + OFF_DISPERSION) < 16 && (get32(m + OFF_TRANSMIT) | get32(m + OFF_TRANSMIT + 4)) != 0 &&
           (get32(m + OFF_RECEIVE) | get32(m + OFF_RECEIVE + 4)) != 0 &&
           unix_ns(m + OFF_RECEIVE) >= 0; /* no clock of ours goes back behind 1970 */
}

static int64_t take_time(struct sntp *s, const uint8_t *m, int64_t delay_ns, uint64_t now_ns,
                         int64_t asked_real_ns)
{
    int64_t offset = unix_ns(m + OFF_RECEIVE) - asked_real_ns - delay_ns / 2, most = SNTP_STEP_NS;
    bool far = offset > most || offset < -most;

    s->answers++;
    s->when_ns = now_ns;
    s->offset_ns = offset;
    s->delay_ns = (uint64_t)delay_ns;
    s->stratum = m[OFF_STRATUM];
    s->from = s->server[s->at];
    s->failed = 0;
    s->retry_s = SNTP_RETRY_S;
    bool steady = s->set && offset < SNTP_STEADY_NS && offset > -SNTP_STEADY_NS;
    s->poll_s = !steady ? SNTP_POLL_MIN_S : s->poll_s * 2 < SNTP_POLL_MAX_S ? s->poll_s * 2 : SNTP_POLL_MAX_S;
    rest(s, s->poll_s, now_ns);
    s->set = true;
    if (!far) { /* C-SNTP-3 */
        s->left_ns = offset;
        s->slice_ns = now_ns;
        return 0;
    }
    s->steps++;
    s->left_ns = 0;
    s->slice_ns = NS_NEVER;
    return offset;
}

int64_t sntp_input(struct sntp *s, uint8_t family, const struct net_addr *addr, uint16_t port,
                   const void *message, size_t len, uint64_t now_ns, uint64_t realtime_ns)
{
    const uint8_t *m = message;
    const struct sntp_server *to = &s->server[s->at];

    if (!s->waiting || family != to->family || port != to->port || !addr_equal(addr, &to->addr) ||
        len < SNTP_BYTES || (m[OFF_FLAGS] & 7) != MODE_SERVER || (m[OFF_FLAGS] >> 3 & 7) < 3 ||
        (m[OFF_FLAGS] >> 3 & 7) > VERSION ||
        memcmp(m + OFF_ORIGIN, s->cookie, sizeof(s->cookie)) != 0) { /* C-SNTP-1 */
        s->ignored++;
        return 0;
    }
    if (m[OFF_STRATUM] == 0) {
        kiss(s, m, now_ns);
        return 0;
    }
    int64_t there = (int64_t)(now_ns - s->asked_ns),
            inside = unix_ns(m + OFF_TRANSMIT) - unix_ns(m + OFF_RECEIVE);
    int64_t delay = there - inside;
    /* Its own time in between may be a hair longer than ours: clocks are not equal. */
    if (!has_time(m) || inside < 0 || delay < -(int64_t)NS_MS) {
        s->ignored++;
        next_server(s, now_ns);
        return 0;
    }
    return take_time(s, m, delay > 0 ? delay : 0, now_ns, (int64_t)realtime_ns - there);
}
