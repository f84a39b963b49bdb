/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/fuzz_classify.c: libFuzzer entry: any bytes as a received frame.
 *
 * The input's first byte chooses the link (Ethernet, or one without a link
 * header) and whether frames get a right IPv4 header checksum, or the payload
 * length and the destination of an IPv6 header, so that the fuzzer gets past
 * them; the rest is the frame, in a buffer of exactly its size.
 * What must hold: no access out of bounds (ASan, UBSan), every packet is
 * accounted for, and what is delivered lies inside what came in.
 *
 * Build: clang -fsanitize=fuzzer,address,undefined with net/core/, kernel/rights.c
 * and tests/sim/services.c.
 */
#include <net/core/internal.h>
#include <tests/sim/services.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct link eth, serial;
static struct sys_rights rights;
static struct nc_owner owner;
static struct net_endpoint *endpoint[SLOT_COUNT + 1];

static unsigned take(struct link *l, struct netbuf *list)
{
    (void)l;
    (void)list;
    return 0;
}
static int poll(struct link *l, int budget)
{
    (void)l;
    (void)budget;
    return 0;
}
static const struct link_ops ops = {.transmit = take, .poll = poll};

static void address(uint16_t link, uint8_t family, struct net_addr a, uint8_t prefix)
{
    struct net_config c = {
        .kind = NETCFG_ADDR_ADD, .link = link, .family = family, .prefix = prefix, .addr = a};

    if (net_config_apply(NULL, &c) != 0)
        abort();
}

static const uint8_t own6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

static void own_port(uint8_t family, uint8_t proto, uint16_t port)
{
    struct net_port_op op = {.key = {.family = family, .proto = proto, .link = LINK_ANY}};

    op.key.port_lo = op.key.port_hi = port;
    rights.ports[rights.nports++] = op.key;
    if (port_register(endpoint[SLOT_COUNT], &op) != 0)
        abort();
}

static void set_up(void)
{
    host_reset(1);
    net_core_init();
    eth = (struct link){.name = "eth%d",
                        .mtu = 1500,
                        .flags = LINKF_ETHERNET | LINKF_RUNNING,
                        .ops = &ops,
                        .mac = {2, 0, 0, 0, 0, 1}};
    serial =
        (struct link){.name = "sl%d", .mtu = 1006, .flags = LINKF_POINTOPOINT | LINKF_RUNNING, .ops = &ops};
    if (link_register(&eth) != 0 || link_register(&serial) != 0)
        abort();
    address(eth.index, NET_INET, (struct net_addr){{10, 0, 0, 1}}, 24);
    address(serial.index, NET_INET, (struct net_addr){{192, 168, 7, 2}}, 32);
    address(eth.index, NET_INET6, (struct net_addr){{0xfe, 0x80, [15] = 1}}, 64);
    address(eth.index, NET_INET6, (struct net_addr){{0x20, 0x01, 0x0d, 0xb8, [15] = 1}}, 64);
    rights.bits = RIGHT_NET_DEFAULT | RIGHT_NET_FORWARD | RIGHT_NET_EPHEMERAL;
    owner_init(&owner, 1, "fuzz", &rights);
    for (unsigned i = 0; i <= SLOT_COUNT; i++) {
        struct sys_net_open io = {0};

        if (endpoint_open(&owner, &io, NULL, &endpoint[i]) != 0)
            abort();
        if (i < SLOT_COUNT && slot_register(endpoint[i], i) != 0)
            abort();
    }
    own_port(NET_INET, NET_TCP, 80);
    own_port(NET_INET, NET_UDP, 7);
    own_port(NET_INET, NET_ICMP, 5);
    own_port(NET_INET6, NET_TCP, 80);
    own_port(NET_INET6, NET_UDP, 7);
    own_port(NET_INET6, NET_ICMP6, 5);
}

static void check_records(const uint8_t *frame, size_t len)
{
    for (unsigned i = 0; i <= SLOT_COUNT; i++) {
        struct net_ring *r = endpoint_ring(endpoint[i]);

        while (r->rx_tail != r->rx_head) {
            const struct net_rx *rec =
                (const struct net_rx *)((uint8_t *)r + r->rx_off + (r->rx_tail & (r->rx_size - 1)));

            r->rx_tail += rec->size;
            if (rec->kind == RX_PAD)
                continue;
            size_t skipped = i == SLOT_COUNT && (rec->link == eth.index) ? ETH_HDR : 0;
            if (rec->len + skipped > len || memcmp(rec + 1, frame + skipped, rec->len) != 0)
                abort();
            if (i < SLOT_COUNT && rec->slot != i + 1)
                abort();
            /* What the sender is told points into its packet. */
            if (rec->problem != 0 && (i != SLOT_ICMP || rec->problem_at >= rec->len - rec->l2_len))
                abort();
        }
    }
}

static void check_books(void)
{
    struct net_counters c;
    uint64_t dropped = 0;

    if (net_info_read(NETINFO_COUNTERS, 0, &c, sizeof(c)) != sizeof(c))
        abort();
    for (unsigned i = 0; i < DROP_COUNT; i++)
        dropped += c.drop[i];
    if (c.received + c.injected != c.delivered + dropped + c.in_flight)
        abort();
}

/* An IPv6 header for what there is, to our global address. */
static void mend6(uint8_t *ip, size_t len)
{
    ip[0] = (uint8_t)(0x60 | (ip[0] & 15));
    put_be16(ip + 4, (uint16_t)(len - 40));
    memcpy(ip + 24, own6, 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    struct link *l;
    uint8_t *frame;
    size_t ip;

    if (!ready)
        set_up();
    ready = true;
    if (size < 1)
        return 0;
    l = (data[0] & 1) != 0 ? &serial : &eth;
    frame = malloc(size);
    memcpy(frame, data + 1, size - 1);
    ip = l == &eth ? ETH_HDR : 0;
    if ((data[0] & 2) != 0 && size - 1 >= ip + 20) {
        unsigned header = (frame[ip] & 15u) * 4;

        if (header >= 20 && ip + header <= size - 1) {
            frame[ip + 10] = frame[ip + 11] = 0;
            uint16_t sum = ip_checksum(frame + ip, header);
            memcpy(frame + ip + 10, &sum, 2);
        }
    }
    if ((data[0] & 4) != 0 && size - 1 >= ip + 40 && size - 1 - ip <= 0xffff + 40)
        mend6(frame + ip, size - 1 - ip);
    uint8_t *exact = malloc(size - 1 != 0 ? size - 1 : 1);
    memcpy(exact, frame, size - 1);
    link_rx(l, exact, size - 1, NULL);
    net_link_poll(l, 1);
    check_records(exact, size - 1);
    check_books();
    free(exact);
    free(frame);
    return 0;
}
