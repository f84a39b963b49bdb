/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/fuzz_dhcp.c: libFuzzer entry: a DHCP client, the clock, and whatever
 * comes to port 68. The input is a row of steps: time, a link that comes back, a
 * conflict, or a message; most messages answer the last one sent, so that their
 * options are looked at.
 */
#include <net/stack/dhcp.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FIXED 240 /* the options begin behind the magic cookie */

static void check(const struct dhcp_client *c)
{
    const struct dhcp_lease *l = &c->lease;

    if (l->prefix > 32 || l->ndns > DHCP_DNS_MAX || l->nroutes > DHCP_ROUTES_MAX ||
        memchr(l->hostname, 0, sizeof(l->hostname)) == NULL ||
        memchr(l->domain, 0, sizeof(l->domain)) == NULL)
        abort();
    for (unsigned i = 0; i < l->nroutes; i++)
        if (l->route[i].prefix > 32)
            abort();
    (void)dhcp_state_name(c->state);
}

/* n bytes of options after the fixed part of an answer; or all of it as it comes. */
static void message(struct dhcp_client *c, const struct dhcp_output *last, bool raw, const uint8_t *p,
                    size_t n, uint64_t now)
{
    size_t len = raw ? n : FIXED + n;
    uint8_t *m = calloc(1, len != 0 ? len : 1);

    if (!raw) {
        memcpy(m, last->message, FIXED);
        m[0] = 2;
        m[16] = 10;
        m[19] = 77;
    }
    memcpy(m + len - n, p, n);
    dhcp_input(c, m, len, now);
    free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
    struct dhcp_client c;
    struct dhcp_output out = {.len = 0}, last = out;
    uint64_t now = 1000000000ull;

    dhcp_start(&c, mac, 7, now);
    while (size >= 2) {
        uint8_t op = data[0], arg = data[1];
        size_t n = 0;
        data += 2;
        size -= 2;
        switch (op & 7) {
        case 0:
            now += (uint64_t)arg * 1000000000ull << (op >> 4);
            break;
        case 1:
            now = dhcp_deadline(&c) > now && dhcp_deadline(&c) < now + (1ull << 60) ? dhcp_deadline(&c) : now;
            break;
        case 2:
            dhcp_reboot(&c, now);
            break;
        case 3:
            dhcp_conflict(&c, now);
            break;
        default:
            n = arg < size ? arg : size;
            message(&c, &last, (op & 0x80) != 0, data, n, now);
            break;
        }
        data += n;
        size -= n;
        for (unsigned i = 0; i < 4; i++) {
            dhcp_poll(&c, now, &out);
            if (out.len > sizeof(out.message))
                abort();
            if (out.len == 0)
                break;
            last = out;
        }
        check(&c);
    }
    return 0;
}
