/* SPDX-License-Identifier: MIT
 *
 * tools/slipway-attach.c: join a serial line that speaks SLIP (RFC 1055) to a
 * TUN device, for hosts whose kernel has no SLIP of its own.
 *
 * The line is a tty, a pty, or a Unix or TCP socket (as QEMU offers). Runs on
 * Linux. Ends on SIGINT or SIGTERM: the tty gets its settings back, and a TUN
 * device that this program made is gone.
 */
#include <drivers/slip_codec.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <slipway_version.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define MTU_MAX 1500
#define CONNECT_MS 10000

struct options {
    const char *line, *tun, *local, *peer;
    unsigned mtu, baud;
    bool configure, reconnect, rtscts, verbose;
};

struct counters {
    unsigned long long rx_frames, rx_bytes, tx_frames, tx_bytes, not_ipv4;
};

static volatile sig_atomic_t stop, report;

static void on_signal(int sig)
{
    if (sig == SIGUSR1)
        report = 1;
    else
        stop = 1;
}

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("slipway-attach: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

/* --- the line -------------------------------------------------------------- */

static const struct {
    unsigned baud;
    speed_t speed;
} speeds[] = {
    {300, B300},     {600, B600},     {1200, B1200},   {2400, B2400},   {4800, B4800},
    {9600, B9600},   {19200, B19200}, {38400, B38400}, {57600, B57600}, {115200, B115200},
};

static speed_t speed_of(unsigned baud)
{
    for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++)
        if (speeds[i].baud == baud)
            return speeds[i].speed;
    die("--baud %u: a 16550 has 300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600 or 115200", baud);
}

/* Raw 8N1; the old settings go to *saved. */
static void set_up_tty(int fd, const struct options *o, struct termios *saved)
{
    struct termios t;
    if (tcgetattr(fd, &t) != 0)
        die("%s: not a serial line: %s", o->line, strerror(errno));
    *saved = t;
    cfmakeraw(&t);
    t.c_cflag |= CLOCAL | CREAD;
    t.c_cflag &= ~(tcflag_t)(CSTOPB | CRTSCTS);
    if (o->rtscts)
        t.c_cflag |= CRTSCTS;
    cfsetispeed(&t, speed_of(o->baud));
    cfsetospeed(&t, speed_of(o->baud));
    if (tcsetattr(fd, TCSAFLUSH, &t) != 0)
        die("%s: cannot set %u baud: %s", o->line, o->baud, strerror(errno));
}

static int connect_unix(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(a.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(a.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

static bool connect_within(int fd, const struct addrinfo *a, int ms)
{
    socklen_t len = sizeof(errno);
    if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
        return true;
    if (errno != EINPROGRESS)
        return false;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int n = poll(&p, 1, ms), e = 0;
    if (n == 0)
        errno = ETIMEDOUT;
    if (n <= 0)
        return false;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) != 0)
        return false;
    errno = e;
    return e == 0;
}

static int connect_tcp(const char *spec)
{
    char host[256];
    const char *colon = strrchr(spec, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int fd = -1, on = 1;

    if (!colon || colon == spec || (size_t)(colon - spec) >= sizeof(host))
        die("tcp:%s: want tcp:HOST:PORT", spec);
    memcpy(host, spec, (size_t)(colon - spec));
    host[colon - spec] = 0;
    int e = getaddrinfo(host, colon + 1, &hints, &list);
    if (e != 0)
        die("tcp:%s: %s", spec, gai_strerror(e));
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 && !connect_within(fd, a, CONNECT_MS)) {
            e = errno;
            close(fd);
            errno = e;
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

/* Opens the line; *is_tty says whether `saved` is to be put back. -1, errno. */
static int open_line(const struct options *o, bool *is_tty, struct termios *saved)
{
    struct stat st;
    *is_tty = false;
    if (strncmp(o->line, "tcp:", 4) == 0)
        return connect_tcp(o->line + 4);
    if (strncmp(o->line, "unix:", 5) == 0)
        return connect_unix(o->line + 5);
    if (stat(o->line, &st) != 0)
        return -1;
    if (S_ISSOCK(st.st_mode))
        return connect_unix(o->line);
    if (!S_ISCHR(st.st_mode))
        die("%s: neither a tty nor a socket", o->line);
    int fd = open(o->line, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
        set_up_tty(fd, o, saved);
        *is_tty = true;
    }
    return fd;
}

/* --- the TUN device -------------------------------------------------------- */

static void set_address(int s, struct ifreq *ifr, unsigned long request, const char *text, const char *what)
{
    struct sockaddr_in *a = (struct sockaddr_in *)&ifr->ifr_addr;
    memset(a, 0, sizeof(*a));
    a->sin_family = AF_INET;
    if (inet_pton(AF_INET, text, &a->sin_addr) != 1)
        die("%s: not an IPv4 address", text);
    if (ioctl(s, request, ifr) != 0)
        die("%s: cannot set the %s %s: %s", ifr->ifr_name, what, text, strerror(errno));
}

static void configure(const char *name, const struct options *o)
{
    struct ifreq ifr;
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0)
        die("socket: %s", strerror(errno));
    memset(&ifr, 0, sizeof(ifr));
    strcpy(ifr.ifr_name, name);
    ifr.ifr_mtu = (int)o->mtu;
    if (ioctl(s, SIOCSIFMTU, &ifr) != 0)
        die("%s: cannot set the MTU %u: %s", name, o->mtu, strerror(errno));
    set_address(s, &ifr, SIOCSIFADDR, o->local, "address");
    set_address(s, &ifr, SIOCSIFDSTADDR, o->peer, "peer");
    ifr.ifr_flags = 0;
    if (ioctl(s, SIOCGIFFLAGS, &ifr) == 0) {
        ifr.ifr_flags |= IFF_UP | IFF_POINTOPOINT | IFF_RUNNING;
        if (ioctl(s, SIOCSIFFLAGS, &ifr) != 0)
            die("%s: cannot bring it up: %s", name, strerror(errno));
    }
    close(s);
}

static int open_tun(const struct options *o, char name[IFNAMSIZ])
{
    struct ifreq ifr;
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        die("/dev/net/tun: %s", strerror(errno));
    memset(&ifr, 0, sizeof(ifr));
    ifr.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (strlen(o->tun) >= IFNAMSIZ)
        die("--tun %s: at most %d letters", o->tun, IFNAMSIZ - 1);
    strcpy(ifr.ifr_name, o->tun);
    if (ioctl(fd, TUNSETIFF, &ifr) != 0)
        die("%s: cannot open the TUN device: %s%s", o->tun, strerror(errno),
            errno == EPERM ? " (root, or a device made with 'ip tuntap add mode tun user ...', is needed)" : "");
    memcpy(name, ifr.ifr_name, IFNAMSIZ);
    name[IFNAMSIZ - 1] = 0;
    if (o->configure)
        configure(name, o);
    return fd;
}

/* --- moving packets -------------------------------------------------------- */

struct relay {
    int line, tun;
    struct slip_rx rx;
    uint8_t rx_buf[MTU_MAX];
    uint8_t out[SLIP_ENCODED_MAX(MTU_MAX)];
    size_t out_len, out_sent;
    struct counters n;
};

static void print_counters(const struct relay *r)
{
    fprintf(stderr,
            "slipway-attach: in %llu packets (%llu bytes), out %llu (%llu); dropped: %llu oversize, %llu broken "
            "escapes, %llu not IPv4\n",
            r->n.rx_frames, r->n.rx_bytes, r->n.tx_frames, r->n.tx_bytes, (unsigned long long)r->rx.oversize,
            (unsigned long long)r->rx.escapes, r->n.not_ipv4);
}

/* Line to TUN. False when the line has ended. */
static bool from_line(struct relay *r)
{
    uint8_t bytes[4096];
    ssize_t n = read(r->line, bytes, sizeof(bytes));
    if (n == 0)
        return false;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    for (size_t at = 0; at < (size_t)n;) {
        size_t frame;
        at += slip_decode(&r->rx, bytes + at, (size_t)n - at, &frame);
        if (frame == 0)
            continue;
        if (r->rx_buf[0] >> 4 != 4 || frame < 20) {
            r->n.not_ipv4++;
        } else if (write(r->tun, r->rx_buf, frame) == (ssize_t)frame) {
            r->n.rx_frames++;
            r->n.rx_bytes += frame;
        }
    }
    return true;
}

/* What is left of the packet under way. False when the line has ended. */
static bool to_line(struct relay *r)
{
    while (r->out_sent < r->out_len) {
        ssize_t n = write(r->line, r->out + r->out_sent, r->out_len - r->out_sent);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        r->out_sent += (size_t)n;
    }
    r->out_len = r->out_sent = 0;
    return true;
}

static bool from_tun(struct relay *r)
{
    uint8_t packet[MTU_MAX];
    ssize_t n = read(r->tun, packet, sizeof(packet));
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        die("reading the TUN device: %s", strerror(errno));
    if (n <= 0)
        return true;
    if (packet[0] >> 4 != 4) { /* RFC 1055 carries IPv4 only */
        r->n.not_ipv4++;
        return true;
    }
    /* An END in front flushes what noise left in the other side's buffer. */
    r->out[0] = SLIP_END;
    r->out_len = 1 + slip_encode(r->out + 1, packet, (size_t)n);
    r->out[r->out_len++] = SLIP_END;
    r->out_sent = 0;
    r->n.tx_frames++;
    r->n.tx_bytes += (size_t)n;
    return to_line(r);
}

/* Until a signal (true) or the end of the line (false). */
static bool relay_run(struct relay *r)
{
    while (!stop) {
        /* While a packet is under way the next one waits in the TUN's queue. */
        struct pollfd p[2] = {
            {.fd = r->line, .events = (short)(POLLIN | (r->out_len ? POLLOUT : 0))},
            {.fd = r->out_len ? -1 : r->tun, .events = POLLIN},
        };
        if (report) {
            report = 0;
            print_counters(r);
        }
        if (poll(p, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            die("poll: %s", strerror(errno));
        }
        if ((p[0].revents & POLLOUT) && !to_line(r))
            return false;
        if ((p[0].revents & (POLLIN | POLLHUP | POLLERR)) && !from_line(r))
            return false;
        if ((p[1].revents & POLLIN) && !from_tun(r))
            return false;
    }
    return true;
}

/* --- start ----------------------------------------------------------------- */

static void usage(FILE *f)
{
    fputs("usage: slipway-attach [OPTION]... LINE\n"
          "Join a serial line that speaks SLIP to a TUN device.\n\n"
          "LINE is a tty or pty (/dev/ttyS0), a socket (unix:PATH, or its path), or tcp:HOST:PORT.\n\n"
          "  --tun NAME        name of the TUN device (slip0)\n"
          "  --local ADDRESS   this side's address (192.168.7.1)\n"
          "  --peer ADDRESS    the other side's address (192.168.7.2)\n"
          "  --mtu BYTES       largest packet, 296 to 1500 (1006)\n"
          "  --baud RATE       of a tty (115200)\n"
          "  --rtscts          hardware flow control on a tty\n"
          "  --no-config       leave address, MTU and state of the TUN device as they are\n"
          "  --reconnect       open the line again when it ends\n"
          "  --verbose         say what happens; counters at the end (SIGUSR1: now)\n"
          "  --help, --version\n",
          f);
}

static unsigned number(const char *name, const char *text, unsigned low, unsigned high)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || v < low || v > high)
        die("--%s %s: want a number from %u to %u", name, text, low, high);
    return (unsigned)v;
}

static void parse(int argc, char **argv, struct options *o)
{
    enum { OPT_TUN = 256, OPT_LOCAL, OPT_PEER, OPT_MTU, OPT_BAUD, OPT_RTSCTS, OPT_NO_CONFIG, OPT_RECONNECT, OPT_VERBOSE, OPT_HELP, OPT_VERSION };
    static const struct option longs[] = {
        {"tun", 1, NULL, OPT_TUN},         {"local", 1, NULL, OPT_LOCAL},         {"peer", 1, NULL, OPT_PEER},
        {"mtu", 1, NULL, OPT_MTU},         {"baud", 1, NULL, OPT_BAUD},           {"rtscts", 0, NULL, OPT_RTSCTS},
        {"no-config", 0, NULL, OPT_NO_CONFIG}, {"reconnect", 0, NULL, OPT_RECONNECT}, {"verbose", 0, NULL, OPT_VERBOSE},
        {"help", 0, NULL, OPT_HELP},       {"version", 0, NULL, OPT_VERSION},     {NULL, 0, NULL, 0},
    };
    *o = (struct options){.tun = "slip0", .local = "192.168.7.1", .peer = "192.168.7.2", .mtu = 1006, .baud = 115200,
                          .configure = true};
    for (int c; (c = getopt_long(argc, argv, "hv", longs, NULL)) != -1;) {
        switch (c) {
        case OPT_TUN: o->tun = optarg; break;
        case OPT_LOCAL: o->local = optarg; break;
        case OPT_PEER: o->peer = optarg; break;
        case OPT_MTU: o->mtu = number("mtu", optarg, 296, MTU_MAX); break;
        case OPT_BAUD: o->baud = number("baud", optarg, 300, 115200); break;
        case OPT_RTSCTS: o->rtscts = true; break;
        case OPT_NO_CONFIG: o->configure = false; break;
        case OPT_RECONNECT: o->reconnect = true; break;
        case 'v':
        case OPT_VERBOSE: o->verbose = true; break;
        case 'h':
        case OPT_HELP: usage(stdout); exit(0);
        case OPT_VERSION: printf("slipway-attach %s\n", SLIPWAY_VERSION); exit(0);
        default: usage(stderr); exit(2);
        }
    }
    if (argc - optind != 1) {
        usage(stderr);
        exit(2);
    }
    o->line = argv[optind];
}

int main(int argc, char **argv)
{
    static struct relay r;
    struct options o;
    struct termios saved;
    struct sigaction sa = {.sa_handler = on_signal};
    char name[IFNAMSIZ];
    bool is_tty = false, first = true;

    parse(argc, argv, &o);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGUSR1, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
    r.line = open_line(&o, &is_tty, &saved);
    if (r.line < 0 && !o.reconnect)
        die("%s: %s", o.line, strerror(errno));
    r.tun = open_tun(&o, name);
    while (!stop) {
        if (r.line < 0)
            r.line = open_line(&o, &is_tty, &saved);
        if (r.line < 0) {
            usleep(200 * 1000); /* a line that is not there yet */
            continue;
        }
        if (first || o.verbose)
            fprintf(stderr, "slipway-attach: %s on %s, %s to %s\n", name, o.line, o.local, o.peer);
        first = false;
        fcntl(r.line, F_SETFL, fcntl(r.line, F_GETFL) | O_NONBLOCK);
        slip_rx_init(&r.rx, r.rx_buf, o.mtu);
        r.out_len = r.out_sent = 0;
        bool signalled = relay_run(&r);
        if (is_tty)
            tcsetattr(r.line, TCSANOW, &saved);
        close(r.line);
        r.line = -1;
        if (!signalled && !o.reconnect) {
            print_counters(&r);
            die("%s: the line has ended", o.line);
        }
    }
    if (o.verbose)
        print_counters(&r);
    return 0;
}
