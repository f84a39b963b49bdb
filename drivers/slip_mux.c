/* SPDX-License-Identifier: MIT
 *
 * drivers/slip_mux.c: console text and IP packets on one line.
 *
 * Owns, context: see slip_mux.h.
 */
#include <drivers/slip_mux.h>
#include <kernel/console.h>

#define NOT_TEXT 0x80u /* no terminal types such bytes unasked */

void slip_mux_init(struct slip_mux *m, bool on)
{
    *m = (struct slip_mux){.on = on, .outside = on};
}

void slip_mux_heard(struct slip_mux *m, struct slip_rx *rx, uint64_t now_ns)
{
    if (m->on && !m->outside && now_ns - m->heard_ns > SLIP_SILENCE_NS) {
        slip_rx_restart(rx);
        m->outside = true;
    }
    m->heard_ns = now_ns;
}

size_t slip_mux_bare(struct slip_mux *m, struct slip_rx *rx, const uint8_t *in, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (in[i] == SLIP_END) {
            m->outside = false;
            return i + 1;
        }
        if (in[i] >= NOT_TEXT) { /* C-SLIP-10 */
            m->stray++;
            m->outside = false;
            rx->dropping = true;
            return i + 1;
        }
        console_input(in[i]);
    }
    return bytes;
}

bool slip_mux_frame(struct slip_mux *m, const uint8_t *frame, size_t bytes, bool compressed)
{
    uint8_t kind = frame[0];
    bool ip = compressed || (kind >= 0x45 && kind <= 0x4f) || (kind >= 0x60 && kind <= 0x6f);

    m->outside = true;
    if (ip)
        return true;
    if (kind == SLIP_KIND_TEXT) {
        for (size_t i = 1; i < bytes; i++)
            console_input(frame[i]);
    } else if (kind == SLIP_KIND_CONFIG) {
        m->config++;
    } else {
        m->unknown++;
        m->outside = false; /* rather what stood between two frames: the next byte begins one */
    }
    return false;
}
