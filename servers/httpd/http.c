/* SPDX-License-Identifier: MIT
 *
 * servers/httpd/http.c: see servers/httpd/http.h. Sections are RFC 9112's
 * unless RFC 9110 is named.
 */
#include "http.h"
#include <stdio.h>
#include <string.h>

/* --- small text helpers ---------------------------------------------------- */

struct text {
    const char *p;
    size_t n;
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool same(struct text a, const char *b)
{
    size_t n = strlen(b);
    if (a.n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (lower(a.p[i]) != b[i])
            return false;
    return true;
}

static struct text trim(struct text t)
{
    while (t.n && (t.p[0] == ' ' || t.p[0] == '\t'))
        t.p++, t.n--;
    while (t.n && (t.p[t.n - 1] == ' ' || t.p[t.n - 1] == '\t'))
        t.n--;
    return t;
}

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool parse_number(struct text *t, uint64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;
    for (; i < t->n && t->p[i] >= '0' && t->p[i] <= '9'; i++) {
        if (v > (UINT64_MAX - 9) / 10)
            return false;
        v = v * 10 + (uint64_t)(t->p[i] - '0');
    }
    if (i == 0)
        return false;
    t->p += i;
    t->n -= i;
    *out = v;
    return true;
}

/* --- request line ---------------------------------------------------------- */

static int hex(char c)
{
    c = lower(c);
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Path of the target: decoded, query cut off, dot segments refused rather than
 * resolved (no link of ours has any). */
static int parse_target(struct text t, char path[HTTP_PATH_MAX])
{
    size_t n = 0;
    if (t.n > 7 && same((struct text){t.p, 7}, "http://")) { /* absolute form, section 3.2.2 */
        const char *slash = memchr(t.p + 7, '/', t.n - 7);
        if (!slash) {
            strcpy(path, "/");
            return 0;
        }
        t.n -= (size_t)(slash - t.p);
        t.p = slash;
    }
    if (t.n == 0 || t.p[0] != '/')
        return -400;
    for (size_t i = 0; i < t.n && t.p[i] != '?' && t.p[i] != '#'; i++) {
        int c = (unsigned char)t.p[i];
        if (c == '%') {
            if (i + 2 >= t.n || hex(t.p[i + 1]) < 0 || hex(t.p[i + 2]) < 0)
                return -400;
            c = hex(t.p[i + 1]) * 16 + hex(t.p[i + 2]);
            i += 2;
        }
        if (c < ' ' || c == 127)
            return -400;
        if (n == HTTP_PATH_MAX - 1)
            return -414;
        path[n++] = (char)c;
    }
    path[n] = 0;
    for (const char *s = path; (s = strstr(s, "/..")) != NULL; s += 3)
        if (s[3] == '/' || s[3] == 0)
            return -400;
    return 0;
}

static int parse_method(struct text m, struct http_request *r)
{
    static const char *const known[] = {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH"};
    if (m.n == 0)
        return -400;
    for (size_t i = 0; i < m.n; i++)
        if (!is_token_char(m.p[i]))
            return -400;
    if (m.n == 3 && memcmp(m.p, "GET", 3) == 0)
        return r->method = HTTP_GET, 0;
    if (m.n == 4 && memcmp(m.p, "HEAD", 4) == 0)
        return r->method = HTTP_HEAD, 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (m.n == strlen(known[i]) && memcmp(m.p, known[i], m.n) == 0)
            return -405;
    return -501; /* RFC 9110 section 9.1: unrecognised */
}

static int parse_request_line(struct text line, struct http_request *r, int *minor)
{
    const char *sp1 = memchr(line.p, ' ', line.n);
    if (!sp1)
        return -400;
    struct text method = {line.p, (size_t)(sp1 - line.p)};
    struct text rest = {sp1 + 1, line.n - method.n - 1};
    const char *sp2 = memchr(rest.p, ' ', rest.n);
    if (!sp2)
        return -400;
    struct text target = {rest.p, (size_t)(sp2 - rest.p)};
    struct text version = {sp2 + 1, rest.n - target.n - 1};
    if (version.n != 8 || memcmp(version.p, "HTTP/", 5) != 0 || version.p[6] != '.' || version.p[5] < '0' ||
        version.p[5] > '9' || version.p[7] < '0' || version.p[7] > '9')
        return -400;
    if (version.p[5] != '1')
        return -505;
    *minor = version.p[7] - '0';
    int e = parse_method(method, r);
    return e ? e : parse_target(target, r->path);
}

/* --- fields ---------------------------------------------------------------- */

static void parse_range(struct text v, struct http_range *r)
{
    struct http_range out = {.present = true};
    if (v.n < 6 || !same((struct text){v.p, 6}, "bytes="))
        return; /* an unknown unit is ignored (RFC 9110 section 14.2) */
    v.p += 6, v.n -= 6;
    if (v.n && v.p[0] == '-') {
        v.p++, v.n--;
        out.suffix = true;
        if (parse_number(&v, &out.first) && v.n == 0)
            *r = out;
        return;
    }
    if (!parse_number(&v, &out.first) || v.n == 0 || v.p[0] != '-')
        return;
    v.p++, v.n--;
    if (v.n == 0)
        out.open_end = true;
    else if (!parse_number(&v, &out.last) || v.n != 0 || out.last < out.first)
        return; /* several ranges or nonsense: the whole file is a right answer */
    *r = out;
}

/* Connection: a comma-separated list of tokens (RFC 9110 section 7.6.1). */
static void parse_connection(struct text v, struct http_request *r)
{
    while (v.n) {
        const char *comma = memchr(v.p, ',', v.n);
        struct text item = trim((struct text){v.p, comma ? (size_t)(comma - v.p) : v.n});
        if (same(item, "close"))
            r->keep_alive = false;
        else if (same(item, "keep-alive"))
            r->keep_alive = true;
        size_t used = comma ? (size_t)(comma - v.p) + 1 : v.n;
        v.p += used, v.n -= used;
    }
}

static int parse_field(struct text line, struct http_request *r, unsigned *hosts)
{
    const char *colon = memchr(line.p, ':', line.n);
    if (!colon || colon == line.p)
        return -400;
    struct text name = {line.p, (size_t)(colon - line.p)};
    struct text value = trim((struct text){colon + 1, line.n - name.n - 1});
    for (size_t i = 0; i < name.n; i++) /* also refuses obsolete folding and "Name :" (section 5.1) */
        if (!is_token_char(name.p[i]))
            return -400;
    for (size_t i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] < ' ' && value.p[i] != '\t')
            return -400;
    if (same(name, "host")) {
        ++*hosts;
    } else if (same(name, "connection")) {
        parse_connection(value, r);
    } else if (same(name, "content-length")) {
        uint64_t n;
        if (!parse_number(&value, &n) || value.n != 0)
            return -400;
        r->has_body |= n != 0;
    } else if (same(name, "transfer-encoding")) {
        r->has_body = true;
    } else if (same(name, "range")) {
        parse_range(value, &r->range);
    } else if (same(name, "if-modified-since")) {
        r->if_modified_since = http_parse_date(value.p, value.n);
    }
    return 0;
}

int http_parse(const char *buf, size_t len, struct http_request *r)
{
    size_t at = 0;
    int minor = 0, e;
    unsigned hosts = 0;
    bool first = true;

    memset(r, 0, sizeof(*r));
    while (at + 1 < len && buf[at] == '\r' && buf[at + 1] == '\n')
        at += 2; /* section 2.2: empty lines before the request line */
    for (;;) {
        const char *nl = memchr(buf + at, '\n', len - at);
        if (!nl)
            return len >= HTTP_HEAD_MAX ? (first ? -414 : -431) : 0;
        struct text line = {buf + at, (size_t)(nl - (buf + at))};
        at += line.n + 1;
        if (at > HTTP_HEAD_MAX)
            return first ? -414 : -431;
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (first) {
            if ((e = parse_request_line(line, r, &minor)) != 0)
                return e;
            r->keep_alive = minor >= 1;
            first = false;
        } else if (line.n == 0) {
            break;
        } else if ((e = parse_field(line, r, &hosts)) != 0) {
            return e;
        }
    }
    if (hosts > 1 || (minor >= 1 && hosts == 0)) /* section 3.2 */
        return -400;
    return (int)at;
}

/* --- answers --------------------------------------------------------------- */

const char *http_reason(int status)
{
    switch (status) {
    case 200: return "OK";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 414: return "URI Too Long";
    case 416: return "Range Not Satisfiable";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Error";
    }
}

const char *http_content_type(const char *path)
{
    static const struct {
        const char *ext, *type;
    } types[] = {
        {"html", "text/html; charset=utf-8"}, {"htm", "text/html; charset=utf-8"}, {"css", "text/css; charset=utf-8"},
        {"js", "text/javascript; charset=utf-8"}, {"txt", "text/plain; charset=utf-8"},
        {"md", "text/markdown; charset=utf-8"}, {"json", "application/json"}, {"svg", "image/svg+xml"},
        {"png", "image/png"}, {"jpg", "image/jpeg"}, {"jpeg", "image/jpeg"}, {"gif", "image/gif"},
        {"ico", "image/x-icon"}, {"webp", "image/webp"}, {"pdf", "application/pdf"}, {"wasm", "application/wasm"},
        {"xml", "application/xml"}, {"gz", "application/gzip"}, {"tar", "application/x-tar"},
        {"woff2", "font/woff2"}, {"mp4", "video/mp4"}, {"mp3", "audio/mpeg"},
    };
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    if (dot && (!slash || dot > slash))
        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
            if (same((struct text){dot + 1, strlen(dot + 1)}, types[i].ext))
                return types[i].type;
    return "application/octet-stream";
}

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar. */
static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    uint64_t yoe = (uint64_t)(y - era * 400);
    uint64_t doy = (153u * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    uint64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

void http_date(uint64_t seconds, char buf[30])
{
    static const char days[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
    uint64_t d = seconds / 86400, s = seconds % 86400;
    if (d > 2932896) /* 9999-12-31: four digits of year are all there is room for */
        d = 2932896;
    unsigned year = 1970 + (unsigned)(d / 366);
    while (days_from_civil((int64_t)year + 1, 1, 1) <= (int64_t)d)
        year++;
    unsigned month = 1;
    while (month < 12 && days_from_civil(year, month + 1, 1) <= (int64_t)d)
        month++;
    unsigned day = (unsigned)((int64_t)d - days_from_civil(year, month, 1)) + 1;
    snprintf(buf, 30, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + d % 7 * 3, day % 100, months + (month - 1) * 3,
             year % 10000, (unsigned)(s / 3600) % 100, (unsigned)(s / 60 % 60), (unsigned)(s % 60));
}

uint64_t http_parse_date(const char *s, size_t len)
{
    struct text t = {s, len};
    uint64_t day, year, h, m, sec;
    unsigned month = 0;
    if (len != 29 || s[3] != ',' || memcmp(s + 25, " GMT", 4) != 0)
        return 0;
    for (unsigned i = 0; i < 12; i++)
        if (memcmp(s + 8, months + i * 3, 3) == 0)
            month = i + 1;
    t.p = s + 5, t.n = 2;
    if (!month || !parse_number(&t, &day) || day < 1 || day > 31)
        return 0;
    t.p = s + 12, t.n = 4;
    if (!parse_number(&t, &year) || year < 1970)
        return 0;
    t.p = s + 17, t.n = 2;
    if (!parse_number(&t, &h) || h > 23)
        return 0;
    t.p = s + 20, t.n = 2;
    if (!parse_number(&t, &m) || m > 59)
        return 0;
    t.p = s + 23, t.n = 2;
    if (!parse_number(&t, &sec) || sec > 60)
        return 0;
    return (uint64_t)days_from_civil((int64_t)year, month, (unsigned)day) * 86400 + h * 3600 + m * 60 + sec;
}

int http_apply_range(const struct http_range *r, uint64_t size, uint64_t *from, uint64_t *count)
{
    *from = 0;
    *count = size;
    if (!r->present)
        return 200;
    if (r->suffix) {
        if (r->first == 0 || size == 0)
            return 416;
        *from = r->first >= size ? 0 : size - r->first;
        *count = size - *from;
        return 206;
    }
    if (r->first >= size)
        return 416;
    uint64_t last = r->open_end || r->last >= size ? size - 1 : r->last;
    *from = r->first;
    *count = last - r->first + 1;
    return 206;
}
