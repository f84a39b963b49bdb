/* SPDX-License-Identifier: MIT
 *
 * servers/init/manifest.c: parser of the manifest.
 *
 * One line at a time: words are cut out in a copy, the first one picks a
 * handler from a table, the handler says what is wrong or nothing. Pure code.
 */
#include <arpa/inet.h>
#include "manifest.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 512
#define WORDS_MAX  40

struct parser {
    struct manifest *m;
    struct manifest_server *s; /* NULL outside of a block */
    const char *file;
    int line;
    bool bad;  /* the block's server must not run */
    bool skip; /* inside a block whose heading was wrong */
    unsigned complaints;
    manifest_report *report;
    void *ctx;
};

__attribute__((format(printf, 2, 3))) static void complain(struct parser *p, const char *fmt, ...)
{
    char what[160], text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    snprintf(text, sizeof text, "%s:%d: %s", p->file, p->line, what);
    p->complaints++;
    if (p->report != NULL)
        p->report(p->ctx, text);
}

/* Decimal number up to max at *text; steps past it. */
static bool number(const char **text, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    const char *t = *text;

    if (*t < '0' || *t > '9')
        return false;
    for (; *t >= '0' && *t <= '9'; t++) {
        v = v * 10 + (uint64_t)(*t - '0');
        if (v > max)
            return false;
    }
    *text = t;
    *out = v;
    return true;
}

static bool name_ok(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n >= NAME_MAX_BYTES)
        return false;
    for (; *name != 0; name++)
        if (!((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
              (*name >= '0' && *name <= '9') || *name == '-' || *name == '_' || *name == '.'))
            return false;
    return true;
}

/* --- one handler for each keyword; words[0] is the keyword --- */

static void do_program(struct parser *p, char **words, int n)
{
    if (n != 2 || words[1][0] != '/' || strlen(words[1]) >= SPAWN_PATH_MAX)
        complain(p, "program wants one absolute path of less than %d characters", SPAWN_PATH_MAX);
    else
        strcpy(p->s->program, words[1]);
}

static void do_args(struct parser *p, char **words, int n)
{
    for (int i = 1; i < n; i++) {
        size_t len = strlen(words[i]) + 1;
        if (p->s->args_bytes + len > MANIFEST_ARGS_BYTES) {
            complain(p, "more than %d bytes of arguments", MANIFEST_ARGS_BYTES);
            return;
        }
        memcpy(p->s->args + p->s->args_bytes, words[i], len);
        p->s->args_bytes += (uint32_t)len;
        p->s->argc++;
    }
}

/* One word out of a list; -1 and a complaint when it is none of them. */
static int choice(struct parser *p, char **words, int n, const char *const *names, int count)
{
    for (int i = 0; n == 2 && i < count; i++)
        if (strcmp(words[1], names[i]) == 0)
            return i;
    complain(p, "%s wants one of: %s, %s%s%s", words[0], names[0], names[1], count > 2 ? ", " : "",
             count > 2 ? names[2] : "");
    return -1;
}

static void do_start(struct parser *p, char **words, int n)
{
    static const char *const names[] = {"demand", "boot"};
    int i = choice(p, words, n, names, 2);
    if (i >= 0)
        p->s->start = (enum manifest_start)i;
}

static void do_restart(struct parser *p, char **words, int n)
{
    static const char *const names[] = {"never", "failure", "always"};
    int i = choice(p, words, n, names, 3);
    if (i >= 0)
        p->s->restart = (enum manifest_restart)i;
}

static void do_priority(struct parser *p, char **words, int n)
{
    static const char *const names[] = {"low", "normal", "high"};
    static const uint32_t values[] = {PRIO_LOW, PRIO_NORMAL, PRIO_HIGH};
    int i = choice(p, words, n, names, 3);
    if (i >= 0)
        p->s->priority = values[i];
}

static void do_memory(struct parser *p, char **words, int n)
{
    const char *t = n == 2 ? words[1] : "";
    uint64_t v;

    if (number(&t, 1u << 30, &v) && v > 0) {
        unsigned shift = *t == 'K' ? 10 : *t == 'M' ? 20 : *t == 'G' ? 30 : 0;
        if (shift != 0)
            t++;
        if (*t == 0 && v <= (1ull << 40) >> shift) {
            p->s->rights.memory_limit = v << shift;
            return;
        }
    }
    complain(p, "memory wants a size such as 512K, 4M or 1G");
}

static bool port_spec(const char *t, struct net_port_key *k)
{
    static const struct {
        const char *name;
        uint8_t proto;
    } protos[] = {{"tcp/", NET_TCP}, {"udp/", NET_UDP}, {"icmp/", NET_ICMP}};
    uint64_t lo, hi;

    memset(k, 0, sizeof *k); /* family 0: both */
    k->link = LINK_ANY;
    for (size_t i = 0; i < sizeof protos / sizeof protos[0]; i++) {
        size_t len = strlen(protos[i].name);
        if (strncmp(t, protos[i].name, len) == 0) {
            k->proto = protos[i].proto;
            t += len;
            break;
        }
    }
    if (k->proto == 0)
        return false;
    if (strcmp(t, "any") == 0) {
        k->port_lo = 1;
        k->port_hi = 65535;
        return true;
    }
    if (!number(&t, 65535, &lo))
        return false;
    hi = lo;
    if (*t == '-') {
        t++;
        if (!number(&t, 65535, &hi))
            return false;
    }
    if (*t != 0 || hi < lo || (lo == 0 && k->proto != NET_ICMP))
        return false;
    k->port_lo = (uint16_t)lo;
    k->port_hi = (uint16_t)hi;
    return true;
}

static void do_port(struct parser *p, char **words, int n)
{
    struct sys_rights *r = &p->s->rights;

    if (n < 2)
        complain(p, "port wants something like tcp/80, udp/7 or tcp/8000-8010");
    for (int i = 1; i < n; i++) {
        struct net_port_key k;
        const char *link = "";
        if (!port_spec(words[i], &k)) {
            complain(p, "not a port: %s (want tcp/80, udp/7, tcp/8000-8010, icmp/any)", words[i]);
            return;
        }
        if (i + 1 < n && strcmp(words[i + 1], "on") == 0) {
            if (i + 2 >= n || strlen(words[i + 2]) >= LINK_NAME_MAX) {
                complain(p, "on wants the name of a link");
                return;
            }
            link = words[i + 2];
            i += 2;
        }
        if (r->nports == RIGHTS_PORTS_MAX) {
            complain(p, "more than %d ports", RIGHTS_PORTS_MAX);
            return;
        }
        r->ports[r->nports] = k;
        strcpy(r->port_links[r->nports], link);
        r->nports++;
    }
}

static void do_call(struct parser *p, char **words, int n)
{
    struct sys_rights *r = &p->s->rights;

    for (int i = 1; i < n; i++) {
        if (!name_ok(words[i])) {
            complain(p, "not a server's name: %s", words[i]);
        } else if (r->ncalls == RIGHTS_CALLS_MAX) {
            complain(p, "more than %d names to call", RIGHTS_CALLS_MAX);
            return;
        } else {
            strcpy(r->calls[r->ncalls++], words[i]);
        }
    }
}

static void do_right(struct parser *p, char **words, int n)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } rights[] = {
#define X(bit, id, name, text) {name, RIGHT_##id},
        RIGHT_LIST(X)
#undef X
    };

    for (int i = 1; i < n; i++) {
        uint32_t bit = 0;
        for (size_t k = 0; k < sizeof rights / sizeof rights[0]; k++)
            if (strcmp(rights[k].name, words[i]) == 0)
                bit = rights[k].bit;
        if (bit == 0)
            complain(p, "unknown right: %s", words[i]);
        p->s->rights.bits |= bit;
    }
}

/* ADDRESS or ADDRESS/BITS of either family. What stands behind the prefix is cut. */
static bool prefix(char *t, struct net_prefix *out)
{
    char *slash = strchr(t, '/');
    const char *bits = slash != NULL ? slash + 1 : t;
    uint64_t v;

    memset(out, 0, sizeof *out);
    if (slash != NULL)
        *slash = 0;
    out->family = strchr(t, ':') != NULL ? NET_INET6 : NET_INET;
    out->length = out->family == NET_INET6 ? 128 : 32;
    if (inet_pton(out->family == NET_INET6 ? AF_INET6 : AF_INET, t, out->addr.b) != 1)
        return false;
    if (slash != NULL) {
        if (!number(&bits, out->length, &v) || *bits != 0)
            return false;
        out->length = (uint8_t)v;
    }
    for (unsigned i = out->length; i < 128; i++)
        out->addr.b[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
    return true;
}

/* Who may talk to the server. A limit that is written down but not understood would
 * leave it open: it does not run until that is mended. */
static void do_allow(struct parser *p, char **words, int n)
{
    struct sys_rights *r = &p->s->rights;

    for (int i = 1; i < n; i++) {
        if (r->nallow < RIGHTS_ALLOW_MAX && prefix(words[i], &r->allow[r->nallow])) {
            r->nallow++;
            continue;
        }
        complain(p, "not a prefix, or too many: %s; %s is not started", words[i], p->s->name);
        p->bad = true;
    }
}

static const struct {
    const char *word;
    void (*handle)(struct parser *p, char **words, int n);
} keywords[] = {
    {"program", do_program}, {"args", do_args},   {"start", do_start},       {"restart", do_restart},
    {"memory", do_memory},   {"port", do_port},   {"priority", do_priority}, {"call", do_call},
    {"right", do_right},     {"allow", do_allow},
};

/* --- blocks --- */

static void begin(struct parser *p, char **words, int n)
{
    struct manifest *m = p->m;

    p->skip = true;
    if (n != 3 || strcmp(words[0], "server") != 0 || strcmp(words[2], "{") != 0) {
        complain(p, "expected: server NAME {");
        p->skip = n > 0 && strcmp(words[n - 1], "{") == 0; /* its lines are not ours then */
    } else if (!name_ok(words[1])) {
        complain(p, "not a name (letters, digits, - _ . and less than %d of them): %s", NAME_MAX_BYTES,
                 words[1]);
    } else if (manifest_find(m, words[1]) != NULL) {
        complain(p, "%s is listed already, in line %d", words[1], manifest_find(m, words[1])->line);
    } else if (m->count == MANIFEST_SERVERS_MAX) {
        complain(p, "more than %d servers", MANIFEST_SERVERS_MAX);
    } else {
        p->skip = false;
        p->bad = false;
        p->s = &m->server[m->count];
        memset(p->s, 0, sizeof *p->s); /* C-RIGHT-3 */
        strcpy(p->s->name, words[1]);
        strcpy(p->s->rights.serves, words[1]);
        p->s->priority = PRIO_NORMAL;
        p->s->line = p->line;
    }
}

static void end(struct parser *p)
{
    struct manifest_server *s = p->s;

    p->s = NULL;
    if (s->program[0] == 0 && !p->bad) {
        complain(p, "%s has no program: it is not started", s->name);
        p->bad = true;
    }
    if (p->bad)
        return;
    if (s->restart != RESTART_NEVER)
        s->rights.serve_ports = (1u << s->rights.nports) - 1;
    p->m->count++;
}

static void take_line(struct parser *p, char *line)
{
    char *words[WORDS_MAX];
    int n = 0;

    for (char *t = line; *t != 0;) {
        t += strspn(t, " \t\r");
        if (*t == 0 || *t == '#')
            break;
        if (n == WORDS_MAX) {
            complain(p, "more than %d words", WORDS_MAX);
            return;
        }
        words[n++] = t;
        t += strcspn(t, " \t\r");
        if (*t != 0)
            *t++ = 0;
    }
    if (n == 0)
        return;
    if (strcmp(words[0], "}") == 0) {
        if (n != 1)
            complain(p, "nothing may follow }");
        if (p->s != NULL)
            end(p);
        else if (!p->skip)
            complain(p, "} without a server");
        p->skip = false;
        return;
    }
    if (p->skip)
        return;
    if (p->s == NULL) {
        begin(p, words, n);
        return;
    }
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
        if (strcmp(keywords[i].word, words[0]) == 0) {
            if (n == 1)
                complain(p, "%s wants something behind it", words[0]);
            else
                keywords[i].handle(p, words, n);
            return;
        }
    }
    if (strcmp(words[0], "server") == 0) { /* the } before it is missing */
        complain(p, "%s is not closed by }", p->s->name);
        end(p);
        begin(p, words, n);
        return;
    }
    complain(p, "unknown word: %s", words[0]);
}

unsigned manifest_parse(struct manifest *m, const char *file, const char *text, size_t bytes,
                        manifest_report *report, void *ctx)
{
    struct parser p = {.m = m, .file = file, .report = report, .ctx = ctx};
    char line[LINE_BYTES];
    size_t at = 0;

    m->count = 0;
    while (at < bytes) {
        const char *nl = memchr(text + at, '\n', bytes - at);
        size_t len = nl != NULL ? (size_t)(nl - (text + at)) : bytes - at;
        p.line++;
        if (len >= sizeof line) {
            complain(&p, "longer than %d characters", LINE_BYTES - 1);
        } else if (memchr(text + at, 0, len) != NULL) {
            complain(&p, "not a text line");
        } else {
            memcpy(line, text + at, len);
            line[len] = 0;
            take_line(&p, line);
        }
        at += len + 1;
    }
    if (p.s != NULL) {
        complain(&p, "%s is not closed by }", p.s->name);
        end(&p);
    }
    return p.complaints;
}

struct manifest_server *manifest_find(struct manifest *m, const char *name)
{
    for (unsigned i = 0; i < m->count; i++)
        if (strcmp(m->server[i].name, name) == 0)
            return &m->server[i];
    return NULL;
}
