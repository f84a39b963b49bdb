/* SPDX-License-Identifier: MIT
 *
 * drivers/slip_codec.c: packets to bytes and back (RFC 1055).
 *
 * Owns, context: see slip_codec.h.
 */
#include <drivers/slip_codec.h>

void slip_rx_init(struct slip_rx *rx, uint8_t *buf, size_t cap)
{
    *rx = (struct slip_rx){.buf = buf, .cap = cap};
}

void slip_rx_restart(struct slip_rx *rx)
{
    rx->len = 0;
    rx->escaped = rx->dropping = false;
}

/* END: hand over what was collected, or forgive what went wrong. */
static size_t end_of_frame(struct slip_rx *rx)
{
    size_t len = rx->len;

    if (rx->escaped && !rx->dropping) {
        rx->escapes++; /* ESC END */
        rx->dropping = true;
    }
    if (rx->dropping)
        len = 0;
    slip_rx_restart(rx);
    if (len != 0)
        rx->frames++;
    return len;
}

/* The byte that an escape stands for. RFC 1055 lets a receiver keep the byte
 * of a broken one; such a packet is damaged, so it is dropped instead. */
static uint8_t unescape(struct slip_rx *rx, uint8_t b)
{
    rx->escaped = false;
    if (b == SLIP_ESC_END)
        return SLIP_END;
    if (b == SLIP_ESC_ESC)
        return SLIP_ESC;
    if (!rx->dropping)
        rx->escapes++;
    rx->dropping = true;
    return b;
}

size_t slip_decode(struct slip_rx *rx, const uint8_t *in, size_t bytes, size_t *frame)
{
    *frame = 0;
    for (size_t i = 0; i < bytes; i++) {
        uint8_t b = in[i];

        if (b == SLIP_END) {
            *frame = end_of_frame(rx);
            if (*frame != 0)
                return i + 1;
            continue;
        }
        if (b == SLIP_ESC && !rx->escaped) {
            rx->escaped = true;
            continue;
        }
        if (rx->escaped)
            b = unescape(rx, b);
        if (rx->dropping)
            continue;
        if (rx->len == rx->cap) { /* C-SLIP-2 */
            rx->oversize++;
            rx->dropping = true;
            continue;
        }
        rx->buf[rx->len++] = b;
    }
    return bytes;
}

size_t slip_encode(uint8_t *out, const uint8_t *in, size_t bytes)
{
    uint8_t *p = out;

    for (size_t i = 0; i < bytes; i++) {
        uint8_t b = in[i];

        if (b == SLIP_END || b == SLIP_ESC) {
            *p++ = SLIP_ESC;
            b = b == SLIP_END ? SLIP_ESC_END : SLIP_ESC_ESC; /* C-SLIP-1 */
        }
        *p++ = b;
    }
    return (size_t)(p - out);
}
