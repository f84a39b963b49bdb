/* SPDX-License-Identifier: MIT
 *
 * net/stack/dns.c: see net/stack/dns.h.
 */
#include <net/stack/dns.h>
#include <net/stack/ns.h>

struct dns_flight {
    uint16_t id, type;
    uint8_t index; /* in d->flight */
    uint8_t refs;  /* jobs that wait for it, or look at its result */
    uint8_t status, hops;
    bool done, tcp, own_server;
    uint8_t nservers, at, round; /* servers left to ask; which; for which time */
    uint32_t spoofs, ttl_s;
    uint64_t next_ns, give_up_ns; /* the time-out of this attempt, and of all */
    struct dns_server server[DNS_SERVERS_MAX];
    struct dns_name asked, current; /* current: where its aliases have led so far */
    struct dns_result result;
};

struct dns_job {
    uint64_t token, deadline_ns;
    uint32_t owner, serial;
    struct dns_question q;
    unsigned candidate; /* next name to try */
    bool saw_no_data, have_some;
    struct dns_flight *flight[2];
};

void dns_init(struct dns *d, const struct dns_env *env)
{
    memset(d, 0, sizeof(*d));
    d->env = *env;
    d->ndots = 1;
    dns_cache_init(&d->cache, env->ctx, env->alloc, env->free);
}

/* --- servers --------------------------------------------------------------- */

static bool same_server(const struct dns_server *a, const struct dns_server *b)
{
    return a->family == b->family && a->port == b->port && a->link == b->link &&
           addr_equal(&a->addr, &b->addr);
}

static struct dns_server *known(struct dns *d, const struct dns_server *s)
{
    for (unsigned i = 0; i < d->nservers; i++)
        if (same_server(&d->server[i], s))
            return &d->server[i];
    return NULL;
}

void dns_set_servers(struct dns *d, const struct dns_server *s, unsigned n)
{
    struct dns_server fresh[DNS_SERVERS_MAX];
    unsigned count = n < DNS_SERVERS_MAX ? n : DNS_SERVERS_MAX;
    bool changed = count != d->nservers;

    for (unsigned i = 0; i < count; i++) {
        const struct dns_server *old = known(d, &s[i]);
        fresh[i] = old ? *old : s[i];
        changed |= i >= d->nservers || !same_server(&d->server[i], &s[i]);
    }
    if (!changed)
        return;
    memcpy(d->server, fresh, count * sizeof(fresh[0]));
    d->nservers = count;
    dns_cache_flush(&d->cache);
}

void dns_set_search(struct dns *d, const char *domains, unsigned ndots)
{
    d->ndots = ndots;
    d->nsearch = 0;
    while (*domains != 0 && d->nsearch < DNS_SEARCH_MAX) {
        char text[DNS_TEXT_MAX];
        size_t n = strcspn(domains, " ,");
        if (n > 0 && n < sizeof(text)) {
            memcpy(text, domains, n);
            text[n] = 0;
            d->nsearch += dns_name_parse(&d->search[d->nsearch], text) == 0;
        }
        domains += n + (domains[n] != 0);
    }
}

/* --- flights: one question to one server after the other -------------------- */

static void flight_end(struct dns *d, struct dns_flight *f, enum dns_status status)
{
    f->done = true;
    f->status = (uint8_t)status;
    d->env.close(d->env.ctx, f->index);
}

static void next_server(struct dns_flight *f)
{
    f->tcp = false;
    if (++f->at >= f->nservers) {
        f->at = 0;
        f->round++;
    }
}

/* This server has said that it will not do; the others are left. */
static void drop_server(struct dns_flight *f)
{
    f->tcp = false;
    f->nservers--;
    memmove(&f->server[f->at], &f->server[f->at + 1], (f->nservers - f->at) * sizeof(f->server[0]));
    if (f->at >= f->nservers) {
        f->at = 0;
        f->round++;
    }
}

/* To the server whose turn it is, or the next that can be reached; no attempt and no
 * question is without an end (C-DNS-8). */
static void flight_send(struct dns *d, struct dns_flight *f, uint64_t now_ns)
{
    uint8_t msg[DNS_QUERY_MAX];

    for (; f->nservers != 0 && f->round < DNS_ROUNDS && now_ns < f->give_up_ns; next_server(f)) {
        const struct dns_server *s = &f->server[f->at];
        d->env.random(d->env.ctx, &f->id, sizeof(f->id)); /* C-DNS-4 */
        size_t len = dns_query_build(msg, f->id, &f->current, f->type, !s->plain);
        if (d->env.send(d->env.ctx, f->index, s, f->tcp, msg, len) != 0)
            continue;
        d->sent++;
        d->by_tcp += f->tcp;
        uint64_t wait_ns = DNS_FIRST_TIMEOUT_NS << (f->tcp ? DNS_ROUNDS - 1 : f->round);
        f->next_ns = now_ns + wait_ns < f->give_up_ns ? now_ns + wait_ns : f->give_up_ns;
        return;
    }
    flight_end(d, f, (enum dns_status)f->status);
}

/* The servers in their order, but those that were silent lately come last. */
static void take_servers(const struct dns *d, struct dns_flight *f, uint64_t now_ns)
{
    for (int bad = 0; bad < 2; bad++)
        for (unsigned i = 0; i < d->nservers; i++)
            if ((d->server[i].bad_until_ns > now_ns) == (bad == 1))
                f->server[f->nservers++] = d->server[i];
}

static struct dns_flight *flight_find(struct dns *d, const struct dns_name *name, uint16_t type,
                                      const struct dns_server *server)
{
    for (unsigned i = 0; i < DNS_FLIGHTS_MAX; i++) {
        struct dns_flight *f = d->flight[i];
        if (f && !f->done && f->type == type && f->own_server == (server->family != 0) &&
            dns_name_equal(&f->asked, name) && (!f->own_server || same_server(&f->server[0], server)))
            return f;
    }
    return NULL;
}

/* A flight for the question: one under way (C-DNS-6), or a new one, which may be over at
 * once. NULL: out of memory. */
static struct dns_flight *flight_take(struct dns *d, const struct dns_name *name, uint16_t type,
                                      const struct dns_server *server, uint64_t now_ns)
{
    struct dns_flight *f = flight_find(d, name, type, server);
    unsigned i = 0;

    if (f) {
        f->refs++;
        return f;
    }
    while (i < DNS_FLIGHTS_MAX && d->flight[i])
        i++;
    f = i < DNS_FLIGHTS_MAX ? d->env.alloc(d->env.ctx, sizeof(*f)) : NULL;
    if (!f)
        return NULL;
    d->flight[i] = f;
    f->index = (uint8_t)i;
    f->refs = 1;
    f->type = type;
    f->ttl_s = DNS_TTL_MAX_S;
    f->status = DNS_TRY_LATER;
    f->asked = f->current = *name;
    f->give_up_ns = now_ns + DNS_GIVE_UP_NS;
    f->own_server = server->family != 0;
    if (f->own_server) {
        f->server[f->nservers++] = *server;
    } else if (dns_cache_get(&d->cache, name, type, now_ns, &f->result)) {
        flight_end(d, f, DNS_OK);
        return f;
    } else {
        take_servers(d, f, now_ns);
    }
    flight_send(d, f, now_ns);
    return f;
}

static void flight_release(struct dns *d, struct dns_flight *f)
{
    if (!f || --f->refs != 0)
        return;
    if (!f->done)
        d->env.close(d->env.ctx, f->index);
    d->flight[f->index] = NULL;
    d->env.free(d->env.ctx, f);
}

/* --- jobs ------------------------------------------------------------------ */

/* The n-th name to try; false after the last. A name with a dot at its end is whole. */
static bool candidate(const struct dns *d, const struct dns_question *q, unsigned n, struct dns_name *out)
{
    size_t len = strlen(q->name);
    unsigned dots = 0;

    if (q->want & DNS_WANT_PTR) {
        dns_name_reverse(out, q->family, &q->addr);
        return n == 0;
    }
    for (size_t i = 0; i < len; i++)
        dots += q->name[i] == '.';
    dns_name_parse(out, q->name);
    if (!(q->want & DNS_USE_SEARCH) || d->nsearch == 0 || (len > 0 && q->name[len - 1] == '.'))
        return n == 0;
    bool whole_first = dots >= d->ndots;
    if (n == (whole_first ? 0 : d->nsearch))
        return true;
    n -= whole_first ? 1 : 0;
    if (n >= d->nsearch)
        return false;
    const struct dns_name *zone = &d->search[n];
    if ((size_t)out->len - 1 + zone->len > DNS_NAME_MAX)
        out->len = 0; /* too long: not this one */
    else {
        memcpy(out->b + out->len - 1, zone->b, zone->len);
        out->len = (uint8_t)(out->len - 1 + zone->len);
    }
    return true;
}

/* Send the questions of the next candidate; false: there is none left. */
static bool job_open(struct dns *d, struct dns_job *j, uint64_t now_ns)
{
    struct dns_name name;
    unsigned n = 0;

    do {
        if (!candidate(d, &j->q, j->candidate, &name))
            return false;
        j->candidate++;
    } while (name.len == 0);
    if (j->q.want & DNS_WANT_PTR)
        j->flight[n++] = flight_take(d, &name, DNS_PTR, &j->q.server, now_ns);
    if (j->q.want & DNS_WANT_A)
        j->flight[n++] = flight_take(d, &name, DNS_A, &j->q.server, now_ns);
    if ((j->q.want & DNS_WANT_AAAA) && n < 2)
        j->flight[n] = flight_take(d, &name, DNS_AAAA, &j->q.server, now_ns);
    return j->flight[0] || j->flight[1];
}

static void take_result(const struct dns_flight *f, struct dns_reply *r)
{
    const struct dns_result *s = &f->result;

    if (!dns_name_text(f->type == DNS_PTR ? &s->pointer : &s->canonical, r->name)) {
        r->status = DNS_FAILED; /* nothing that a program should print */
        return;
    }
    r->status = DNS_OK;
    r->hops = s->hops;
    if (r->naddrs == 0 || s->ttl_s < r->ttl_s)
        r->ttl_s = s->ttl_s;
    for (unsigned i = 0; i < s->naddrs; i++) {
        r->addr[r->naddrs].family = f->type == DNS_A ? NET_INET : NET_INET6;
        memcpy(r->addr[r->naddrs++].addr.b, s->addr[i], 16);
    }
}

static bool has_data(const struct dns_flight *f)
{
    return f && f->done && f->status == DNS_OK && f->result.kind == DNS_IS_DATA;
}

static void release_flights(struct dns *d, struct dns_job *j)
{
    for (unsigned i = 0; i < 2; i++) {
        flight_release(d, j->flight[i]);
        j->flight[i] = NULL;
    }
}

static void job_end(struct dns *d, unsigned index, enum dns_status otherwise)
{
    struct dns_job *j = d->job[index];
    struct dns_reply r = {.status = (uint8_t)otherwise};
    uint64_t token = j->token;

    for (unsigned i = 0; i < 2; i++)
        if (has_data(j->flight[i]))
            take_result(j->flight[i], &r);
    release_flights(d, j);
    d->job[index] = NULL;
    d->njobs--;
    d->env.free(d->env.ctx, j);
    d->env.done(d->env.ctx, token, &r);
}

/* What the questions of one candidate came to, all over and without data. DNS_OK: go on. */
static enum dns_status verdict(struct dns_job *j)
{
    enum dns_status worst = DNS_OK;

    for (unsigned i = 0; i < 2; i++) {
        const struct dns_flight *f = j->flight[i];
        if (!f)
            continue;
        if (f->status != DNS_OK)
            worst = (enum dns_status)f->status;
        else
            j->saw_no_data |= f->result.kind == DNS_IS_NODATA;
    }
    return worst;
}

static void job_step(struct dns *d, unsigned index, uint64_t now_ns)
{
    struct dns_job *j = d->job[index];

    for (unsigned turn = 0; turn <= DNS_SEARCH_MAX + 1; turn++) {
        bool waiting = false, some = false;
        for (unsigned i = 0; i < 2; i++) {
            waiting |= j->flight[i] && !j->flight[i]->done;
            some |= has_data(j->flight[i]);
        }
        if (some && waiting && !j->have_some) { /* the other family gets a little longer */
            j->have_some = true;
            if (now_ns + DNS_SECOND_FAMILY_NS < j->deadline_ns)
                j->deadline_ns = now_ns + DNS_SECOND_FAMILY_NS;
        }
        if (now_ns >= j->deadline_ns || (some && !waiting)) {
            job_end(d, index, DNS_TRY_LATER);
            return;
        }
        if (waiting)
            return;
        enum dns_status bad = verdict(j);
        release_flights(d, j);
        if (bad != DNS_OK || !job_open(d, j, now_ns)) {
            job_end(d, index, bad != DNS_OK ? bad : j->saw_no_data ? DNS_NO_DATA : DNS_NO_NAME);
            return;
        }
    }
}

static void step_all(struct dns *d, uint64_t now_ns)
{
    for (unsigned i = 0; i < DNS_JOBS_MAX; i++)
        if (d->job[i])
            job_step(d, i, now_ns);
}

static unsigned jobs_of(const struct dns *d, uint32_t owner, unsigned *newest)
{
    unsigned n = 0;

    for (unsigned i = 0; i < DNS_JOBS_MAX; i++)
        if (d->job[i] && d->job[i]->owner == owner &&
            (n++ == 0 || d->job[i]->serial > d->job[*newest]->serial))
            *newest = i;
    return n;
}

/* A place for one more of the owner's jobs (C-DNS-7): 0, or -EAGAIN. */
static int make_place(struct dns *d, uint32_t owner)
{
    unsigned newest = 0, most = 0, victim = 0, mine = jobs_of(d, owner, &newest);

    if (mine >= DNS_JOBS_PER_OWNER)
        return -EAGAIN;
    if (d->njobs < DNS_JOBS_MAX)
        return 0;
    for (unsigned i = 0; i < DNS_JOBS_MAX; i++) {
        unsigned n = jobs_of(d, d->job[i]->owner, &newest);
        if (n > most) {
            most = n;
            victim = newest;
        }
    }
    if (most <= mine + 1)
        return -EAGAIN;
    d->evicted++;
    job_end(d, victim, DNS_TRY_LATER);
    return d->njobs < DNS_JOBS_MAX ? 0 : -EAGAIN; /* whoever it was may have asked again at once */
}

int dns_ask(struct dns *d, uint64_t token, uint32_t owner, const struct dns_question *q, uint64_t now_ns)
{
    struct dns_name name;
    unsigned i = 0;

    if (!(q->want & (DNS_WANT_A | DNS_WANT_AAAA | DNS_WANT_PTR)) ||
        memchr(q->name, 0, sizeof(q->name)) == NULL ||
        (!(q->want & DNS_WANT_PTR) && (dns_name_parse(&name, q->name) != 0 || name.len == 1)))
        return -EINVAL;
    if (make_place(d, owner) != 0) {
        d->refused++;
        return -EAGAIN;
    }
    struct dns_job *j = d->env.alloc(d->env.ctx, sizeof(*j));
    if (!j)
        return -ENOMEM;
    while (d->job[i])
        i++;
    d->job[i] = j;
    d->njobs++;
    d->asked++;
    j->token = token;
    j->owner = owner;
    j->serial = d->serial++;
    j->q = *q;
    j->deadline_ns = now_ns + DNS_JOB_NS;
    if (job_open(d, j, now_ns))
        job_step(d, i, now_ns);
    else
        job_end(d, i, DNS_TRY_LATER);
    return 0;
}

/* --- what comes back -------------------------------------------------------- */

/* An answer that says something about the name. */
static void flight_answered(struct dns *d, struct dns_flight *f, const struct dns_result *r, uint64_t now_ns)
{
    f->hops = (uint8_t)(f->hops + r->hops);
    if (r->ttl_s < f->ttl_s)
        f->ttl_s = r->ttl_s;
    if (r->kind == DNS_IS_ALIAS) {
        f->current = r->canonical;
        f->round = 0;
        if (f->hops >= DNS_CHAIN_MAX)
            flight_end(d, f, DNS_FAILED);
        else
            flight_send(d, f, now_ns);
        return;
    }
    f->result = *r;
    f->result.hops = f->hops;
    f->result.ttl_s = f->ttl_s;
    if (!f->own_server)
        dns_cache_put(&d->cache, &f->asked, f->type, &f->result, now_ns);
    flight_end(d, f, DNS_OK);
}

/* The server cannot tell. One from before EDNS may be asked in the old way. */
static void server_failed(struct dns *d, struct dns_flight *f, const struct dns_result *r, uint64_t now_ns)
{
    struct dns_server *s = &f->server[f->at];

    if ((r->rcode == DNS_FORMERR || r->rcode == DNS_NOTIMP) && !s->plain) {
        struct dns_server *k = known(d, s);
        s->plain = true;
        if (k)
            k->plain = true;
    } else {
        f->status = r->rcode == DNS_SERVFAIL ? DNS_TRY_LATER : DNS_FAILED;
        drop_server(f);
    }
    flight_send(d, f, now_ns);
}

static void spoofed(struct dns *d, struct dns_flight *f, uint64_t now_ns)
{
    d->spoofs++;
    if (++f->spoofs == DNS_SPOOFS_MAX && !f->tcp) { /* RFC 5452 section 9.3: somebody guesses */
        f->tcp = true;
        flight_send(d, f, now_ns);
    }
}

void dns_input(struct dns *d, unsigned flight, uint8_t family, const struct net_addr *addr, uint16_t port,
               bool tcp, const uint8_t *msg, size_t len, uint64_t now_ns)
{
    struct dns_flight *f = flight < DNS_FLIGHTS_MAX ? d->flight[flight] : NULL;
    struct dns_result r;

    if (!f || f->done || tcp != f->tcp)
        return;
    const struct dns_server *s = &f->server[f->at];
    if (family != s->family || port != s->port || !addr_equal(addr, &s->addr) ||
        !dns_answer_read(msg, len, f->id, &f->current, f->type, &r)) {
        spoofed(d, f, now_ns);
        step_all(d, now_ns);
        return;
    }
    d->answers++;
    struct dns_server *k = known(d, s);
    if (k)
        k->bad_until_ns = 0;
    if (r.kind == DNS_IS_TRUNCATED && !tcp) {
        f->tcp = true;
        flight_send(d, f, now_ns);
    } else if (r.kind == DNS_IS_TRUNCATED || r.kind == DNS_IS_FAILURE) {
        server_failed(d, f, &r, now_ns);
    } else {
        flight_answered(d, f, &r, now_ns);
    }
    step_all(d, now_ns);
}

static void silent(struct dns *d, struct dns_flight *f, uint64_t now_ns)
{
    struct dns_server *k = known(d, &f->server[f->at]);

    if (k)
        k->bad_until_ns = now_ns + DNS_BAD_SERVER_NS;
    next_server(f);
    flight_send(d, f, now_ns);
}

void dns_broken(struct dns *d, unsigned flight, uint64_t now_ns)
{
    struct dns_flight *f = flight < DNS_FLIGHTS_MAX ? d->flight[flight] : NULL;

    if (!f || f->done)
        return;
    silent(d, f, now_ns);
    step_all(d, now_ns);
}

void dns_run(struct dns *d, uint64_t now_ns)
{
    if (d->njobs == 0)
        return;
    for (unsigned i = 0; i < DNS_FLIGHTS_MAX; i++) {
        struct dns_flight *f = d->flight[i];
        if (f && !f->done && f->next_ns <= now_ns) {
            d->timeouts++;
            silent(d, f, now_ns);
        }
    }
    step_all(d, now_ns);
}

uint64_t dns_deadline(const struct dns *d)
{
    uint64_t t = UINT64_MAX;

    if (d->njobs == 0)
        return t;
    for (unsigned i = 0; i < DNS_FLIGHTS_MAX; i++)
        if (d->flight[i] && !d->flight[i]->done && d->flight[i]->next_ns < t)
            t = d->flight[i]->next_ns;
    for (unsigned i = 0; i < DNS_JOBS_MAX; i++)
        if (d->job[i] && d->job[i]->deadline_ns < t)
            t = d->job[i]->deadline_ns;
    return t;
}

void dns_destroy(struct dns *d)
{
    for (unsigned i = 0; i < DNS_JOBS_MAX; i++)
        if (d->job[i])
            job_end(d, i, DNS_TRY_LATER);
    dns_cache_flush(&d->cache);
}
