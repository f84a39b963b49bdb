/* SPDX-License-Identifier: MIT
 *
 * tools/slipway-attach.c: join a serial line that speaks SLIP (RFC 1055) to a
 * TUN device, for hosts whose kernel has no SLIP of its own.
 *
 * The line is a tty, a pty, or a Unix or TCP socket (as QEMU offers). Headers may
 * be compressed (RFC 1144), and console text may share the line (SLIPMUX). Runs
 * on Linux. Ends on SIGINT or SIGTERM: the tty gets its settings back, and a TUN
 * device that this program made is gone.
 */
#include "attach.h"
#include <drivers/slip_codec.h>
#include <drivers/vj.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <slipway_version.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define TEXT_FRAME 0x0a /* SLIPMUX: first byte of a frame of console text */
#define TEXT_MAX   256
#define QUIT_KEY   0x1d /* Ctrl-] */

struct counters {
    unsigned long long rx_frames, rx_bytes, tx_frames, tx_bytes, not_ipv4, text_bytes, opened;
};

static volatile sig_atomic_t stop, report;

static void on_signal(int sig)
{
    if (sig == SIGUSR1)
        report = 1;
    else
        stop = 1;
}

void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("slipway-attach: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
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
    const struct options *o;
    int line, tun, keys, status; /* keys: stdin, with --slipmux; -1: none */
    struct slip_rx rx;
    struct vj vj;
    bool vj_send;
    bool outside;                /* --slipmux: between frames, where bare text may stand */
    unsigned long long damaged;
    uint8_t header_room[VJ_HEADER_MAX]; /* a restored header grows into it */
    uint8_t rx_buf[MTU_MAX];
    uint8_t out[SLIP_ENCODED_MAX(MTU_MAX)];
    size_t out_len, out_sent;
    struct counters n;
};
_Static_assert(offsetof(struct relay, rx_buf) == offsetof(struct relay, header_room) + VJ_HEADER_MAX, "one piece");

static void counters_text(const struct relay *r, char *text, size_t bytes)
{
    int n = snprintf(text, bytes,
                     "in %llu packets (%llu bytes), out %llu (%llu); dropped: %llu oversize, %llu broken "
                     "escapes, %llu not IPv4\n",
                     r->n.rx_frames, r->n.rx_bytes, r->n.tx_frames, r->n.tx_bytes,
                     (unsigned long long)r->rx.oversize, (unsigned long long)r->rx.escapes, r->n.not_ipv4);

    if (r->o->vj != VJ_OFF && n > 0 && (size_t)n < bytes)
        n += snprintf(text + n, bytes - (size_t)n,
                      "headers compressed: in %llu, out %llu; dropped: %llu damaged, %llu after a loss\n",
                      (unsigned long long)r->vj.rx_compressed, (unsigned long long)r->vj.tx_compressed,
                      (unsigned long long)r->vj.rx_errors, (unsigned long long)r->vj.rx_tossed);
    if (r->o->slipmux && n > 0 && (size_t)n < bytes)
        snprintf(text + n, bytes - (size_t)n, "console: %llu bytes\n", r->n.text_bytes);
}

static void print_counters(const struct relay *r)
{
    char text[512];

    counters_text(r, text, sizeof(text));
    fprintf(stderr, "slipway-attach: %s", text);
}

static void tell_status(struct relay *r, const char *tun)
{
    char text[1024];
    int n = snprintf(text, sizeof(text), "%s: %s %s, opened %llu times\n", tun, r->o->line,
                     r->line >= 0 ? "is open" : "is not there", r->n.opened);

    counters_text(r, text + n, sizeof(text) - (size_t)n);
    status_answer(r->status, text);
}

static void show_text(struct relay *r, const uint8_t *text, size_t n)
{
    r->n.text_bytes += n;
    fwrite(text, 1, n, stdout);
    fflush(stdout);
}

/* A whole frame lies in rx_buf. */
static void take_frame(struct relay *r, size_t bytes)
{
    uint8_t header[VJ_HEADER_MAX], *packet = r->rx_buf;
    unsigned long long damaged = r->rx.oversize + r->rx.escapes;
    size_t len, skip;

    if (r->o->slipmux && packet[0] == TEXT_FRAME) {
        show_text(r, packet + 1, bytes - 1);
        return;
    }
    if (damaged != r->damaged)
        vj_line_error(&r->vj);
    r->damaged = damaged;
    if (r->o->vj != VJ_OFF && vj_is_type(packet[0])) {
        len = vj_decompress(&r->vj, packet, bytes, header, &skip);
        if (len == 0)
            return; /* counted there */
        packet = packet + skip - len;
        bytes = bytes - skip + len;
        memcpy(packet, header, len);
        r->vj_send = true;
    }
    if (packet[0] >> 4 != 4 || bytes < 20) {
        r->n.not_ipv4++;
    } else if (write(r->tun, packet, bytes) == (ssize_t)bytes) {
        r->n.rx_frames++;
        r->n.rx_bytes += bytes;
    }
}

/* --slipmux: what stands between two frames is bare text, of a boot loader or of
 * a kernel that cannot frame it any more. Returns how many bytes that was. */
static size_t bare_text(struct relay *r, const uint8_t *p, size_t n)
{
    const uint8_t *end = memchr(p, SLIP_END, n);
    size_t text = end != NULL ? (size_t)(end - p) : n;

    show_text(r, p, text);
    if (end != NULL)
        r->outside = false;
    return text;
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
        if (r->outside) {
            at += bare_text(r, bytes + at, (size_t)n - at);
            continue;
        }
        at += slip_decode(&r->rx, bytes + at, (size_t)n - at, &frame);
        if (frame == 0)
            continue;
        take_frame(r, frame);
        r->outside = r->o->slipmux;
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

/* An END in front flushes what noise left in the other side's buffer. */
static void frame_begin(struct relay *r)
{
    r->out[0] = SLIP_END;
    r->out_len = 1;
    r->out_sent = 0;
}

static bool frame_end(struct relay *r)
{
    r->out[r->out_len++] = SLIP_END;
    return to_line(r);
}

static void frame_add(struct relay *r, const void *p, size_t n)
{
    r->out_len += slip_encode(r->out + r->out_len, p, n);
}

static bool from_tun(struct relay *r)
{
    uint8_t packet[MTU_MAX], header[VJ_HEADER_MAX];
    ssize_t n = read(r->tun, packet, sizeof(packet));
    size_t skip = 0, len = 0;
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        die("reading the TUN device: %s", strerror(errno));
    if (n <= 0)
        return true;
    if (packet[0] >> 4 != 4) { /* RFC 1055 carries IPv4 only */
        r->n.not_ipv4++;
        return true;
    }
    if (r->vj_send)
        skip = vj_compress(&r->vj, packet, (size_t)n, (size_t)n, header, &len);
    frame_begin(r);
    if (skip != 0)
        frame_add(r, header, len);
    frame_add(r, packet + skip, (size_t)n - skip);
    r->n.tx_frames++;
    r->n.tx_bytes += (size_t)n;
    return frame_end(r);
}

/* Typed text goes to the other side's console. */
static bool from_keys(struct relay *r)
{
    static const uint8_t kind = TEXT_FRAME;
    uint8_t text[TEXT_MAX];
    ssize_t n = read(r->keys, text, sizeof(text));
    if (n <= 0 && errno != EAGAIN && errno != EINTR)
        r->keys = -1; /* nobody types any more */
    if (n <= 0)
        return true;
    if (memchr(text, QUIT_KEY, (size_t)n) != NULL) {
        stop = 1;
        return true;
    }
    frame_begin(r);
    frame_add(r, &kind, 1);
    frame_add(r, text, (size_t)n);
    return frame_end(r);
}

/* Until a signal (true) or the end of the line (false). */
static bool relay_run(struct relay *r, const char *tun)
{
    while (!stop) {
        bool busy = r->out_len != 0; /* meanwhile the next packet waits in the TUN's queue */
        struct pollfd p[4] = {
            {.fd = r->line, .events = (short)(POLLIN | (busy ? POLLOUT : 0))},
            {.fd = busy ? -1 : r->tun, .events = POLLIN},
            {.fd = busy ? -1 : r->keys, .events = POLLIN},
            {.fd = r->status, .events = POLLIN},
        };
        if (report) {
            report = 0;
            print_counters(r);
        }
        if (poll(p, 4, -1) < 0) {
            if (errno == EINTR)
                continue;
            die("poll: %s", strerror(errno));
        }
        if (p[3].revents & POLLIN)
            tell_status(r, tun);
        if ((p[0].revents & POLLOUT) && !to_line(r))
            return false;
        if ((p[0].revents & (POLLIN | POLLHUP | POLLERR)) && !from_line(r))
            return false;
        if ((p[1].revents & POLLIN) && !from_tun(r))
            return false;
        if (r->out_len == 0 && (p[2].revents & (POLLIN | POLLHUP)) && !from_keys(r))
            return false;
    }
    return true;
}

/* A line has just been opened: nothing of an earlier one counts. */
static void relay_reset(struct relay *r)
{
    fcntl(r->line, F_SETFL, fcntl(r->line, F_GETFL) | O_NONBLOCK);
    slip_rx_init(&r->rx, r->rx_buf, r->o->mtu);
    vj_init(&r->vj);
    r->vj_send = r->o->vj == VJ_ON;
    r->outside = r->o->slipmux;
    r->damaged = 0;
    r->out_len = r->out_sent = 0;
    r->n.opened++;
}

/* Keys go through one by one, also Ctrl-C: Ctrl-] ends. */
static bool keys_raw(struct termios *saved)
{
    struct termios t;

    if (tcgetattr(STDIN_FILENO, &t) != 0)
        return false;
    *saved = t;
    t.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
    t.c_iflag &= ~(tcflag_t)(IXON | ICRNL);
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    return tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0;
}

/* --- start ----------------------------------------------------------------- */

static void usage(FILE *f)
{
    fputs("usage: slipway-attach [OPTION]... LINE\n"
          "       slipway-attach [--tun NAME] --status\n"
          "Join a serial line that speaks SLIP to a TUN device.\n\n"
          "LINE is a tty or pty (/dev/ttyS0), a socket (unix:PATH, or its path), or tcp:HOST:PORT.\n\n"
          "  --tun NAME        name of the TUN device (slip0)\n"
          "  --local ADDRESS   this side's address (192.168.7.1)\n"
          "  --peer ADDRESS    the other side's address (192.168.7.2)\n"
          "  --mtu BYTES       largest packet, 296 to 1500 (1006)\n"
          "  --baud RATE       of a tty (115200)\n"
          "  --rtscts          hardware flow control on a tty\n"
          "  --cslip[=auto|on] compressed TCP headers (RFC 1144): once the other side begins (auto), or at once\n"
          "  --slipmux         console text shares the line: it is shown here, and what is typed goes there\n"
          "                    (Ctrl-] ends)\n"
          "  --no-config       leave address, MTU and state of the TUN device as they are\n"
          "  --reconnect       open the line again when it ends\n"
          "  --status          ask the slipway-attach that runs for the TUN device how it goes\n"
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

static enum vj_mode vj_mode(const char *text)
{
    if (text == NULL || strcmp(text, "auto") == 0)
        return VJ_ADAPTIVE;
    if (strcmp(text, "on") != 0)
        die("--cslip=%s: want auto or on", text);
    return VJ_ON;
}

static void parse(int argc, char **argv, struct options *o)
{
    enum {
        OPT_TUN = 256, OPT_LOCAL, OPT_PEER, OPT_MTU, OPT_BAUD, OPT_RTSCTS, OPT_NO_CONFIG, OPT_RECONNECT,
        OPT_CSLIP, OPT_SLIPMUX, OPT_STATUS, OPT_VERBOSE, OPT_HELP, OPT_VERSION,
    };
    static const struct option longs[] = {
        {"tun", 1, NULL, OPT_TUN},         {"local", 1, NULL, OPT_LOCAL},         {"peer", 1, NULL, OPT_PEER},
        {"mtu", 1, NULL, OPT_MTU},         {"baud", 1, NULL, OPT_BAUD},           {"rtscts", 0, NULL, OPT_RTSCTS},
        {"no-config", 0, NULL, OPT_NO_CONFIG}, {"reconnect", 0, NULL, OPT_RECONNECT},
        {"cslip", 2, NULL, OPT_CSLIP},     {"slipmux", 0, NULL, OPT_SLIPMUX},     {"status", 0, NULL, OPT_STATUS},
        {"verbose", 0, NULL, OPT_VERBOSE},
        {"help", 0, NULL, OPT_HELP},       {"version", 0, NULL, OPT_VERSION},     {NULL, 0, NULL, 0},
    };
    *o = (struct options){.tun = "slip0", .local = "192.168.7.1", .peer = "192.168.7.2", .mtu = 1006, .baud = 115200,
                          .configure = true};
    bool status = false;
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
        case OPT_CSLIP: o->vj = vj_mode(optarg); break;
        case OPT_SLIPMUX: o->slipmux = true; break;
        case OPT_STATUS: status = true; break;
        case 'v':
        case OPT_VERBOSE: o->verbose = true; break;
        case 'h':
        case OPT_HELP: usage(stdout); exit(0);
        case OPT_VERSION: printf("slipway-attach %s\n", SLIPWAY_VERSION); exit(0);
        default: usage(stderr); exit(2);
        }
    }
    if (status && argc == optind)
        exit(status_ask(o->tun));
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
    struct termios saved, keys;
    struct sigaction sa = {.sa_handler = on_signal};
    char name[IFNAMSIZ];
    bool is_tty = false, raw = false, first = true, ended = false;

    parse(argc, argv, &o);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGUSR1, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
    r.o = &o;
    r.line = open_line(&o, &is_tty, &saved);
    if (r.line < 0 && !o.reconnect)
        die("%s: %s", o.line, strerror(errno));
    r.tun = open_tun(&o, name);
    r.keys = o.slipmux ? STDIN_FILENO : -1;
    r.status = status_listen(name);
    if (o.slipmux)
        raw = keys_raw(&keys);
    while (!stop && !ended) {
        if (r.line < 0)
            r.line = open_line(&o, &is_tty, &saved);
        if (r.line < 0) {
            struct pollfd p = {.fd = r.status, .events = POLLIN};
            if (poll(&p, 1, 200) > 0) /* a line that is not there yet */
                tell_status(&r, name);
            continue;
        }
        if (first || o.verbose)
            fprintf(stderr, "slipway-attach: %s on %s, %s to %s\n", name, o.line, o.local, o.peer);
        first = false;
        relay_reset(&r);
        ended = !relay_run(&r, name) && !o.reconnect;
        if (is_tty)
            tcsetattr(r.line, TCSANOW, &saved);
        close(r.line);
        r.line = -1;
    }
    if (raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    if (o.verbose || ended)
        print_counters(&r);
    if (ended)
        die("%s: the line has ended", o.line);
    return 0;
}
