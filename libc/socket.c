/* SPDX-License-Identifier: MIT
 *
 * libc/socket.c: the calls that move data and connections.
 *
 * Owns: struct sock_file. Each call takes the stack's lock, tries, and while
 * the stack would block sleeps on the network (libc/net.h). Context: any thread.
 */
#include "net.h"
#include "pair.h"
#include <errno.h>
#include <signal.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* --- addresses --- */

static int sockaddr_in6_of(const struct sockaddr *sa, socklen_t len, struct ns_addr *out)
{
    struct sockaddr_in6 in;

    if (len < sizeof in)
        return -EINVAL;
    memcpy(&in, sa, sizeof in);
    if (in.sin6_scope_id > 0xffff)
        return -EINVAL;
    *out = (struct ns_addr){
        .family = NET_INET6, .port = ntohs(in.sin6_port), .scope = (uint16_t)in.sin6_scope_id};
    memcpy(out->addr.b, &in.sin6_addr, 16);
    return 0;
}

int sockaddr_in_of(const struct sockaddr *sa, socklen_t len, struct ns_addr *out)
{
    struct sockaddr_in in;

    if (sa == NULL || len < sizeof(sa_family_t))
        return -EINVAL;
    if (sa->sa_family == AF_INET6)
        return sockaddr_in6_of(sa, len, out);
    if (sa->sa_family != AF_INET)
        return -EAFNOSUPPORT;
    if (len < offsetof(struct sockaddr_in, sin_zero))
        return -EINVAL;
    memcpy(&in, sa, offsetof(struct sockaddr_in, sin_zero));
    memset(out, 0, sizeof *out);
    out->family = NET_INET;
    out->port = ntohs(in.sin_port);
    memcpy(out->addr.b, &in.sin_addr, 4);
    return 0;
}

static void put_name(struct sockaddr *sa, socklen_t *len, const void *name, socklen_t size)
{
    if (*len < size)
        memcpy(sa, name, *len); /* cut short (POSIX accept) */
    else if (size == sizeof(struct sockaddr_in6))
        memcpy(sa, name, sizeof(struct sockaddr_in6));
    else
        memcpy(sa, name, sizeof(struct sockaddr_in));
    *len = size;
}

void sockaddr_out(const struct ns_addr *a, struct sockaddr *sa, socklen_t *len)
{
    if (sa == NULL || len == NULL)
        return;
    if (a->family == NET_INET6) {
        struct sockaddr_in6 in6 = {
            .sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_scope_id = a->scope};
        memcpy(&in6.sin6_addr, a->addr.b, 16);
        put_name(sa, len, &in6, sizeof in6);
    } else {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
        memcpy(&in.sin_addr, a->addr.b, 4);
        put_name(sa, len, &in, sizeof in);
    }
}

struct sock_file *sock_get(int fd)
{
    struct sock_file *s = (struct sock_file *)fd_get_kind(fd, FILE_SOCKET, ENOTSOCK);
    if (s != NULL && s->s == NULL) { /* it has moved to another process */
        sock_put(s);
        errno = EBADF;
        return NULL;
    }
    return s;
}

static bool nonblocking(const struct sock_file *s, int flags)
{
    return (s->f.flags & O_NONBLOCK) || (flags & MSG_DONTWAIT);
}

static uint64_t timeout_deadline(uint64_t timeout_ns)
{
    return timeout_ns == 0 ? SYS_NO_DEADLINE : sys_now_ns() + timeout_ns;
}

/* --- making and ending --- */

struct sock_file *sock_wrap(struct net_ctx *c, struct nsock *n, int type, int protocol, int flags)
{
    struct sock_file *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->f.ops = &__sock_ops;
    s->f.refs = 1;
    s->f.flags = O_RDWR | (flags & SOCK_NONBLOCK ? O_NONBLOCK : 0);
    s->f.fdflags = flags & SOCK_CLOEXEC ? FD_CLOEXEC : 0;
    s->s = n;
    s->ctx = c;
    s->type = type;
    s->protocol = protocol;
    ns_set_user(n, s);
    return s;
}

static int install(struct sock_file *s)
{
    int fd = fd_install(&s->f, 0);
    if (fd < 0)
        fd_put(&s->f);
    return fd;
}

int socket(int domain, int type, int protocol)
{
    int flags = type & (SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct nsock *n;
    int kind;

    type &= ~flags;
    if (domain != AF_INET && domain != AF_INET6)
        return (int)__libc_result(-EAFNOSUPPORT);
    if (type == SOCK_STREAM && (protocol == 0 || protocol == IPPROTO_TCP))
        kind = NS_STREAM, protocol = IPPROTO_TCP;
    else if (type == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP))
        kind = NS_DGRAM, protocol = IPPROTO_UDP;
    else if (type == SOCK_DGRAM && protocol == (domain == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6))
        kind = NS_ICMP;
    else
        return (int)__libc_result(type == SOCK_STREAM || type == SOCK_DGRAM ? -EPROTONOSUPPORT : -EPROTOTYPE);

    int r = net_start();
    if (r < 0)
        return (int)__libc_result(r);
    net_enter();
    r = ns_socket(net_stack(), domain == AF_INET ? NET_INET : NET_INET6, kind, &n);
    struct sock_file *s = r == 0 ? sock_wrap(net_here(), n, type, protocol, flags) : NULL;
    if (r == 0 && s == NULL) {
        ns_close(n);
        r = -ENOMEM;
    }
    net_leave();
    return (int)__libc_result(r < 0 ? r : install(s));
}

/* SO_LINGER: until the peer has acknowledged everything, or the time is over. The
 * lock is held. */
static void linger(struct sock_file *s)
{
    struct net_waiter me = {.fruitless = false};
    int seconds = -1, left = 0;

    if (s->type != SOCK_STREAM || ns_getopt(s->s, NSO_LINGER, &seconds) != 0 || seconds <= 0 || nonblocking(s, 0) ||
        ns_shutdown(s->s, SHUT_WR) != 0)
        return;
    uint64_t deadline = net_deadline_in(seconds * 1000ll);
    while (ns_getopt(s->s, NSO_OUTQ, &left) == 0 && left > 0 && !(ns_events(s->s) & NS_ERR))
        if (net_sleep_for(s, &me, NS_OUT, deadline) != 0)
            break;
}

static void sock_close(struct file *f)
{
    struct sock_file *s = (struct sock_file *)f;
    if (s->s != NULL) {
        net_enter_in(s->ctx);
        linger(s);
        net_dismiss(s);
        ns_close(s->s);
        net_leave_in(s->ctx);
    }
    free(s);
}

/* One of this host's addresses, or one that is nobody's own. */
static bool may_bind(const struct ns_addr *a)
{
    static const struct net_addr any, loopback6 = {{[15] = 1}};
    static const uint8_t mapped[12] = {[10] = 0xff, 0xff};
    const uint8_t *b = a->addr.b;
    struct net_config c;

    if (memcmp(&a->addr, &any, sizeof any) == 0 || (a->family == NET_INET && (b[0] == 127 || b[0] >= 224)) ||
        (a->family == NET_INET6 && (b[0] == 0xff || memcmp(b, &loopback6, 16) == 0 || memcmp(b, mapped, 12) == 0)))
        return true;
    for (uint64_t i = 0; sys_net_info(NETINFO_ADDR, i, &c, sizeof c) > 0; i++)
        if (c.family == a->family && memcmp(&c.addr, &a->addr, sizeof c.addr) == 0)
            return true;
    return false;
}

int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct ns_addr a;
    struct sock_file *s = sock_get(fd);
    if (s == NULL)
        return -1;
    int r = sockaddr_in_of(addr, len, &a);
    if (r == 0 && !may_bind(&a))
        r = -EADDRNOTAVAIL;
    if (r == 0) {
        net_enter_in(s->ctx);
        r = ns_bind(s->s, &a);
        net_leave_in(s->ctx);
    }
    sock_put(s);
    return (int)__libc_result(r);
}

int listen(int fd, int backlog)
{
    struct sock_file *s = sock_get(fd);
    if (s == NULL)
        return -1;
    net_enter_in(s->ctx);
    int r = ns_listen(s->s, backlog);
    net_leave_in(s->ctx);
    sock_put(s);
    return (int)__libc_result(r);
}

int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    struct net_waiter me = {.fruitless = false};
    struct ns_addr peer;
    struct nsock *n;
    struct sock_file *s = sock_get(fd), *got = NULL;
    if (s == NULL)
        return -1;

    net_enter_in(s->ctx);
    int r = ns_accept(s->s, &n, &peer), slept;
    if (r == -EAGAIN) {
        uint64_t deadline = timeout_deadline(s->rcvtimeo_ns);
        net_run_in(s->ctx);
        while ((r = ns_accept(s->s, &n, &peer)) == -EAGAIN && !nonblocking(s, 0))
            if ((slept = net_sleep_for(s, &me, NS_IN, deadline)) != 0) {
                r = slept == -ETIMEDOUT ? -EAGAIN : slept;
                break;
            }
    }
    if (r == 0 && (got = sock_wrap(s->ctx, n, SOCK_STREAM, IPPROTO_TCP, flags)) == NULL) {
        ns_close(n);
        r = -ENOMEM;
    }
    net_leave_in(s->ctx);
    sock_put(s);
    if (r == 0) {
        net_helper_start();
        sockaddr_out(&peer, addr, len);
        r = install(got);
    }
    return (int)__libc_result(r);
}

int accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    return accept4(fd, addr, len, 0);
}

/* Waits for the handshake that ns_connect began. */
static int finish_connect(struct sock_file *s)
{
    struct net_waiter me = {.fruitless = false};
    uint64_t deadline = timeout_deadline(s->sndtimeo_ns);
    int error = 0;

    while (!(ns_events(s->s) & (NS_OUT | NS_ERR | NS_HUP))) {
        int r = net_sleep_for(s, &me, NS_OUT, deadline);
        if (r != 0)
            return r == -ETIMEDOUT ? -EINPROGRESS : r;
    }
    ns_getopt(s->s, NSO_ERROR, &error);
    return -error;
}

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct ns_addr a = {0};
    struct sock_file *s = sock_get(fd);
    if (s == NULL)
        return -1;
    bool unset = addr != NULL && len >= sizeof(sa_family_t) && addr->sa_family == AF_UNSPEC;
    int r = unset ? 0 : sockaddr_in_of(addr, len, &a); /* AF_UNSPEC dissolves a datagram socket's peer */
    if (r == 0) {
        net_enter_in(s->ctx);
        r = ns_connect(s->s, &a);
        if (r == -EINPROGRESS && !nonblocking(s, 0))
            r = finish_connect(s);
        net_leave_in(s->ctx);
        if (s->type == SOCK_STREAM && (r == 0 || r == -EINPROGRESS))
            net_helper_start();
    }
    sock_put(s);
    return (int)__libc_result(r);
}

int shutdown(int fd, int how)
{
    struct sock_file *s = sock_get(fd);
    if (s == NULL)
        return errno == ENOTSOCK ? __libc_pair_shutdown(fd, how) : -1;
    int r = -EINVAL;
    if (how >= SHUT_RD && how <= SHUT_RDWR) {
        net_enter_in(s->ctx);
        r = ns_shutdown(s->s, how);
        net_leave_in(s->ctx);
    }
    sock_put(s);
    return (int)__libc_result(r);
}

/* --- data --- */

static ssize_t receive(struct sock_file *s, void *buf, size_t n, int flags, struct ns_addr *from)
{
    struct net_waiter me = {.fruitless = false};
    int nsflags = (flags & MSG_PEEK ? NS_PEEK : 0) | (flags & MSG_TRUNC ? NS_TRUNC : 0);
    bool all = (flags & MSG_WAITALL) && s->type == SOCK_STREAM && !(flags & MSG_PEEK);
    uint64_t deadline = 0;
    size_t have = 0;
    bool ran = false;
    ssize_t r;

    if (flags & MSG_OOB)
        return -EOPNOTSUPP;
    net_enter_in(s->ctx);
    for (;;) {
        r = ns_recv(s->s, (char *)buf + have, n - have, nsflags, from);
        if (r > 0 && all && (have += (size_t)r) < n)
            continue;
        if (r != -EAGAIN)
            break;
        if (!ran) { /* what has arrived since may be enough */
            ran = true;
            net_run_in(s->ctx);
            deadline = nonblocking(s, flags) ? 0 : timeout_deadline(s->rcvtimeo_ns);
            continue;
        }
        if (nonblocking(s, flags))
            break;
        int slept = net_sleep_for(s, &me, NS_IN, deadline);
        if (slept != 0) {
            r = slept == -ETIMEDOUT ? -EAGAIN : slept;
            break;
        }
    }
    net_leave_in(s->ctx);
    return have > 0 ? (ssize_t)have : r;
}

static ssize_t transmit(struct sock_file *s, const void *buf, size_t n, int flags, const struct ns_addr *to)
{
    struct net_waiter me = {.fruitless = false};
    uint64_t deadline = 0;
    size_t sent = 0;
    bool ran = false;
    ssize_t r;

    if (flags & MSG_OOB)
        return -EOPNOTSUPP;
    net_enter_in(s->ctx);
    for (;;) {
        r = ns_send(s->s, (const char *)buf + sent, n - sent, 0, to);
        if (r > 0)
            sent += (size_t)r;
        if (r != -EAGAIN && (r < 0 || s->type != SOCK_STREAM || sent == n))
            break;
        if (r >= 0 && !nonblocking(s, flags))
            continue; /* a part went in: the next try finds out whether more does */
        if (!ran) {
            ran = true;
            net_run_in(s->ctx);
            deadline = nonblocking(s, flags) ? 0 : timeout_deadline(s->sndtimeo_ns);
            continue;
        }
        if (nonblocking(s, flags))
            break;
        int slept = net_sleep_for(s, &me, NS_OUT, deadline);
        if (slept != 0) {
            r = slept == -ETIMEDOUT ? -EAGAIN : slept;
            break;
        }
    }
    net_leave_in(s->ctx);
    if (r == -EPIPE && sent == 0 && s->type == SOCK_STREAM && !(flags & MSG_NOSIGNAL))
        raise(SIGPIPE);
    return sent > 0 ? (ssize_t)sent : r;
}

ssize_t recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len)
{
    struct ns_addr from = {0};
    struct sock_file *s = sock_get(fd);
    if (s == NULL)
        return errno == ENOTSOCK ? __libc_pair_recv(fd, buf, n, flags) : -1;
    ssize_t r = receive(s, buf, n, flags, &from);
    if (r >= 0)
        sockaddr_out(&from, addr, len);
    sock_put(s);
    return __libc_result(r);
}

ssize_t recv(int fd, void *buf, size_t n, int flags)
{
    return recvfrom(fd, buf, n, flags, NULL, NULL);
}

ssize_t sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len)
{
    struct ns_addr to;
    struct sock_file *s = sock_get(fd);
    if (s == NULL)
        return errno == ENOTSOCK ? __libc_pair_send(fd, buf, n, flags, addr != NULL) : -1;
    ssize_t r = addr == NULL ? 0 : sockaddr_in_of(addr, len, &to);
    if (r == 0)
        r = transmit(s, buf, n, flags, addr == NULL ? NULL : &to);
    sock_put(s);
    return __libc_result(r);
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
    return sendto(fd, buf, n, flags, NULL, 0);
}

static ssize_t sock_read(struct file *f, void *buf, size_t n)
{
    struct ns_addr from;
    if (((struct sock_file *)f)->s == NULL)
        return -EBADF;
    return receive((struct sock_file *)f, buf, n, 0, &from);
}

static ssize_t sock_write(struct file *f, const void *buf, size_t n)
{
    if (((struct sock_file *)f)->s == NULL)
        return -EBADF;
    return transmit((struct sock_file *)f, buf, n, 0, NULL);
}

/* --- several buffers: gathered and scattered through one --- */

static ssize_t iov_bytes(const struct iovec *iov, int n)
{
    size_t total = 0;
    if (n < 0 || n > IOV_MAX)
        return -EMSGSIZE;
    for (int i = 0; i < n; i++)
        if (__builtin_add_overflow(total, iov[i].iov_len, &total) || total > INT32_MAX)
            return -EINVAL;
    return (ssize_t)total;
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    ssize_t total = iov_bytes(m->msg_iov, m->msg_iovlen), at = 0;
    if (total < 0)
        return __libc_result(total);
    if (m->msg_iovlen == 1)
        return sendto(fd, m->msg_iov[0].iov_base, m->msg_iov[0].iov_len, flags, m->msg_name, m->msg_namelen);
    char *flat = malloc(total > 0 ? (size_t)total : 1);
    if (flat == NULL)
        return __libc_result(-ENOBUFS);
    for (int i = 0; i < m->msg_iovlen; i++) {
        memcpy(flat + at, m->msg_iov[i].iov_base, m->msg_iov[i].iov_len);
        at += (ssize_t)m->msg_iov[i].iov_len;
    }
    ssize_t r = sendto(fd, flat, (size_t)total, flags, m->msg_name, m->msg_namelen);
    free(flat);
    return r;
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    ssize_t total = iov_bytes(m->msg_iov, m->msg_iovlen), at = 0, r;
    if (total < 0)
        return __libc_result(total);
    char *flat = m->msg_iovlen == 1 ? m->msg_iov[0].iov_base : malloc(total > 0 ? (size_t)total : 1);
    if (flat == NULL)
        return __libc_result(-ENOBUFS);
    m->msg_flags = 0;
    m->msg_controllen = 0;
    /* MSG_TRUNC asks for the datagram's true length, which tells whether it was cut. */
    r = recvfrom(fd, flat, (size_t)total, flags | MSG_TRUNC, m->msg_name,
                 m->msg_name ? &m->msg_namelen : NULL);
    ssize_t have = r;
    if (r > total) {
        have = total;
        m->msg_flags |= MSG_TRUNC;
        if (!(flags & MSG_TRUNC))
            r = total;
    }
    if (flat != m->msg_iov[0].iov_base) {
        for (int i = 0; i < m->msg_iovlen && at < have; i++) {
            size_t part = m->msg_iov[i].iov_len;
            if ((ssize_t)part > have - at)
                part = (size_t)(have - at);
            memcpy(m->msg_iov[i].iov_base, flat + at, part);
            at += (ssize_t)part;
        }
        free(flat);
    }
    return r;
}

ssize_t __socket_readv(int fd, const struct iovec *iov, int n)
{
    struct msghdr m = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n};
    return recvmsg(fd, &m, 0);
}

ssize_t __socket_writev(int fd, const struct iovec *iov, int n)
{
    struct msghdr m = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n};
    return sendmsg(fd, &m, 0);
}

/* --- the rest of a file --- */

static int sock_ioctl(struct file *f, unsigned long request, void *arg)
{
    if (request != FIONREAD && request != TIOCOUTQ)
        return -ENOTTY;
    struct sock_file *s = (struct sock_file *)f;
    if (s->s == NULL)
        return -EBADF;
    net_enter_in(s->ctx);
    if (request == FIONREAD)
        net_run_in(s->ctx);
    int r = ns_getopt(s->s, request == FIONREAD ? NSO_INQ : NSO_OUTQ, arg);
    net_leave_in(s->ctx);
    return r;
}

static int sock_stat(struct file *f, struct stat *st)
{
    (void)f;
    st->st_mode = S_IFSOCK | 0600;
    return 0;
}

/* poll's bits for each combination of libnet's five. */
#define E(e)                                                                                                 \
    (((e)&NS_IN ? POLLIN | POLLRDNORM : 0) | ((e)&NS_OUT ? POLLOUT | POLLWRNORM : 0) |                       \
     ((e)&NS_ERR ? POLLERR : 0) | ((e)&NS_HUP ? POLLHUP : 0) | ((e)&NS_RDHUP ? POLLRDHUP | POLLIN : 0))
#define E4(e) E(e), E((e) + 1), E((e) + 2), E((e) + 3)

unsigned sock_poll_bits(const struct sock_file *s)
{
    static const uint16_t poll_bits[32] = {E4(0), E4(4), E4(8), E4(12), E4(16), E4(20), E4(24), E4(28)};
    return s->s == NULL ? POLLNVAL : poll_bits[ns_events(s->s) & 31];
}

static unsigned sock_events(struct file *f)
{
    const struct sock_file *s = (struct sock_file *)f;
    return s->ctx != net_here() ? POLLNVAL : sock_poll_bits(s); /* the caller holds its own context's lock only */
}

const struct file_ops __sock_ops = {
    .kind = FILE_SOCKET,
    .read = sock_read,
    .write = sock_write,
    .stat = sock_stat,
    .ioctl = sock_ioctl,
    .close = sock_close,
    .events = sock_events,
};
