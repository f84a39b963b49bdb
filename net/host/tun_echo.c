/* SPDX-License-Identifier: MIT
 *
 * net/host/tun_echo.c: a TCP echo server with its own TCP/IP, on a TUN device.
 *
 *   ip tuntap add slw0 mode tun && ip addr add 10.9.0.1/24 dev slw0 && ip link set slw0 up
 *   tun_echo slw0 10.9.0.2 &   nc 10.9.0.2 7
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/host/hostnet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static int output(void *ctx, const uint8_t *packet, size_t n)
{
    return write(*(int *)ctx, packet, n) == (ssize_t)n ? 0 : -ENOBUFS;
}
static void entropy(void *ctx, void *buf, size_t n)
{
    if (getrandom(buf, n, 0) != (ssize_t)n)
        err(1, "no random bytes for device %d", *(int *)ctx);
}
static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
static void echo(struct nsock **c) /* what was sent is read; the rest waits for room */
{
    char buf[4096];
    int n = ns_recv(*c, buf, sizeof(buf), NS_PEEK, NULL);
    int sent = n > 0 ? ns_send(*c, buf, (size_t)n, 0, NULL) : n;
    if (sent > 0)
        ns_recv(*c, buf, (size_t)sent, 0, NULL);
    else if (sent != -EAGAIN) /* the end, or an error */
        ns_close(*c), *c = NULL;
}
int main(int argc, char **argv)
{
    struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    struct hostnet_config config = {.output = output, .random = entropy, .ctx = &tun};
    struct nsock *listener, *conn[64] = {NULL};
    struct hostnet *h;
    if (argc != 3 || inet_pton(AF_INET, argv[2], config.addr4.b) != 1)
        errx(2, "usage: tun_echo DEVICE ADDRESS");
    if (tun < 0 || !strncpy(ifr.ifr_name, argv[1], IFNAMSIZ - 1) || ioctl(tun, TUNSETIFF, &ifr) < 0)
        err(1, "%s", argv[1]);
    if (hostnet_create(&h, &config, now()) < 0 ||
        ns_socket(hostnet_stack(h), NET_INET, NS_STREAM, &listener) < 0 ||
        ns_bind(listener, &(struct ns_addr){.family = NET_INET, .port = 7}) < 0 || ns_listen(listener, 16) < 0)
        errx(1, "no memory");
    for (uint64_t next = 0, t; t = now(), true;) {
        uint64_t ms = next <= t ? 0 : (next - t) / 1000000 + 1;
        uint8_t packet[65535];
        struct pollfd ready = {.fd = tun, .events = POLLIN};
        poll(&ready, 1, ms < 60000 ? (int)ms : 60000);
        if (ready.revents & POLLERR)
            errx(1, "%s: the device is gone", argv[1]);
        for (ssize_t n; (n = read(tun, packet, sizeof(packet))) > 0;)
            hostnet_input(h, now(), packet, (size_t)n);
        hostnet_run(h, now());
        for (unsigned i = 0; i < 64; i++)
            if (conn[i] != NULL || ns_accept(listener, &conn[i], NULL) == 0)
                echo(&conn[i]);
        next = hostnet_run(h, now());
    }
}
