/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_opt.c: TCP options, read and written (RFC 9293 3.1, RFC 7323,
 * RFC 2018). Pure functions.
 */
#include <net/stack/tcp.h>

enum { OPT_END = 0, OPT_NOP = 1, OPT_MSS = 2, OPT_WSCALE = 3, OPT_SACK_OK = 4, OPT_SACK = 5, OPT_TS = 8 };

void tcp_parse_options(struct tcp_in *in, const uint8_t *p, uint32_t n)
{
    bool syn = (in->flags & TCP_SYN) != 0;

    /* What nearly every segment carries: two NOPs and a time stamp. */
    if (n == 12 && get32(p) == 0x0101080au) {
        in->ts_on = true;
        in->tsval = get32(p + 4);
        in->tsecr = get32(p + 8);
        return;
    }
    while (n > 0 && *p != OPT_END) {
        uint32_t len;
        if (*p == OPT_NOP) {
            p++;
            n--;
            continue;
        }
        if (n < 2 || (len = p[1]) < 2 || len > n)
            return; /* broken: the rest cannot be told apart */
        if (*p == OPT_MSS && len == 4 && syn) {
            in->mss = get16(p + 2);
        } else if (*p == OPT_WSCALE && len == 3 && syn) {
            in->wscale_on = true;
            in->wscale = p[2] > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : p[2]; /* RFC 7323 2.3 */
        } else if (*p == OPT_SACK_OK && len == 2 && syn) {
            in->sack_ok = true;
        } else if (*p == OPT_SACK && len >= 10 && (len - 2) % 8 == 0 && !syn) {
            in->sack_n = (len - 2) / 8;
            in->sack = p + 2;
        } else if (*p == OPT_TS && len == 10) {
            in->ts_on = true;
            in->tsval = get32(p + 2);
            in->tsecr = get32(p + 6);
        }
        p += len;
        n -= len;
    }
}

unsigned tcp_put_ts(uint8_t *p, uint32_t val, uint32_t ecr)
{
    put32(p, 0x0101080au);
    put32(p + 4, val);
    put32(p + 8, ecr);
    return 12;
}

unsigned tcp_put_syn_options(uint8_t *p, uint16_t mss, int wscale, bool sack, bool ts, uint32_t tsval,
                             uint32_t tsecr)
{
    unsigned n = 4;

    put32(p, 0x02040000u | mss);
    if (ts)
        n += tcp_put_ts(p + n, tsval, tsecr);
    if (wscale >= 0) {
        put32(p + n, 0x01030300u | (uint32_t)wscale);
        n += 4;
    }
    if (sack) {
        put32(p + n, 0x01010402u);
        n += 4;
    }
    return n;
}
