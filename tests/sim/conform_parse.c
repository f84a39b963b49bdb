/* SPDX-License-Identifier: MIT
 *
 * tests/sim/conform_parse.c: a case's text becomes steps.
 *
 * Owns: the language's grammar; docs/HACKING.md describes it. A whole file is
 * parsed before anything runs, so that a slip of the pen is never mistaken for
 * a fault of the stack.
 */
#include <stdlib.h>
#include <string.h>
#include <tests/sim/conform.h>

static struct {
    struct script *s;
    unsigned line;
} now;

static bool bad(const char *what, const char *which)
{
    if (now.s->error[0] == '\0')
        snprintf(now.s->error, sizeof(now.s->error), "%u: %s%s%s", now.line, what, which != NULL ? ": " : "",
                 which != NULL ? which : "");
    return false;
}

/* --- numbers and times -------------------------------------------------------------- */
bool parse_number(const char *word, uint64_t *out)
{
    char *end;

    if (*word < '0' || *word > '9')
        return false;
    *out = strtoull(word, &end, 0);
    return *end == '\0';
}

/* "1.5s", "40ms", "7us", "0". */
bool parse_time(const char *word, uint64_t *ns)
{
    char *end;
    double v;

    if (*word < '0' || *word > '9')
        return false;
    v = strtod(word, &end);
    if (strcmp(end, "s") == 0)
        v *= 1e9;
    else if (strcmp(end, "ms") == 0)
        v *= 1e6;
    else if (strcmp(end, "us") == 0)
        v *= 1e3;
    else if (*end != '\0' || v != 0)
        return false;
    *ns = (uint64_t)(v + 0.5);
    return true;
}

static bool number_or_time(const char *word, uint64_t *out)
{
    return parse_number(word, out) || parse_time(word, out);
}

/* "*", "5", "5..9", "5.." */
bool parse_span(const char *word, struct span *out)
{
    char w[2 * WORD_MAX], *dots;

    memset(out, 0, sizeof(*out));
    if (strcmp(word, "*") == 0)
        return out->any = true;
    snprintf(w, sizeof(w), "%s", word);
    dots = strstr(w, "..");
    if (dots == NULL)
        return number_or_time(w, &out->lo) && (out->hi = out->lo, true);
    *dots = '\0';
    out->hi = UINT64_MAX;
    return number_or_time(w, &out->lo) && (dots[2] == '\0' || number_or_time(dots + 2, &out->hi));
}

bool parse_ip(const char *word, uint32_t *out)
{
    unsigned b[4];
    char rest;

    if (sscanf(word, "%u.%u.%u.%u%c", &b[0], &b[1], &b[2], &b[3], &rest) != 4)
        return false;
    *out = b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
    return true;
}

static bool parse_when(const char *word, struct when *w)
{
    struct span s;

    w->how = *word == '+' ? AFTER : ABSOLUTE;
    if (!parse_span(word + 1, &s) || s.any)
        return bad("no time", word);
    w->lo = s.lo;
    w->hi = s.hi;
    return true;
}

/* --- segments -------------------------------------------------------------------------- */
static bool parse_hex(const char *word, uint8_t *out, unsigned room, uint8_t *n)
{
    unsigned b;

    for (*n = 0; *word != '\0'; word += 2) {
        if (*n == room || sscanf(word, "%2x", &b) != 1 || word[1] == '\0')
            return bad("no hexadecimal bytes", word);
        out[(*n)++] = (uint8_t)b;
    }
    return true;
}

static bool parse_tsval(const char *word, struct tsval *v)
{
    uint64_t n = 0;
    const char *plus = strchr(word, '+');

    memset(v, 0, sizeof(*v));
    if (strcmp(word, "*") == 0) {
        v->how = TSV_ANY;
        return true;
    }
    if (plus != NULL && !parse_number(plus + 1, &n))
        return bad("no number", word);
    if (word[0] == '$' && word[1] >= 'a' && word[1] <= 'z') {
        v->how = TSV_VAR;
        v->var = word[1];
    } else if (strncmp(word, "last", 4) == 0) {
        v->how = TSV_LAST;
    } else if (!parse_number(word, &n)) {
        return bad("no time stamp", word);
    }
    v->number = (uint32_t)n;
    return true;
}

static bool parse_ts(char *arg, struct topt *o)
{
    char *colon = strchr(arg, ':');

    if (colon == NULL)
        return bad("a time stamp is VALUE:ECHO", arg);
    *colon = '\0';
    return parse_tsval(arg, &o->ts[0]) && parse_tsval(colon + 1, &o->ts[1]);
}

static bool parse_sack(char *args, struct topt *o)
{
    char *save, *w;

    for (w = strtok_r(args, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
        if (o->n == 4 || sscanf(w, "%u:%u", &o->v[2 * o->n], &o->v[2 * o->n + 1]) != 2)
            return bad("a block is LEFT:RIGHT, at most four", w);
        o->n++;
    }
    return true;
}

static bool parse_option(char *text, struct tseg *s)
{
    static const struct {
        const char *name;
        uint16_t kind;
    } names[] = {{"eol", TO_EOL},        {"nop", TO_NOP},   {"mss", TO_MSS}, {"wscale", TO_WSCALE},
                 {"sackOK", TO_SACK_OK}, {"sack", TO_SACK}, {"ts", TO_TS},   {"raw", TO_RAW}};
    struct topt *o = &s->opt[s->nopts];
    char *arg = strchr(text, ' ');

    if (strcmp(text, "...") == 0)
        return s->more_opts = true;
    if (s->nopts == OPTS_MAX)
        return bad("too many options", text);
    if (arg != NULL)
        *arg++ = '\0';
    o->kind = UINT16_MAX;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(text, names[i].name) == 0)
            o->kind = names[i].kind;
    if (o->kind == UINT16_MAX)
        return bad("unknown option", text);
    s->nopts++;
    if (o->kind == TO_EOL || o->kind == TO_NOP || o->kind == TO_SACK_OK)
        return arg == NULL || bad("takes no value", text);
    if (arg == NULL)
        return bad("wants a value", text);
    if (o->kind == TO_RAW)
        return parse_hex(arg, o->raw, sizeof(o->raw), &o->n);
    if (o->kind == TO_TS)
        return parse_ts(arg, o);
    if (o->kind == TO_SACK)
        return parse_sack(arg, o);
    o->any = strcmp(arg, "*") == 0;
    o->v[0] = (uint32_t)strtoul(arg, NULL, 10);
    return true;
}

static bool parse_options(char *text, struct tseg *s)
{
    char *save, *w;

    s->has_opts = true;
    for (w = strtok_r(text, ",", &save); w != NULL; w = strtok_r(NULL, ",", &save)) {
        w += strspn(w, " ");
        if (!parse_option(w, s))
            return false;
    }
    return true;
}

/* "FPA", "-" for none. */
static bool parse_flags(const char *word, uint8_t *flags)
{
    static const char letters[] = "FSRPAUEC";

    *flags = 0;
    for (; *word != '\0'; word++) {
        const char *at = strchr(letters, *word);
        if (at == NULL && *word != '-')
            return bad("flags are of FSRPAUEC", word);
        if (at != NULL)
            *flags |= (uint8_t)(1u << (at - letters));
    }
    return true;
}

/* "1001", "1001:2461(1460)", "=0" (as it stands on the wire), "*". */
static bool parse_seq(const char *word, struct tseg *s)
{
    uint32_t end;
    int took = 0;

    if (*word == '*')
        return s->seq_any = true;
    s->seq_abs = *word == '=';
    word += s->seq_abs;
    if (sscanf(word, "%u:%u(%u)%n", &s->seq, &end, &s->len, &took) == 3 && word[took] == '\0')
        return s->seq + s->len == end || bad("length and end differ", word);
    s->len = 0;
    return (sscanf(word, "%u%n", &s->seq, &took) == 1 && word[took] == '\0') ||
           bad("no sequence number", word);
}

static bool parse_ports(const char *word, struct tseg *s)
{
    unsigned peer, ours = 0;

    if (sscanf(word, "[%u>%u]", &peer, &ours) < 1 || peer > 65535 || ours > 65535)
        return bad("ports are [PEER] or [PEER>OURS]", word);
    s->peer = (uint16_t)peer;
    s->ours = (uint16_t)ours;
    return true;
}

static bool parse_word(const char *w, const char *arg, struct tseg *s, bool *took)
{
    uint64_t n = 0;
    bool number = arg != NULL && parse_number(arg, &n);

    *took = true;
    if (strcmp(w, "ack") == 0) {
        s->has_ack = true;
        s->ack = (uint32_t)n;
        s->ack_any = arg != NULL && strcmp(arg, "*") == 0;
        return number || s->ack_any || bad("ack wants a number", NULL);
    }
    if (strcmp(w, "from") == 0 || strcmp(w, "to") == 0) {
        *(*w == 'f' ? &s->has_src : &s->has_dst) = true;
        return (arg != NULL && parse_ip(arg, *w == 'f' ? &s->src : &s->dst)) || bad("no address", arg);
    }
    if (strcmp(w, "ipopt") == 0)
        return arg != NULL && parse_hex(arg, s->ip_opt, sizeof(s->ip_opt), &s->ip_opt_n);
    if (strcmp(w, "badsum") == 0) {
        *took = false;
        return s->bad_sum = true;
    }
    if (!number)
        return bad("not understood", w);
    if (strcmp(w, "win") == 0) {
        s->has_win = true;
        s->win = (uint32_t)n;
    } else if (strcmp(w, "urg") == 0) {
        s->has_urg = true;
        s->urg = (uint32_t)n;
    } else if (strcmp(w, "ttl") == 0) {
        s->ttl = (uint8_t)n;
    } else if (strcmp(w, "tos") == 0) {
        s->tos = (uint8_t)n;
    } else if (strcmp(w, "doff") == 0) {
        s->doff = (uint8_t)n;
    } else if (strcmp(w, "reserved") == 0) {
        s->reserved = (uint8_t)n;
    } else {
        return bad("not understood", w);
    }
    return true;
}

/* "20x", "5..10x" */
static bool parse_times(char *word, struct tseg *s)
{
    struct span n;

    word[strlen(word) - 1] = '\0';
    if (!parse_span(word, &n) || n.any || n.lo == 0 || n.hi > 1000)
        return bad("how often?", word);
    s->least = (uint16_t)n.lo;
    s->most = (uint16_t)n.hi;
    return true;
}

static bool parse_segment(char *text, struct tseg *s)
{
    char *open = strchr(text, '<'), *close, *save, *w, *arg;

    memset(s, 0, sizeof(*s));
    if (open != NULL) {
        if ((close = strchr(open, '>')) == NULL)
            return bad("the options' > is missing", NULL);
        *close = *open = '\0';
        if (!parse_options(open + 1, s))
            return false;
        memmove(open, close + 1, strlen(close + 1) + 1);
    }
    w = strtok_r(text, " \t", &save);
    if (w != NULL && *w >= '0' && *w <= '9' && w[strlen(w) - 1] == 'x') {
        if (!parse_times(w, s))
            return false;
        w = strtok_r(NULL, " \t", &save);
    }
    if (w != NULL && *w == '[') {
        if (!parse_ports(w, s))
            return false;
        w = strtok_r(NULL, " \t", &save);
    }
    if (w == NULL || !parse_flags(w, &s->flags))
        return bad("a segment begins with its flags", NULL);
    w = strtok_r(NULL, " \t", &save);
    if (w == NULL || !parse_seq(w, s))
        return bad("then comes its sequence number", NULL);
    for (w = strtok_r(NULL, " \t", &save); w != NULL;) {
        bool took;
        arg = strtok_r(NULL, " \t", &save);
        if (!parse_word(w, arg, s, &took))
            return false;
        w = took ? strtok_r(NULL, " \t", &save) : arg;
    }
    return true;
}

/* --- lines ------------------------------------------------------------------------------- */
static bool parse_line(char *text);

static bool add_line(const char *fmt, const char *a, const char *b)
{
    char line[300];

    snprintf(line, sizeof(line), fmt, a, b);
    return parse_line(line);
}

/* passive NAME [PEERPORT] [win N] [<options of the SYN>] and likewise active: the
 * whole handshake. */
static bool expand_open(char *text, bool passive)
{
    struct script *s = now.s;
    char name[WORD_MAX] = "", port[WORD_MAX] = "", rest[160], syn[200], ack[60] = "", *w = text;
    struct tseg seg;
    unsigned shift = 0, used = 0;

    if (sscanf(w, " %31s%n", name, (int *)&used) != 1)
        return bad("who is opened?", NULL);
    w += used + strspn(w + used, " ");
    if (*w == '[' && sscanf(w, "%31s%n", port, (int *)&used) == 1)
        w += used;
    snprintf(rest, sizeof(rest), "%s%s", w, strchr(w, '<') == NULL ? " <mss 1460>" : "");
    snprintf(syn, sizeof(syn), "S 0 %s", rest);
    if (!parse_segment(syn, &seg))
        return false;
    for (unsigned i = 0; i < seg.nopts; i++) {
        if (seg.opt[i].kind == TO_WSCALE)
            shift = seg.opt[i].v[0] > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : seg.opt[i].v[0];
        if (seg.opt[i].kind == TO_TS)
            snprintf(ack, sizeof(ack), " <nop,nop,ts %u:last>", seg.opt[i].ts[0].number + 1);
    }
    snprintf(syn, sizeof(syn), "win %u%s", (seg.has_win ? seg.win : 65535) >> shift, ack);
    if (passive) {
        if (!s->listening &&
            !(add_line("socket listener%s%s", "", "") && add_line("bind listener 80%s%s", "", "") &&
              add_line("listen listener 8%s%s", "", "")))
            return false;
        s->listening = true;
        return add_line("< %s S 0 %s", port, rest) && add_line("> %s SA 0 ack 1%s", port, "") &&
               add_line("< %s A 1 ack 1 %s", port, syn) && add_line("accept listener %s%s", name, "");
    }
    if (*port != '\0')
        port[strlen(port) - 1] = '\0';
    if (!add_line("socket %s%s", name, "") ||
        !add_line("connect %s %s", name, *port != '\0' ? port + 1 : "4000"))
        return false;
    if (*port != '\0')
        strcat(port, "]");
    return add_line("> %s S 0%s", port, "") && add_line("< %s SA 0 ack 1 %s", port, rest) &&
           add_line("> %s A 1 ack 1%s", port, "");
}

static bool parse_command(char *text, struct step *p)
{
    char *save, *w, *equals = strstr(text, " = ");

    if (equals != NULL) {
        *equals = '\0';
        w = strtok_r(equals + 3, " \t", &save);
        if (w == NULL || strlen(w) >= WORD_MAX || strtok_r(NULL, " \t", &save) != NULL)
            return bad("one result follows =", NULL);
        strcpy(p->result, w);
    }
    for (w = strtok_r(text, " \t", &save); w != NULL; w = strtok_r(NULL, " \t", &save)) {
        if (p->nwords == WORDS_MAX || strlen(w) >= WORD_MAX)
            return bad("too long", w);
        strcpy(p->word[p->nwords++], w);
    }
    return true;
}

static bool parse_line(char *text)
{
    struct script *s = now.s;
    struct step *p = &s->step[s->nsteps];
    char *hash = strchr(text, '#');

    if (hash != NULL)
        *hash = '\0';
    text += strspn(text, " \t");
    if (*text == '\0')
        return true;
    if (s->nsteps == STEPS_MAX)
        return bad("too many steps", NULL);
    memset(p, 0, sizeof(*p));
    p->line = now.line;
    if (*text == '+' || *text == '@') {
        char *end = text + strcspn(text, " \t"), *rest = end + strspn(end, " \t");
        *end = '\0';
        if (!parse_when(text, &p->when))
            return false;
        text = rest;
    }
    if (*text == '<' || *text == '>') {
        p->kind = *text == '<' ? STEP_IN : STEP_OUT;
        s->nsteps++;
        return parse_segment(text + 1, &p->seg);
    }
    if (strncmp(text, "passive ", 8) == 0 || strncmp(text, "active ", 7) == 0)
        return p->when.how == AT_ONCE ? expand_open(text + (*text == 'p' ? 8 : 7), *text == 'p')
                                      : bad("takes no time", NULL);
    p->kind = STEP_WORDS;
    s->nsteps++;
    return parse_command(text, p) && (p->nwords != 0 || bad("a time alone", NULL));
}

static bool parse_head(const char *line, const char *word, char *out, size_t room)
{
    size_t n = strlen(word);

    if (strncmp(line, word, n) != 0 || line[n] != ' ' || strlen(line) - n - 1 >= room)
        return bad("a case begins with one line 'covers ...' and one 'shows ...'", NULL);
    strcpy(out, line + n + 1);
    return true;
}

bool script_parse(struct script *s, char *text)
{
    char *line, *next;

    memset(s, 0, sizeof(*s));
    now.s = s;
    now.line = 0;
    for (line = text; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        now.line++;
        if (now.line == 1 && !parse_head(line, "covers", s->covers, sizeof(s->covers)))
            return false;
        if (now.line == 2 && !parse_head(line, "shows", s->shows, sizeof(s->shows)))
            return false;
        if (now.line > 2 && !parse_line(line))
            return false;
    }
    return s->nsteps != 0 || bad("nothing to do", NULL);
}
