/* SPDX-License-Identifier: MIT
 *
 * servers/shell/ping.c: echo requests (RFC 792, RFC 4443) over a datagram socket of
 * protocol ICMP or ICMPv6: the system chooses the id and owns the checksum.
 */
#include "shell.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER       8
#define DATA_MAX     1464
#define DATA_DEFAULT 56
#define HOST_TEXT 64

struct ping {
    int fd;
    struct sockaddr_storage to;
    socklen_t to_len;
    char name[HOST_TEXT];
    size_t bytes;
    uint64_t sent_ns[256]; /* by sequence number, modulo */
    unsigned sent, received;
    uint64_t min_us, max_us, sum_us;
};

static const char *name_of(const struct sockaddr_storage *a, socklen_t len, char text[HOST_TEXT])
{
    if (getnameinfo((const struct sockaddr *)a, len, text, HOST_TEXT, NULL, 0, NI_NUMERICHOST) != 0)
        strcpy(text, "?");
    return text;
}

static int send_one(struct ping *p)
{
    uint8_t packet[HEADER + DATA_MAX] = {p->to.ss_family == AF_INET6 ? 128 : 8}; /* type: echo request */
    uint16_t seq = (uint16_t)p->sent;

    packet[6] = (uint8_t)(seq >> 8);
    packet[7] = (uint8_t)seq;
    for (size_t i = 0; i < p->bytes; i++)
        packet[HEADER + i] = (uint8_t)i;
    p->sent_ns[seq % 256] = sys_now_ns();
    p->sent++;
    return sendto(p->fd, packet, HEADER + p->bytes, 0, (struct sockaddr *)&p->to, p->to_len) < 0 ? -errno : 0;
}

static void take_one(struct ping *p)
{
    uint8_t packet[HEADER + DATA_MAX];
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    char text[HOST_TEXT];

    ssize_t n = recvfrom(p->fd, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
    if (n < HEADER || packet[0] != (p->to.ss_family == AF_INET6 ? 129 : 0))
        return;
    unsigned seq = (unsigned)(packet[6] << 8 | packet[7]);
    uint64_t us = (sys_now_ns() - p->sent_ns[seq % 256]) / 1000;
    p->received++;
    p->sum_us += us;
    p->min_us = us < p->min_us ? us : p->min_us;
    p->max_us = us > p->max_us ? us : p->max_us;
    printf("%d bytes from %s: seq=%u time=%u.%03u ms\n", (int)n,
           name_of(&from, len, text), seq, (unsigned)(us / 1000),
           (unsigned)(us % 1000));
    fflush(stdout);
}

/* Until the next request is due: replies and keys. */
static void wait_replies(struct ping *p, int ms)
{
    uint64_t until = sys_now_ns() + (uint64_t)ms * 1000000u;

    while (!shell_interrupted()) {
        uint64_t now = sys_now_ns();
        struct pollfd fds[2] = {{.fd = p->fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
        if (now >= until || poll(fds, 2, (int)((until - now) / 1000000u) + 1) <= 0)
            return;
        if (fds[0].revents != 0)
            take_one(p);
        if (p->received == p->sent && ms > 1000)
            return; /* nothing is outstanding at the end */
    }
}

static int run(struct ping *p, unsigned count)
{
    printf("PING %s: %u data bytes\n", p->name, (unsigned)p->bytes);
    for (unsigned i = 0; i < count && !shell_interrupted(); i++) {
        int r = send_one(p);
        if (r < 0)
            shell_error("ping", r);
        wait_replies(p, i + 1 < count ? 1000 : 2000);
    }
    printf("%u sent, %u received", p->sent, p->received);
    if (p->received > 0)
        printf(", min/avg/max %llu/%llu/%llu us", (unsigned long long)p->min_us,
               (unsigned long long)(p->sum_us / p->received), (unsigned long long)p->max_us);
    putchar('\n');
    return p->received > 0 ? 0 : 1;
}

int cmd_ping(int argc, char **argv)
{
    static struct ping p;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM}, *found = NULL;
    uint64_t count = 4, bytes = DATA_DEFAULT;
    int i = 1;

    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "-4") == 0 || strcmp(argv[i], "-6") == 0) {
            hints.ai_family = argv[i--][1] == '4' ? AF_INET : AF_INET6;
            continue;
        }
        bool ok = strcmp(argv[i], "-c") == 0   ? shell_number(argv[i + 1], 1000000, &count)
                  : strcmp(argv[i], "-s") == 0 ? shell_number(argv[i + 1], DATA_MAX, &bytes)
                                               : false;
        if (!ok)
            break;
    }
    if (i != argc - 1 || argv[i][0] == '-')
        return SHELL_USAGE;
    int r = getaddrinfo(argv[i], NULL, &hints, &found);
    if (r != 0) {
        printf("ping: %s: %s\n", argv[i], gai_strerror(r));
        return 1;
    }
    p = (struct ping){.bytes = bytes, .min_us = UINT64_MAX};
    memcpy(&p.to, found->ai_addr, found->ai_addrlen);
    p.to_len = found->ai_addrlen;
    name_of(&p.to, p.to_len, p.name);
    freeaddrinfo(found);
    p.fd = socket(p.to.ss_family, SOCK_DGRAM, p.to.ss_family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
    if (p.fd < 0)
        return shell_error("ping: socket", -errno);
    r = run(&p, (unsigned)count);
    close(p.fd);
    return r;
}
