/* SPDX-License-Identifier: MIT
 *
 * drivers/rtl8139_cplus.c: the descriptor mode of the RTL8139C+ (rtl8139=cplus).
 *
 * Owns: the descriptor rings and buffers of a card that is driven so. A frame has
 * one descriptor: it is copied into and out of buffers of its own size, as in the
 * classic mode, but 64 and 30 of them instead of a ring and four.
 *
 * The card claims to make and check TCP's and UDP's checksums. What a card claims
 * is not believed: at attach it sends itself frames in loopback, right and wrong
 * ones, and each direction is used only when all came out as they must.
 * Context and lock: as in rtl8139.c.
 */
#include <drivers/rtl8139.h>

#define RX_COUNT   64u
#define RX_BYTES   2048u
#define RX_ORDER_C 5 /* buffers */
#define TX_COUNT   30u
#define TX_ORDER_C 4 /* a page of descriptors, then buffers */
#define TX_DESC_AT 1024u /* in that page; a ring begins at a multiple of 256 */

_Static_assert(RX_COUNT * RX_BYTES == PAGE_SIZE << RX_ORDER_C, "a buffer for each descriptor");
_Static_assert(PAGE_SIZE + TX_COUNT * TX_BUF == PAGE_SIZE << TX_ORDER_C, "likewise");

#define LOOP_DEADLINE_US 20000u
#define LOOP_PAYLOAD     200u
#define ETH_BYTES        14u
#define IP_BYTES         20u
#define PROTO_TCP        6u
#define PROTO_UDP        17u

struct cp_desc {
    volatile uint32_t control, vlan;
    uint32_t addr_lo, addr_hi;
};

static struct cp_desc *rx_desc(struct rtl *n, unsigned i) { return (struct cp_desc *)n->tx_buf + i % RX_COUNT; }
static struct cp_desc *tx_desc(struct rtl *n, unsigned i)
{
    return (struct cp_desc *)(n->tx_buf + TX_DESC_AT) + i % TX_COUNT;
}
static uint8_t *tx_buffer(struct rtl *n, unsigned i) { return n->tx_buf + PAGE_SIZE + i % TX_COUNT * TX_BUF; }

/* Everything else is written before the descriptor changes hands. */
static void give(struct cp_desc *d, uint32_t control)
{
    __asm__ volatile("" ::: "memory");
    d->control = control | CPD_OWN;
    __asm__ volatile("" ::: "memory");
}

static void rx_give(struct rtl *n, unsigned i)
{
    give(rx_desc(n, i), RX_BYTES | (i % RX_COUNT == RX_COUNT - 1 ? CPD_END : 0));
}

/* --- start ---------------------------------------------------------------- */

static void rings_on(struct rtl *n, uint32_t tcr)
{
    uint64_t base = virt_to_phys(n->tx_buf);

    n->rx_at = 0;
    n->tx_head = n->tx_tail = 0;
    for (unsigned i = 0; i < RX_COUNT; i++) {
        uint64_t at = virt_to_phys(n->ring + i * RX_BYTES);

        *rx_desc(n, i) = (struct cp_desc){.addr_lo = (uint32_t)at, .addr_hi = (uint32_t)(at >> 32)};
        rx_give(n, i);
    }
    for (unsigned i = 0; i < TX_COUNT; i++) {
        uint64_t at = virt_to_phys(tx_buffer(n, i));

        *tx_desc(n, i) = (struct cp_desc){.addr_lo = (uint32_t)at, .addr_hi = (uint32_t)(at >> 32)};
    }
    /* The ring addresses count only once the mode is on. */
    w16(n, CPCR, CPCR_TX | CPCR_RX | CPCR_MULTI_READ | CPCR_RX_CSUM);
    w32(n, RXRING, (uint32_t)base);
    w32(n, RXRING + 4, (uint32_t)(base >> 32));
    w32(n, TXRING, (uint32_t)(base + TX_DESC_AT));
    w32(n, TXRING + 4, (uint32_t)((base + TX_DESC_AT) >> 32));
    w8(n, CR, CR_RE | CR_TE);
    w32(n, RCR, RCR_VALUE); /* takes effect only while RE is set (C-RTL-4) */
    w32(n, TCR, tcr);
}

/* --- receive -------------------------------------------------------------- */

static uint8_t verified(const struct rtl *n, uint32_t control)
{
    unsigned proto = CPR_PROTO(control);
    uint32_t bad = proto == 1 ? CPR_TCP_BAD : CPR_UDP_BAD;

    if (!(n->link.features & LINKO_RX_CSUM) || (proto != 1 && proto != 2) || (control & (bad | CPR_IP_BAD)))
        return CSUM_NONE;
    return CSUM_VERIFIED;
}

static int cp_rx_take(struct rtl *n, int budget)
{
    int done = 0;

    for (; done < budget; done++) { /* C-BOUND-1 */
        struct cp_desc *d = rx_desc(n, n->rx_at);
        uint32_t control = d->control, len = control & CPR_LENGTH;

        if (control & CPD_OWN)
            break;
        /* One buffer holds any frame; a length that it cannot hold is a lie (C-RTL-5). */
        if ((control & (CPD_FIRST | CPD_LAST)) != (CPD_FIRST | CPD_LAST) || (control & CPR_ERROR) ||
            len < ETH_CRC_MIN || len > RX_BYTES) {
            n->link.rx_errors++;
        } else {
            struct link_rx_meta meta = {verified(n, control), 0};

            link_rx(&n->link, n->ring + n->rx_at % RX_COUNT * RX_BYTES, len - RX_CRC, &meta);
        }
        rx_give(n, n->rx_at);
        n->rx_at = (n->rx_at + 1) % RX_COUNT;
    }
    return done;
}

/* The descriptors that were read are the card's again, and it goes on by itself. */
static void cp_rx_overflow(struct rtl *n, uint16_t isr)
{
    (void)n;
    (void)isr;
}

/* --- transmit ------------------------------------------------------------- */

static uint32_t sum_words(const uint8_t *p, size_t bytes)
{
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < bytes; i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    if (bytes & 1)
        sum += (uint32_t)p[bytes - 1] << 8;
    return sum;
}

/* RFC 1071 over what follows `start`; the field there holds the pseudo-header's sum. */
static uint16_t finish_sum(const uint8_t *frame, size_t start, size_t len)
{
    uint32_t sum = sum_words(frame + start, len - start);

    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void software_sum(uint8_t *frame, size_t start, size_t offset, size_t len)
{
    uint16_t sum = finish_sum(frame, start, len);

    if (sum == 0 && offset == 6) /* RFC 768: zero would say "none" */
        sum = 0xffff;
    frame[start + offset] = (uint8_t)(sum >> 8);
    frame[start + offset + 1] = (uint8_t)sum;
}

/* What the card can finish: TCP and UDP behind a plain IPv4 header. */
static uint32_t card_sum(const struct rtl *n, const struct netbuf *nb, const uint8_t *frame)
{
    bool plain = frame[12] == 0x08 && frame[13] == 0 && frame[ETH_BYTES] == 0x45 &&
                 nb->csum_start == ETH_BYTES + IP_BYTES;

    if (!(n->link.features & LINKO_TX_CSUM) || !plain)
        return 0;
    return frame[ETH_BYTES + 9] == PROTO_TCP   ? CPT_TCP_CSUM
           : frame[ETH_BYTES + 9] == PROTO_UDP ? CPT_UDP_CSUM
                                               : 0;
}

static void cp_tx_reclaim(struct rtl *n)
{
    while (n->tx_tail != n->tx_head && !(tx_desc(n, n->tx_tail)->control & CPD_OWN)) /* C-RTL-3 */
        n->tx_tail++;
}

static void send_slot(struct rtl *n, size_t len, uint32_t sums)
{
    unsigned i = n->tx_head++;

    give(tx_desc(n, i), CPD_FIRST | CPD_LAST | (i % TX_COUNT == TX_COUNT - 1 ? CPD_END : 0) | sums | (uint32_t)len);
    w8(n, TPPOLL, TPPOLL_NORMAL);
}

static void cp_tx_one(struct rtl *n, struct netbuf *nb)
{
    uint8_t *frame = tx_buffer(n, n->tx_head);
    uint32_t sums = 0;
    size_t len;

    if (nb->total_len > FRAME_MAX) {
        n->link.tx_errors++;
        netbuf_done(nb, -EMSGSIZE);
        return;
    }
    len = netbuf_flatten(nb, frame);
    if (nb->csum == CSUM_PARTIAL) {
        sums = card_sum(n, nb, frame);
        if (sums == 0)
            software_sum(frame, nb->csum_start, nb->csum_offset, len);
    }
    send_slot(n, rtl_pad(frame, len), sums);
    netbuf_done(nb, 0);
}

/* --- is it true what the card claims? --------------------------------------- */

/* A frame from us to us, its checksum field as libnet leaves it. */
static size_t loop_frame(const struct rtl *n, uint8_t *f, uint8_t proto)
{
    static const uint8_t ip[IP_BYTES] = {0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, 0, 0, 0, 10, 1, 2, 3, 10, 4, 5, 6};
    size_t l4 = (proto == PROTO_TCP ? 20 : 8) + LOOP_PAYLOAD, len = ETH_BYTES + IP_BYTES + l4;
    uint8_t *t = f + ETH_BYTES + IP_BYTES;
    uint32_t sum;

    __builtin_memset(f, 0, len);
    __builtin_memcpy(f, n->link.mac, 6);
    __builtin_memcpy(f + 6, n->link.mac, 6);
    f[12] = 0x08;
    __builtin_memcpy(f + ETH_BYTES, ip, IP_BYTES);
    f[ETH_BYTES + 2] = (uint8_t)((IP_BYTES + l4) >> 8);
    f[ETH_BYTES + 3] = (uint8_t)(IP_BYTES + l4);
    f[ETH_BYTES + 9] = proto;
    software_sum(f, ETH_BYTES, 10, ETH_BYTES + IP_BYTES);
    for (size_t i = 0; i < l4; i++)
        t[i] = (uint8_t)(i * 37 + proto);
    if (proto == PROTO_TCP) {
        t[12] = 0x50; /* five words of header */
        t[13] = 0x10; /* ACK */
    } else {
        t[4] = (uint8_t)(l4 >> 8);
        t[5] = (uint8_t)l4;
    }
    sum = sum_words(f + ETH_BYTES + 12, 8) + proto + (uint32_t)l4;
    sum = (sum & 0xffff) + (sum >> 16);
    t[proto == PROTO_TCP ? 16 : 6] = (uint8_t)(sum >> 8);
    t[proto == PROTO_TCP ? 17 : 7] = (uint8_t)sum;
    return len;
}

/* Sends what lies in the next buffer and waits for it; the receive descriptor's
 * word, 0 when it did not come back. The frame is at *back then. */
static uint32_t loop(struct rtl *n, size_t len, uint32_t sums, const uint8_t **back)
{
    struct cp_desc *d = rx_desc(n, n->rx_at);
    uint32_t control;

    *back = n->ring + n->rx_at % RX_COUNT * RX_BYTES;
    send_slot(n, len, sums);
    for (uint32_t us = 0; us < LOOP_DEADLINE_US && (d->control & CPD_OWN); us += 10)
        delay_us(10);
    control = d->control;
    if ((control & CPD_OWN) || (control & CPR_LENGTH) != len + RX_CRC)
        return 0;
    n->rx_at = (n->rx_at + 1) % RX_COUNT;
    return control;
}

/* The card finishes the sum to what it must be. */
static bool makes_sums(struct rtl *n, uint8_t proto)
{
    uint8_t *f = tx_buffer(n, n->tx_head);
    const uint8_t *back;
    uint8_t want[2];
    size_t field = ETH_BYTES + IP_BYTES + (proto == PROTO_TCP ? 16 : 6), len = loop_frame(n, f, proto);
    uint16_t sum = finish_sum(f, ETH_BYTES + IP_BYTES, len);

    want[0] = (uint8_t)(sum >> 8);
    want[1] = (uint8_t)sum;
    return loop(n, len, proto == PROTO_TCP ? CPT_TCP_CSUM : CPT_UDP_CSUM, &back) != 0 && back[field] == want[0] &&
           back[field + 1] == want[1];
}

/* The card tells a right sum from a wrong one. */
static bool checks_sums(struct rtl *n, uint8_t proto)
{
    uint32_t good, bad, kind = proto == PROTO_TCP ? 1 : 2, flag = proto == PROTO_TCP ? CPR_TCP_BAD : CPR_UDP_BAD;
    const uint8_t *back;

    for (unsigned wrong = 0; wrong < 2; wrong++) {
        uint8_t *f = tx_buffer(n, n->tx_head);
        size_t len = loop_frame(n, f, proto);

        software_sum(f, ETH_BYTES + IP_BYTES, proto == PROTO_TCP ? 16 : 6, len);
        f[len - 1] ^= (uint8_t)wrong;
        *(wrong ? &bad : &good) = loop(n, len, 0, &back);
    }
    return CPR_PROTO(good) == kind && !(good & (flag | CPR_IP_BAD)) && CPR_PROTO(bad) == kind && (bad & flag);
}

static void prove_offloads(struct rtl *n)
{
    bool made, checked;

    for (unsigned i = 0; i < 6; i++) /* the frames' address */
        n->link.mac[i] = r8(n, IDR0 + i);
    rings_on(n, TCR_VALUE | TCR_LOOPBACK);
    made = makes_sums(n, PROTO_TCP) && makes_sums(n, PROTO_UDP);
    checked = checks_sums(n, PROTO_TCP) && checks_sums(n, PROTO_UDP);
    /* C-RTL-6 */
    n->link.features = (made ? LINKO_TX_CSUM : 0) | (checked ? LINKO_RX_CSUM : 0);
    klog(LOG_INFO, "rtl8139: C+ mode, checksums made by %s, checked by %s", made ? "the card" : "software",
         checked ? "the card" : "software");
    w8(n, CR, 0);
    w32(n, TCR, TCR_VALUE);
}

/* The first start is the attach's, right after a reset: another follows the test. */
static void cp_start(struct rtl *n)
{
    if (!n->proved) {
        n->proved = true;
        prove_offloads(n);
        if (rtl_chip_reset(n) < 0)
            n->link.features = 0; /* the attach's next reset says so, too */
    }
    rings_on(n, TCR_VALUE);
}

const struct rtl_face rtl_cplus = {
    .name = "rtl8139 C+",
    .rx_order = RX_ORDER_C,
    .tx_order = TX_ORDER_C,
    .tx_slots = TX_COUNT,
    .start = cp_start,
    .rx_take = cp_rx_take,
    .rx_overflow = cp_rx_overflow,
    .tx_reclaim = cp_tx_reclaim,
    .tx_one = cp_tx_one,
};
