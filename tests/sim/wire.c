/* SPDX-License-Identifier: MIT
 *
 * tests/sim/wire.c: a medium that does to packets what networks do.
 *
 * Owns: packets under way, the table of who listens, the router in between, the
 * pcap file. Chance is drawn in a fixed order for every packet, so that a
 * model's numbers do not shift each other's luck.
 */
#include <tests/sim/sim.h>
#include <stdlib.h>
#include <string.h>

#define WIRE_HOSTS 16
#define ROUTER_IP  0x0a0000feu /* who speaks when a packet is too big */

struct wire_model wire_model;
struct wire_stats wire_stats;
void (*wire_six)(const uint8_t *packet, size_t n);
bool (*wire_fate)(const uint8_t *packet, size_t n);

static struct {
    uint32_t ip;
    void (*deliver)(void *arg, const uint8_t *packet, size_t n);
    void *arg;
    uint64_t line_free; /* when this sender's line has sent what it holds */
} party[WIRE_HOSTS];
static FILE *pcap;

struct flight {
    uint32_t to;
    size_t n;
    uint8_t packet[];
};

void wire_start(const struct wire_model *m, const char *pcap_path)
{
    static const uint32_t head[6] = {0xa1b23c4d, 4u << 16 | 2, 0, 0, 65535, 101}; /* ns, raw IP */

    wire_model = *m;
    memset(&wire_stats, 0, sizeof(wire_stats));
    memset(party, 0, sizeof(party));
    wire_fate = NULL;
    pcap = pcap_path != NULL ? fopen(pcap_path, "wb") : NULL;
    if (pcap != NULL)
        fwrite(head, sizeof(head), 1, pcap);
}

void wire_stop(void)
{
    if (pcap != NULL)
        fclose(pcap);
    pcap = NULL;
}

static void record(const uint8_t *packet, size_t n)
{
    uint32_t h[4] = {(uint32_t)(sim.now / SIM_S), (uint32_t)(sim.now % SIM_S), (uint32_t)n, (uint32_t)n};

    if (pcap == NULL)
        return;
    fwrite(h, sizeof(h), 1, pcap);
    fwrite(packet, 1, n, pcap);
}

void wire_attach(uint32_t ip, void (*deliver)(void *, const uint8_t *, size_t), void *arg)
{
    for (int i = 0; i < WIRE_HOSTS; i++) {
        if (party[i].ip == ip || party[i].deliver == NULL) {
            party[i].ip = ip;
            party[i].deliver = deliver;
            party[i].arg = arg;
            return;
        }
    }
    abort();
}

void wire_detach(uint32_t ip)
{
    for (int i = 0; i < WIRE_HOSTS; i++)
        if (party[i].ip == ip)
            party[i].deliver = NULL;
}

static void arrive(void *arg)
{
    struct flight *f = arg;
    bool heard = false;

    for (int i = 0; i < WIRE_HOSTS; i++) {
        if (party[i].ip == f->to && party[i].deliver != NULL) {
            record(f->packet, f->n);
            sim_note(f->packet, f->n);
            sim_note(&sim.now, sizeof(sim.now));
            party[i].deliver(party[i].arg, f->packet, f->n);
            heard = true;
            break;
        }
    }
    *(heard ? &wire_stats.delivered : &wire_stats.nobody) += 1;
    free(f);
}

static uint64_t line_delay(uint32_t from_ip, size_t n, bool *full)
{
    *full = false;
    if (wire_model.byte_ns == 0)
        return 0;
    for (int i = 0; i < WIRE_HOSTS; i++) {
        uint64_t start, wait;
        if (party[i].ip != from_ip)
            continue;
        start = party[i].line_free > sim.now ? party[i].line_free : sim.now;
        wait = start - sim.now;
        if (wire_model.queue_bytes != 0 && wait / wire_model.byte_ns > wire_model.queue_bytes) {
            *full = true;
            return 0;
        }
        party[i].line_free = start + n * wire_model.byte_ns;
        return party[i].line_free - sim.now;
    }
    return 0;
}

static void launch(uint64_t when, const uint8_t *packet, size_t n, int flip_at, unsigned flip_bit)
{
    struct flight *f = malloc(sizeof(*f) + n);

    if (f == NULL)
        abort();
    f->n = n;
    memcpy(f->packet, packet, n);
    const uint8_t *to = packet + (packet[0] >> 4 == 6 ? 36 : 16);
    f->to = (uint32_t)to[0] << 24 | (uint32_t)to[1] << 16 | (uint32_t)to[2] << 8 | to[3];
    if (flip_at >= 0) {
        f->packet[flip_at] ^= (uint8_t)(1u << flip_bit);
        wire_stats.corrupted++;
    }
    sim_at(when, arrive, f);
}

static void put_checksum(uint8_t *at, const uint8_t *p, size_t n)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (uint32_t)p[i] << ((i & 1) != 0 ? 0 : 8);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    at[0] = (uint8_t)(~sum >> 8);
    at[1] = (uint8_t)~sum;
}

/* The router drops it, and unless it is a black hole says so (RFC 1191). */
static void too_big(const uint8_t *packet, uint64_t delay_ns)
{
    size_t quoted = (size_t)(packet[0] & 15) * 4 + 8;
    uint8_t e[28 + 68] = {0x45, 0, 0, (uint8_t)(28 + quoted), [8] = 64, 1, [20] = 3, 4};

    wire_stats.too_big++;
    wire_stats.swallowed += wire_model.black_hole;
    if (wire_model.black_hole || (packet[6] & 0x40) == 0 || packet[9] == 1)
        return;
    for (int i = 0; i < 4; i++)
        e[12 + i] = (uint8_t)(ROUTER_IP >> (24 - 8 * i));
    memcpy(e + 16, packet + 12, 4);
    e[26] = (uint8_t)(wire_model.path_mtu >> 8);
    e[27] = (uint8_t)wire_model.path_mtu;
    memcpy(e + 28, packet, quoted);
    put_checksum(e + 10, e, 20);
    put_checksum(e + 22, e + 20, 8 + quoted);
    launch(sim.now + delay_ns, e, 28 + quoted, -1, 0);
}

bool wire_send(uint32_t from_ip, const uint8_t *packet, size_t n)
{
    const struct wire_model *m = &wire_model;
    bool full, lost = sim_chance(m->loss), twice = sim_chance(m->duplicate), bad = sim_chance(m->corrupt);
    uint64_t late = sim_chance(m->reorder) ? sim_random() % (m->reorder_ns + 1) : 0;
    uint64_t jitter = sim_random() % (m->jitter_ns + 1), line = line_delay(from_ip, n, &full);
    uint32_t place = sim_below((uint32_t)n), bit = sim_below(8);

    wire_stats.sent++;
    if (full || n > m->mtu)
        return false;
    if (packet[0] >> 4 != 4 && !(m->six && packet[0] >> 4 == 6)) { /* an answer to damage that looks like IPv6 */
        if (wire_six != NULL)
            wire_six(packet, n);
        else
            wire_stats.nobody++;
        return true;
    }
    if (lost || m->down || (wire_fate != NULL && wire_fate(packet, n))) {
        wire_stats.lost++;
        return true;
    }
    if (m->path_mtu != 0 && n > m->path_mtu) {
        too_big(packet, line + m->delay_ns);
        return true;
    }
    for (int copy = 0; copy <= (twice ? 1 : 0); copy++) {
        uint64_t under_way = line + m->delay_ns + jitter + (copy == 0 ? late : late / 2 + 1);
        wire_stats.duplicated += copy == 1;
        launch(sim.now + under_way, packet, n, bad ? (int)place : -1, bit);
    }
    return true;
}
