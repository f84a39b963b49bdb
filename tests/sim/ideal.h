/* SPDX-License-Identifier: MIT
 *
 * tests/sim/ideal.h: one bulk transfer, and a sender for it that knows all.
 *
 * The path has a round trip, a rate that the window may exceed (a queue without
 * end stands before it) and a loss that is decided by number: the fate of the
 * n-th packet with data that enters it depends on the seed and n alone, whoever
 * sends. So libnet (throughput.c) and the ideal sender meet the same pattern.
 */
#ifndef TESTS_SIM_IDEAL_H
#define TESTS_SIM_IDEAL_H

#include <tests/sim/sim.h>

struct transfer {
    uint32_t loss; /* per mille */
    uint64_t rtt_ns, seed;
    uint32_t window;   /* bytes: the receiver's buffer, and the sender's */
    uint32_t segments; /* of BULK_MSS */
};
#define BULK_MSS     1448u /* with time stamps, in packets of BULK_PACKET bytes */
#define BULK_PACKET  1500u
#define BULK_BYTE_NS 1u /* the path's rate: 1 GB/s */

struct transfer_result {
    uint64_t all_ns;  /* from the connection's start until the last byte has arrived */
    uint64_t half_ns; /* the second half of the bytes alone */
    uint64_t sent, lost;
};

bool bulk_lost(const struct transfer *t, uint64_t n); /* is the n-th packet with data lost? */
void ideal_transfer(const struct transfer *t, struct transfer_result *r);

#endif
