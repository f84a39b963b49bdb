/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/helper.c: spawning roles; packets by hand.
 */
#include "selftest.h"
#include <string.h>

struct sys_rights rights_none(void)
{
    struct sys_rights r;
    memset(&r, 0, sizeof(r));
    strcpy(r.calls[r.ncalls++], "selftest");
    return r;
}

void rights_add_port(struct sys_rights *r, uint8_t proto, uint16_t lo, uint16_t hi)
{
    r->ports[r->nports++] =
        (struct net_port_key){.family = NET_INET, .proto = proto, .link = LINK_ANY, .port_lo = lo, .port_hi = hi};
}

int role_start(const char *name, const char *arg, const struct sys_rights *r)
{
    struct sys_spawn s = {.name = "role", .path = "bin/selftest", .argc = 3};
    char args[128];
    size_t n = 0;
    const char *words[3] = {"selftest", name, arg};

    for (int i = 0; i < 3; i++) {
        strcpy(args + n, words[i]);
        n += strlen(words[i]) + 1;
    }
    s.args = (uint64_t)(uintptr_t)args;
    s.args_bytes = (uint32_t)n;
    s.rights = (uint64_t)(uintptr_t)r;
    return sys_spawn(&s);
}

int role_end(int handle)
{
    static struct sys_exit e;
    struct wait_item w = {.kind = WAIT_HANDLE, .handle = handle, .want = READY_IN};
    int r = sys_wait(&w, 1, sys_now_ns() + WAIT_NS);
    if (r >= 0)
        r = sys_process_status(handle, &e);
    sys_handle_close(handle);
    return r < 0 ? r : e.state == PROC_EXITED ? e.status : -EPEER;
}

int role_run(const char *name, const char *arg, const struct sys_rights *r)
{
    int h = role_start(name, arg, r);
    return h < 0 ? h : role_end(h);
}

uint64_t free_bytes(void)
{
    struct info_system s;

    sys_info(INFO_SYSTEM, 0, &s, sizeof(s));
    return s.memory_free;
}

/* --- packets by hand -------------------------------------------------------- */

int raw_open(struct raw *e)
{
    struct sys_net_open o = {.rx_bytes = 256 * 1024, .tx_entries = 256, .arena_bytes = 64 * 1024};
    e->handle = sys_net_open(&o);
    e->ring = (struct net_ring *)(uintptr_t)o.base;
    return e->handle;
}

int raw_register(struct raw *e, uint8_t proto, uint16_t lo, uint16_t hi, uint8_t secret[NET_SECRET_BYTES])
{
    struct net_port_op op = {.endpoint = e->handle};
    op.key = (struct net_port_key){.family = NET_INET, .proto = proto, .link = LINK_ANY, .port_lo = lo, .port_hi = hi};
    int r = sys_port_register(&op);
    if (r == 0 && secret)
        memcpy(secret, op.secret, NET_SECRET_BYTES);
    return r < 0 ? r : op.key.port_lo;
}

static uint16_t sum16(const uint8_t *p, size_t n)
{
    uint32_t s = 0;
    for (size_t i = 0; i < n; i += 2)
        s += (uint32_t)(p[i] << 8 | p[i + 1]);
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

void raw_queue(struct raw *e, uint16_t sport, uint16_t dport, uint32_t payload)
{
    struct net_ring *r = e->ring;
    uint8_t *base = (uint8_t *)r;
    uint32_t at = r->tx_head & (r->tx_entries - 1);
    uint8_t *p = base + r->arena_off + at * 64;
    struct net_tx *tx = (struct net_tx *)(base + r->tx_off) + at;

    memset(p, 0, 32);
    p[0] = 0x45, p[3] = 32, p[8] = 64, p[9] = NET_UDP;
    p[12] = p[16] = 127, p[15] = p[19] = 1;
    uint16_t sum = sum16(p, 20);
    p[10] = (uint8_t)(sum >> 8), p[11] = (uint8_t)sum;
    p[20] = (uint8_t)(sport >> 8), p[21] = (uint8_t)sport;
    p[22] = (uint8_t)(dport >> 8), p[23] = (uint8_t)dport;
    p[25] = 12; /* UDP length; no checksum, which IPv4 allows (RFC 768) */
    memcpy(p + 28, &payload, 4);
    *tx = (struct net_tx){
        .cookie = payload, .hdr_off = (uint32_t)(p - (base + r->arena_off)), .hdr_len = 32, .link = LINK_ANY};
    __atomic_store_n(&r->tx_head, r->tx_head + 1, __ATOMIC_RELEASE);
}

static bool wait_in(struct raw *e, uint64_t deadline_ns)
{
    struct wait_item w = {.kind = WAIT_HANDLE, .handle = e->handle, .want = READY_IN};
    return sys_wait(&w, 1, deadline_ns) > 0;
}

int32_t raw_completion(struct raw *e)
{
    struct net_ring *r = e->ring;
    uint64_t deadline_ns = sys_now_ns() + WAIT_NS;
    while (__atomic_load_n(&r->cq_head, __ATOMIC_ACQUIRE) == r->cq_tail)
        if (!wait_in(e, deadline_ns) || sys_now_ns() >= deadline_ns)
            return INT32_MIN; /* a datagram in the ring also ends a wait */
    const struct net_cqe *c = (const struct net_cqe *)((uint8_t *)r + r->cq_off) + (r->cq_tail & (r->cq_entries - 1));
    int32_t status = c->status;
    __atomic_store_n(&r->cq_tail, r->cq_tail + 1, __ATOMIC_RELEASE);
    return status;
}

bool raw_receive(struct raw *e, uint64_t deadline_ns, uint32_t *payload)
{
    struct net_ring *r = e->ring;
    for (;;) {
        if (__atomic_load_n(&r->rx_head, __ATOMIC_ACQUIRE) == r->rx_tail) {
            if (!wait_in(e, deadline_ns))
                return false;
            continue;
        }
        const struct net_rx *rx = (const struct net_rx *)((uint8_t *)r + r->rx_off + (r->rx_tail & (r->rx_size - 1)));
        bool mine = rx->kind == RX_PACKET && rx->len >= 32;
        if (mine)
            memcpy(payload, (const uint8_t *)(rx + 1) + rx->l2_len + 28, 4);
        __atomic_store_n(&r->rx_tail, r->rx_tail + rx->size, __ATOMIC_RELEASE);
        if (mine)
            return true;
    }
}
