/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/fuzz_slip.c: libFuzzer entry: bytes from a serial line (RFC 1055) with
 * compressed headers (RFC 1144); and packets on their way out, which must come back
 * as they were.
 */
#include <drivers/slip_codec.h>
#include <drivers/vj.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CAP 1006

static uint8_t frame[CAP];
static struct vj line, peer;

static void frame_came(const uint8_t *p, size_t n)
{
    uint8_t *exact = malloc(n), out[VJ_HEADER_MAX];
    size_t skip = 0, h;

    memcpy(exact, p, n);
    if (vj_is_type(exact[0])) {
        h = vj_decompress(&line, exact, n, out, &skip);
        if (h > VJ_HEADER_MAX || (h != 0 && skip > n))
            abort();
    }
    free(exact);
}

static void receive(const uint8_t *p, size_t n, size_t step)
{
    struct slip_rx rx;
    size_t len;

    slip_rx_init(&rx, frame, sizeof(frame));
    vj_init(&line);
    while (n != 0) {
        size_t piece = n < step ? n : step;
        for (size_t used = 0; used < piece;) {
            used += slip_decode(&rx, p + used, piece - used, &len);
            if (len > CAP)
                abort();
            if (len != 0)
                frame_came(rx.buf, len);
        }
        if ((rx.oversize & 1) != 0)
            vj_line_error(&line);
        p += piece;
        n -= piece;
    }
}

/* A packet is compressed and escaped here, and read again by the peer. */
static void there_and_back(const uint8_t *p, size_t n)
{
    uint8_t packet[VJ_HEADER_MAX + 256], wire[SLIP_ENCODED_MAX(sizeof(packet)) + 1], out[VJ_HEADER_MAX];
    size_t out_len = 0, replaced, skip = 0, len = 0, used, h, m;
    struct slip_rx rx;

    replaced = vj_compress(&line, p, n, n, out, &out_len);
    if (replaced > n || out_len > sizeof(out))
        abort();
    memcpy(packet, out, replaced != 0 ? out_len : 0);
    m = (replaced != 0 ? out_len : 0) + n - replaced;
    memcpy(packet + m - (n - replaced), p + replaced, n - replaced);
    used = slip_encode(wire, packet, m);
    wire[used++] = SLIP_END;
    slip_rx_init(&rx, frame, sizeof(frame));
    if (slip_decode(&rx, wire, used, &len) != used || len != m || memcmp(rx.buf, packet, m) != 0)
        abort();
    if (replaced == 0 || !vj_is_type(frame[0]))
        return;
    h = vj_decompress(&peer, frame, len, out, &skip);
    if (h == 0 || h + len - skip != n || memcmp(out, p, h) != 0 ||
        memcmp(frame + skip, p + h, len - skip) != 0)
        abort();
}

/* Headers as TCP has them: the input changes the fields of the one before. */
static void send(const uint8_t *p, size_t n)
{
    uint8_t packet[60] = {0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 80, 4, 0};

    vj_init(&line);
    vj_init(&peer);
    packet[32] = 5 << 4;
    packet[33] = 0x10;
    while (n >= 2) {
        uint32_t sum = 0;
        unsigned at = p[0] % 44;
        if (at >= 4 && at != 9)
            packet[at] = (uint8_t)(packet[at] + p[1]);
        packet[3] = (uint8_t)(40 + p[0] % 5);
        packet[10] = packet[11] = 0;
        for (unsigned i = 0; i < 20; i += 2)
            sum += (uint32_t)(packet[i] << 8 | packet[i + 1]);
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        packet[10] = (uint8_t)(~sum >> 8);
        packet[11] = (uint8_t)~sum;
        there_and_back(packet, packet[3]);
        p += 2;
        n -= 2;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if ((data[0] & 1) != 0)
        send(data + 1, size - 1);
    else
        receive(data + 1, size - 1, data[0] / 2 + 1u);
    return 0;
}
