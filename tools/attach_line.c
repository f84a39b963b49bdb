/* SPDX-License-Identifier: MIT
 *
 * tools/attach_line.c: opening a serial line: a tty, a pty, a socket.
 *
 * Owns: nothing; see attach.h.
 */
#include "attach.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_MS 10000

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

int open_line(const struct options *o, bool *is_tty, struct termios *saved)
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
