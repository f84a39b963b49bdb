/* SPDX-License-Identifier: MIT
 *
 * servers/httpd/status.c: what the system is doing, as a page for people, as
 * JSON, and as Prometheus text (exposition format 0.0.4).
 */
#include "httpd.h"
#include <inttypes.h>
#include <slipway/sys.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct out {
    char *p;
    size_t len, room;
    int failed;
};

static void put(struct out *o, const char *fmt, ...)
{
    va_list ap;
    for (;;) {
        va_start(ap, fmt);
        int n = vsnprintf(o->p + o->len, o->room - o->len, fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < o->room - o->len) {
            o->len += (size_t)n;
            return;
        }
        char *bigger = n < 0 || o->failed ? NULL : realloc(o->p, o->room * 2 + (size_t)n);
        if (!bigger) {
            o->failed = 1;
            return;
        }
        o->p = bigger;
        o->room = o->room * 2 + (size_t)n;
    }
}

/* One row of each kind; three writers, one per page. Names in rows come from
 * the kernel and the manifest: letters, digits, dots and dashes only. */
struct writer {
    void (*system)(struct out *, const struct info_system *);
    void (*begin)(struct out *, const char *name, const char *columns);
    void (*process)(struct out *, const struct info_process *, int first);
    void (*link)(struct out *, const struct net_link_info *, int first);
    void (*port)(struct out *, const struct net_port_info *, const char *owner, int first);
    void (*drop)(struct out *, const char *name, const char *text, uint64_t n, int first);
    void (*counter)(struct out *, const char *name, const char *text, uint64_t n, int first);
    void (*finish)(struct out *);
};

static const char *proto_name(uint8_t proto)
{
    return proto == NET_TCP ? "tcp" : proto == NET_UDP ? "udp" : proto == NET_ICMP ? "icmp" : "icmp6";
}

static const struct {
    const char *name, *text;
} drops[] = {
#define X(id, name, text) {name, text},
    NET_DROP_LIST(X)
#undef X
};

static void owner_of(uint32_t pid, char name[SPAWN_NAME_MAX])
{
    struct info_process p;
    snprintf(name, SPAWN_NAME_MAX, "%s", pid ? "?" : "reserved");
    for (uint64_t i = 0; i < 256 && sys_info(INFO_PROCESS, i, &p, sizeof(p)) == (int64_t)sizeof(p); i++)
        if (p.pid == pid)
            memcpy(name, p.name, SPAWN_NAME_MAX);
}

/* --- the page for people --------------------------------------------------- */

static void html_system(struct out *o, const struct info_system *s)
{
    put(o, "<!doctype html><html lang=en><meta charset=utf-8><title>Slipway status</title>"
           "<meta name=viewport content='width=device-width'><link rel=stylesheet href=/style.css>"
           "<h1>Status</h1><p>Slipway %s &middot; up %" PRIu64 ".%01" PRIu64 " s &middot; clock %s, events %s, "
           "interrupts %s, PCI %s, firmware %s &middot; %" PRIu64 " of %" PRIu64 " KiB free &middot; "
           "booted in %" PRIu64 " &micro;s &middot; %" PRIu64 " requests served",
        s->version, s->uptime_ns / 1000000000, s->uptime_ns / 100000000 % 10, s->clock, s->event, s->irq, s->pci,
        s->firmware, s->memory_free / 1024, s->memory_total / 1024, s->boot_ns / 1000, httpd_counters.requests);
}

static void html_begin(struct out *o, const char *name, const char *columns)
{
    put(o, "</table><h2>%s</h2><table><tr>", name);
    for (const char *c = columns; *c;) {
        size_t n = strcspn(c, ",");
        put(o, "<th>%.*s", (int)n, c);
        c += n + (c[n] == ',');
    }
}

static void html_process(struct out *o, const struct info_process *p, int first)
{
    (void)first;
    put(o, "<tr><td>%u<td>%s<td>%s<td>%" PRIu64 "<td>%" PRIu64 "<td>%u", p->pid, p->name, p->state,
        p->memory_bytes / 1024, p->cpu_ns / 1000, p->restarts);
}

static void html_link(struct out *o, const struct net_link_info *l, int first)
{
    (void)first;
    put(o, "<tr><td>%s<td>%s<td>%s<td>%u<td>%s<td>%" PRIu64 "<td>%" PRIu64 "<td>%" PRIu64, l->name, l->driver,
        l->flags & LINKF_RUNNING ? "up" : "down", l->mtu, l->irq_mode, l->rx_frames, l->tx_frames,
        l->rx_errors + l->rx_missed + l->tx_errors);
}

static void html_port(struct out *o, const struct net_port_info *p, const char *owner, int first)
{
    (void)first;
    put(o, "<tr><td>%s/%u<td>%s<td>%" PRIu64 "<td>%" PRIu64, proto_name(p->key.proto), p->key.port_lo, owner,
        p->delivered, p->dropped);
}

static void html_drop(struct out *o, const char *name, const char *text, uint64_t n, int first)
{
    (void)first;
    put(o, "<tr><td>%s<td>%s<td>%" PRIu64, name, text, n);
}

static void html_finish(struct out *o)
{
    put(o, "</table><p><a href=/>home</a> <a href=/status.json>json</a> <a href=/metrics>metrics</a></html>\n");
}

/* --- JSON ------------------------------------------------------------------ */

static void json_system(struct out *o, const struct info_system *s)
{
    put(o, "{\"version\":\"%s\",\"uptime_ns\":%" PRIu64 ",\"boot_ns\":%" PRIu64 ",\"memory_total\":%" PRIu64
           ",\"memory_free\":%" PRIu64 ",\"clock\":\"%s\",\"event\":\"%s\",\"irq\":\"%s\",\"pci\":\"%s\","
           "\"firmware\":\"%s\",\"interrupts\":%" PRIu64 ",\"timer_interrupts\":%" PRIu64 ",\"syscalls\":%" PRIu64
           ",\"http_requests\":%" PRIu64,
        s->version, s->uptime_ns, s->boot_ns, s->memory_total, s->memory_free, s->clock, s->event, s->irq, s->pci,
        s->firmware, s->interrupts, s->timer_interrupts, s->syscalls, httpd_counters.requests);
}

static void json_begin(struct out *o, const char *name, const char *columns)
{
    (void)columns;
    /* Every list but the first closes the one before it; system closed none. */
    put(o, "%s,\"%s\":[", strcmp(name, "processes") == 0 ? "" : "]", name);
}

static void json_process(struct out *o, const struct info_process *p, int first)
{
    put(o, "%s{\"pid\":%u,\"name\":\"%s\",\"state\":\"%s\",\"memory\":%" PRIu64 ",\"cpu_ns\":%" PRIu64
           ",\"restarts\":%u}", first ? "" : ",", p->pid, p->name, p->state, p->memory_bytes, p->cpu_ns, p->restarts);
}

static void json_link(struct out *o, const struct net_link_info *l, int first)
{
    put(o, "%s{\"name\":\"%s\",\"driver\":\"%s\",\"up\":%s,\"mtu\":%u,\"rx_frames\":%" PRIu64 ",\"tx_frames\":%" PRIu64
           ",\"rx_bytes\":%" PRIu64 ",\"tx_bytes\":%" PRIu64 ",\"rx_errors\":%" PRIu64 ",\"rx_missed\":%" PRIu64
           ",\"tx_errors\":%" PRIu64 ",\"interrupts\":%" PRIu64 "}",
        first ? "" : ",", l->name, l->driver, l->flags & LINKF_RUNNING ? "true" : "false", l->mtu, l->rx_frames,
        l->tx_frames, l->rx_bytes, l->tx_bytes, l->rx_errors, l->rx_missed, l->tx_errors, l->interrupts);
}

static void json_port(struct out *o, const struct net_port_info *p, const char *owner, int first)
{
    put(o, "%s{\"proto\":\"%s\",\"port\":%u,\"owner\":\"%s\",\"delivered\":%" PRIu64 ",\"dropped\":%" PRIu64 "}",
        first ? "" : ",", proto_name(p->key.proto), p->key.port_lo, owner, p->delivered, p->dropped);
}

static void json_drop(struct out *o, const char *name, const char *text, uint64_t n, int first)
{
    (void)text;
    put(o, "%s{\"reason\":\"%s\",\"count\":%" PRIu64 "}", first ? "" : ",", name, n);
}

static void json_counter(struct out *o, const char *name, const char *text, uint64_t n, int first)
{
    (void)text;
    put(o, "%s{\"counter\":\"%s\",\"count\":%" PRIu64 "}", first ? "" : ",", name, n);
}

static void json_finish(struct out *o)
{
    put(o, "]}\n");
}

/* --- Prometheus ------------------------------------------------------------ */

static void prom_system(struct out *o, const struct info_system *s)
{
    put(o, "# TYPE slipway_info gauge\nslipway_info{version=\"%s\"} 1\n"
           "# TYPE slipway_uptime_seconds gauge\nslipway_uptime_seconds %" PRIu64 ".%03" PRIu64 "\n"
           "# TYPE slipway_memory_free_bytes gauge\nslipway_memory_free_bytes %" PRIu64 "\n"
           "# TYPE slipway_memory_total_bytes gauge\nslipway_memory_total_bytes %" PRIu64 "\n"
           "# TYPE slipway_interrupts_total counter\nslipway_interrupts_total %" PRIu64 "\n"
           "# TYPE slipway_timer_interrupts_total counter\nslipway_timer_interrupts_total %" PRIu64 "\n"
           "# TYPE slipway_syscalls_total counter\nslipway_syscalls_total %" PRIu64 "\n"
           "# TYPE slipway_http_requests_total counter\nslipway_http_requests_total %" PRIu64 "\n",
        s->version, s->uptime_ns / 1000000000, s->uptime_ns / 1000000 % 1000, s->memory_free, s->memory_total,
        s->interrupts, s->timer_interrupts, s->syscalls, httpd_counters.requests);
}

static void prom_begin(struct out *o, const char *name, const char *columns)
{
    (void)columns;
    put(o, "# %s\n", name);
}

static void prom_process(struct out *o, const struct info_process *p, int first)
{
    (void)first;
    put(o, "slipway_process_memory_bytes{name=\"%s\",pid=\"%u\"} %" PRIu64 "\n"
           "slipway_process_cpu_seconds_total{name=\"%s\",pid=\"%u\"} %" PRIu64 ".%06" PRIu64 "\n",
        p->name, p->pid, p->memory_bytes, p->name, p->pid, p->cpu_ns / 1000000000, p->cpu_ns / 1000 % 1000000);
}

static void prom_link(struct out *o, const struct net_link_info *l, int first)
{
    (void)first;
    put(o, "slipway_link_rx_frames_total{link=\"%s\"} %" PRIu64 "\nslipway_link_tx_frames_total{link=\"%s\"} %" PRIu64
           "\nslipway_link_rx_bytes_total{link=\"%s\"} %" PRIu64 "\nslipway_link_tx_bytes_total{link=\"%s\"} %" PRIu64
           "\nslipway_link_errors_total{link=\"%s\"} %" PRIu64 "\n",
        l->name, l->rx_frames, l->name, l->tx_frames, l->name, l->rx_bytes, l->name, l->tx_bytes, l->name,
        l->rx_errors + l->rx_missed + l->tx_errors);
}

static void prom_port(struct out *o, const struct net_port_info *p, const char *owner, int first)
{
    (void)first;
    put(o, "slipway_port_delivered_total{proto=\"%s\",port=\"%u\",owner=\"%s\"} %" PRIu64 "\n"
           "slipway_port_dropped_total{proto=\"%s\",port=\"%u\",owner=\"%s\"} %" PRIu64 "\n",
        proto_name(p->key.proto), p->key.port_lo, owner, p->delivered, proto_name(p->key.proto), p->key.port_lo,
        owner, p->dropped);
}

static void prom_drop(struct out *o, const char *name, const char *text, uint64_t n, int first)
{
    (void)first, (void)text;
    put(o, "slipway_drops_total{reason=\"%s\"} %" PRIu64 "\n", name, n);
}

static void prom_counter(struct out *o, const char *name, const char *text, uint64_t n, int first)
{
    (void)first, (void)text;
    put(o, "slipway_http_stack_total{counter=\"%s\"} %" PRIu64 "\n", name, n);
}

static void prom_finish(struct out *o)
{
    (void)o;
}

/* --- the walk -------------------------------------------------------------- */

static void walk(struct out *o, const struct writer *w)
{
    struct info_system s = {0};
    struct info_process p;
    struct net_link_info l;
    struct net_port_info port;
    struct net_counters c = {0};
    const char *name, *text;
    uint64_t n;
    char owner[SPAWN_NAME_MAX];

    sys_info(INFO_SYSTEM, 0, &s, sizeof(s));
    w->system(o, &s);
    w->begin(o, "processes", "pid,name,state,KiB,cpu &micro;s,restarts");
    for (uint64_t i = 0; i < 256 && sys_info(INFO_PROCESS, i, &p, sizeof(p)) == (int64_t)sizeof(p); i++)
        w->process(o, &p, i == 0);
    w->begin(o, "links", "name,driver,state,mtu,interrupts,received,sent,errors");
    for (uint64_t i = 0; i < 64 && sys_net_info(NETINFO_LINK, i, &l, sizeof(l)) == (int64_t)sizeof(l); i++)
        w->link(o, &l, i == 0);
    w->begin(o, "ports", "port,owner,delivered,dropped");
    for (uint64_t i = 0; i < 1024 && sys_net_info(NETINFO_PORT, i, &port, sizeof(port)) == (int64_t)sizeof(port); i++) {
        owner_of(port.pid, owner);
        w->port(o, &port, owner, i == 0);
    }
    w->begin(o, "drops", "reason,meaning,count");
    sys_net_info(NETINFO_COUNTERS, 0, &c, sizeof(c));
    for (unsigned i = 0; i < sizeof(drops) / sizeof(drops[0]); i++)
        w->drop(o, drops[i].name, drops[i].text, c.drop[i], i == 0);
    w->begin(o, "stack", "counter of this server's TCP/IP,meaning,count");
    for (unsigned i = 0; slipway_net_counter(i, &name, &text, &n); i++)
        w->counter(o, name, text, n, i == 0);
    w->finish(o);
}

static const struct {
    const char *path, *type;
    struct writer writer;
} pages[] = {
    {"/status", "text/html; charset=utf-8",
     {html_system, html_begin, html_process, html_link, html_port, html_drop, html_drop,
      html_finish}},
    {"/status.json", "application/json",
     {json_system, json_begin, json_process, json_link, json_port, json_drop, json_counter,
      json_finish}},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8",
     {prom_system, prom_begin, prom_process, prom_link, prom_port, prom_drop, prom_counter,
      prom_finish}},
};

int status_is_page(const char *path)
{
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        if (strcmp(path, pages[i].path) == 0)
            return 1;
    return 0;
}

char *status_page(const char *path, size_t *len, const char **type)
{
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        struct out o = {.room = 8192};
        if (strcmp(path, pages[i].path) != 0)
            continue;
        o.p = malloc(o.room);
        if (!o.p)
            return NULL;
        walk(&o, &pages[i].writer);
        if (o.failed) {
            free(o.p);
            return NULL;
        }
        *len = o.len;
        *type = pages[i].type;
        return o.p;
    }
    return NULL;
}
