/* SPDX-License-Identifier: MIT
 *
 * libc/epoll.c: epoll.
 *
 * Owns: epolls and what they watch. libnet says which socket changed
 * (__epoll_changed), so a wait looks at those alone; descriptors over a handle of
 * their own go to wait(), as in poll. One lock for all epolls: it is taken after
 * the network's and the descriptor table's. Context: any thread.
 */
#include "epoll.h"
#include "net.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define ALWAYS      (EPOLLERR | EPOLLHUP)
#define ROOM_MISSES 8

/* One descriptor in one epoll. */
struct item {
    struct item *file_next; /* on file->watchers */
    struct epoll *ep;
    struct file *file;
    int fd;
    uint32_t events; /* with EPOLLET and EPOLLONESHOT; 0 after a one-shot */
    epoll_data_t data;
    bool fresh;      /* something has happened since it was last reported */
    struct item *room_next, **room_prev; /* a socket that lacks room that all share; else room_prev is NULL */
    bool queued;
    struct item *next, **prev; /* the queue of a socket, the list of another */
};

/* A thread in epoll_wait, where there are several. */
struct sleeper {
    struct sleeper *next;
    struct net_waiter *who;
};

struct epoll {
    struct file f;
    struct sleeper *sleepers;
    struct epoll *others;
    struct item **chunk[FD_MAX / FD_CHUNK]; /* by descriptor */
    struct item *first, **last;             /* sockets to look at */
    struct item *plain;                     /* those over handles */
    struct net_ctx *ctx;                    /* whose sockets they are; NULL: none yet */
    struct item *wanting_room, **wanting_end; /* who has waited longest comes first */
    bool room;                                /* there may be some */
    unsigned nplain, nsockets, nwanting, ndatagrams_wanting, waiting;
    int kick; /* endpoint: the waiting threads shall look again; -1: none yet */
};

static struct epoll *all;
static libc_lock lock;

/* --- lists; the lock is held --- */

static void queue(struct item *i)
{
    struct epoll *e = i->ep;

    if (i->queued)
        return;
    i->queued = true;
    i->next = NULL;
    i->prev = e->last;
    *e->last = i;
    e->last = &i->next;
}

static void unqueue(struct item *i)
{
    if (!i->queued)
        return;
    i->queued = false;
    *i->prev = i->next;
    if (i->next != NULL)
        i->next->prev = i->prev;
    else
        i->ep->last = i->prev;
}

static bool is_socket(const struct item *i)
{
    return i->file->ops->kind == FILE_SOCKET;
}

static unsigned handles_of(const struct file *f) /* that a wait may need for it */
{
    return f->ops->handle_out != NULL ? 2 : 1;
}

static bool is_datagram(const struct item *i)
{
    return ((const struct sock_file *)i->file)->type == SOCK_DGRAM;
}

static void room_wanted(struct item *i, bool wanted)
{
    struct epoll *e = i->ep;

    if (wanted == (i->room_prev != NULL))
        return;
    if (wanted) {
        i->room_next = NULL;
        i->room_prev = e->wanting_end;
        *e->wanting_end = i;
        e->wanting_end = &i->room_next;
        e->nwanting++;
        e->ndatagrams_wanting += is_datagram(i);
    } else {
        *i->room_prev = i->room_next;
        if (i->room_next != NULL)
            i->room_next->room_prev = i->room_prev;
        else
            e->wanting_end = i->room_prev;
        i->room_prev = NULL;
        e->nwanting--;
        e->ndatagrams_wanting -= is_datagram(i);
    }
}

static struct item **slot(struct epoll *e, int fd)
{
    struct item **c = (unsigned)fd < FD_MAX ? e->chunk[fd / FD_CHUNK] : NULL;
    return c == NULL ? NULL : &c[fd % FD_CHUNK];
}

static void kick(struct epoll *e)
{
    if (e->waiting > 0 && e->kick >= 0)
        sys_notify(e->kick, 1); /* C-EVENT-1 */
}

static void item_free(struct item *i)
{
    struct epoll *e = i->ep;
    struct item **link = &i->file->watchers;

    while (*link != i)
        link = &(*link)->file_next;
    *link = i->file_next;
    *slot(e, i->fd) = NULL;
    if (is_socket(i)) {
        unqueue(i);
        room_wanted(i, false);
        e->nsockets--;
    } else {
        *i->prev = i->next;
        if (i->next != NULL)
            i->next->prev = i->prev;
        e->nplain -= handles_of(i->file);
    }
    free(i);
}

/* --- what others tell --- */

void __epoll_forget(struct file *f)
{
    libc_lock_take(&lock);
    while (f->watchers != NULL)
        item_free(f->watchers);
    libc_lock_drop(&lock);
}

void __epoll_touched(struct file *f)
{
    libc_lock_take(&lock);
    for (struct item *i = f->watchers; i != NULL; i = i->file_next) {
        if ((i->events & EPOLLET) && !i->fresh && !is_socket(i)) {
            i->fresh = true;
            kick(i->ep);
        }
    }
    libc_lock_drop(&lock);
}

void __epoll_changed(struct file *f)
{
    libc_lock_take(&lock);
    for (struct item *i = f != NULL ? f->watchers : NULL; i != NULL; i = i->file_next) {
        i->fresh = true;
        queue(i);
    }
    for (struct epoll *e = f == NULL ? all : NULL; e != NULL; e = e->others)
        e->room = true;
    libc_lock_drop(&lock);
}

/* What it would report now; remembers it if that lacks room. */
static uint32_t bits_now(struct item *i)
{
    uint32_t mask = i->events & 0xffffu;
    uint32_t got = mask == 0      ? 0
                   : is_socket(i) ? sock_poll_bits((struct sock_file *)i->file)
                                  : i->file->ops->events(i->file);

    if (is_socket(i))
        room_wanted(i, (mask & EPOLLOUT) && !(got & EPOLLOUT) && got != POLLNVAL &&
                           ns_starved(((struct sock_file *)i->file)->s));
    got &= mask | ALWAYS;
    return (i->events & EPOLLET) && !i->fresh ? 0 : got;
}

static bool has_news(struct epoll *e)
{
    while (e->first != NULL) {
        if (bits_now(e->first) != 0)
            return true;
        unqueue(e->first);
    }
    return e->room && e->nwanting > 0;
}

unsigned __epoll_wake(struct net_ctx *c)
{
    unsigned woken = 0;

    libc_lock_take(&lock);
    for (struct epoll *e = all; e != NULL; e = e->others) {
        if (e->sleepers == NULL || e->ctx != c || !has_news(e))
            continue;
        for (struct sleeper *s = e->sleepers; s != NULL; s = s->next) {
            if (s->who->asleep && s->who->word == 0) {
                net_poke(s->who);
                woken++;
            }
        }
    }
    libc_lock_drop(&lock);
    return woken;
}

/* In the child of a fork: whoever was in here is not any more. */
void __epoll_forked(void)
{
    lock = 0;
    for (struct epoll *e = all; e != NULL; e = e->others) {
        e->sleepers = NULL;
        e->waiting = 0;
    }
}

/* --- making and ending --- */

static void epoll_close(struct file *f)
{
    struct epoll *e = (struct epoll *)f, **link = &all;

    libc_lock_take(&lock);
    for (unsigned c = 0; c < FD_MAX / FD_CHUNK; c++)
        for (unsigned i = 0; e->chunk[c] != NULL && i < FD_CHUNK; i++)
            if (e->chunk[c][i] != NULL)
                item_free(e->chunk[c][i]);
    while (*link != e)
        link = &(*link)->others;
    *link = e->others;
    libc_lock_drop(&lock);
    for (unsigned c = 0; c < FD_MAX / FD_CHUNK; c++)
        free(e->chunk[c]);
    if (e->kick >= 0)
        sys_handle_close(e->kick);
    free(e);
}

static const struct file_ops epoll_ops = {.kind = FILE_EPOLL, .close = epoll_close};

int epoll_create1(int flags)
{
    if ((flags & ~EPOLL_CLOEXEC) != 0)
        return (int)__libc_result(-EINVAL);
    struct epoll *e = calloc(1, sizeof *e);
    if (e == NULL)
        return (int)__libc_result(-ENOMEM);
    e->f.ops = &epoll_ops;
    e->f.refs = 1;
    e->f.fdflags = flags & EPOLL_CLOEXEC ? FD_CLOEXEC : 0;
    e->last = &e->first;
    e->wanting_end = &e->wanting_room;
    e->kick = -1;
    libc_lock_take(&lock);
    e->others = all;
    all = e;
    libc_lock_drop(&lock);
    int fd = fd_install(&e->f, 0);
    if (fd < 0)
        fd_put(&e->f);
    return (int)__libc_result(fd);
}

int epoll_create(int size)
{
    return size <= 0 ? (int)__libc_result(-EINVAL) : epoll_create1(0);
}

/* --- what is watched --- */

static int add(struct epoll *e, int fd, struct file *f, const struct epoll_event *ev)
{
    bool socket = f->ops->kind == FILE_SOCKET;
    struct sock_file *s = (struct sock_file *)f;

    if (socket && (s->s == NULL || (e->ctx != NULL && e->ctx != s->ctx)))
        return -EINVAL;
    if (!socket && (f->ops->handle == NULL || f->ops->events == NULL))
        return -EPERM;
    if (!socket && e->nplain + handles_of(f) > EPOLL_HANDLES_MAX)
        return -ENOSPC;
    if (e->chunk[fd / FD_CHUNK] == NULL &&
        (e->chunk[fd / FD_CHUNK] = calloc(FD_CHUNK, sizeof(struct item *))) == NULL)
        return -ENOMEM;
    struct item *i = calloc(1, sizeof *i);
    if (i == NULL)
        return -ENOMEM;
    *i = (struct item){.ep = e, .file = f, .fd = fd, .events = ev->events, .data = ev->data, .fresh = true};
    i->file_next = f->watchers;
    f->watchers = i;
    *slot(e, fd) = i;
    if (socket) {
        e->nsockets++;
        e->ctx = s->ctx;
        ns_watch(s->s);
        queue(i);
    } else {
        i->next = e->plain;
        i->prev = &e->plain;
        if (e->plain != NULL)
            e->plain->prev = &i->next;
        e->plain = i;
        e->nplain += handles_of(f);
    }
    return 0;
}

static int control(struct epoll *e, int op, int fd, struct file *f, const struct epoll_event *ev)
{
    struct item **s = slot(e, fd), *i = s != NULL ? *s : NULL;

    if (i != NULL && i->file != f) { /* its number was closed while another one kept the file */
        item_free(i);
        i = NULL;
    }
    if (op == EPOLL_CTL_ADD)
        return i != NULL ? -EEXIST : add(e, fd, f, ev);
    if (i == NULL)
        return -ENOENT;
    if (op == EPOLL_CTL_DEL) {
        item_free(i);
        return 0;
    }
    i->events = ev->events;
    i->data = ev->data;
    i->fresh = true;
    if (is_socket(i))
        queue(i);
    return 0;
}

static struct epoll *epoll_get(int epfd)
{
    return (struct epoll *)fd_get_kind(epfd, FILE_EPOLL, EINVAL);
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
    struct epoll *e = epoll_get(epfd);
    if (e == NULL)
        return -1;
    struct file *f = fd_get(fd);
    int r = f == NULL                                                              ? -EBADF
            : f->ops->kind == FILE_EPOLL || op < EPOLL_CTL_ADD || op > EPOLL_CTL_MOD ? -EINVAL
            : op != EPOLL_CTL_DEL && ev == NULL                                    ? -EFAULT
                                                                                   : 0;
    if (r == 0) {
        struct net_ctx *c = f->ops->kind == FILE_SOCKET ? ((struct sock_file *)f)->ctx : NULL;
        if (c != NULL)
            net_enter_in(c);
        libc_lock_take(&lock);
        r = control(e, op, fd, f, ev);
        kick(e);
        libc_lock_drop(&lock);
        if (c != NULL)
            net_leave_in(c);
    }
    if (f != NULL)
        fd_put(f);
    fd_put(&e->f);
    return (int)__libc_result(r);
}

/* --- waiting --- */

/* Puts what has come about into *out; false when that is nothing. */
static bool report(struct item *i, struct epoll_event *out)
{
    uint32_t got = bits_now(i);

    if (got == 0)
        return false;
    out->events = got;
    out->data = i->data;
    i->fresh = i->file->ops->kind == FILE_HANDLE; /* nobody tells when that one is drained */
    if (i->events & EPOLLONESHOT)
        i->events = 0;
    return true;
}

/* Reported ones that are to be looked at again next time, after the others. */
struct again {
    struct item *first, **end;
};

static bool take(struct item *i, struct epoll_event *out, struct again *again)
{
    if (!report(i, out))
        return false;
    if ((i->events & EPOLLET) == 0 && i->events != 0 && !i->queued) { /* level */
        i->next = NULL;
        *again->end = i;
        again->end = &i->next;
    }
    return true;
}

/* There is room, maybe little: who finds none goes to the end, and a few of those
 * in a row say that it is used up (more will be told of). */
static int take_wanting(struct epoll *e, struct epoll_event *out, int max, struct again *again)
{
    int n = 0, misses = 0; /* C-EVENT-3 */

    for (unsigned left = e->nwanting; left > 0 && n < max && misses < ROOM_MISSES; left--) {
        struct item *i = e->wanting_room;
        room_wanted(i, false);
        i->fresh = true;
        if (take(i, &out[n], again))
            n++, misses = 0;
        else
            misses++;
    }
    e->room = n == max; /* else all were looked at, or it is used up */
    return n;
}

static int take_sockets(struct epoll *e, struct epoll_event *out, int max)
{
    struct again again = {NULL, &again.first};
    struct item *i;
    int n = 0;

    while (n < max && (i = e->first) != NULL) {
        unqueue(i);
        n += take(i, &out[n], &again);
    }
    if (e->ndatagrams_wanting > 0) /* nobody tells of room in the transmit ring */
        e->room = true;
    if (e->room && n < max)
        n += take_wanting(e, out + n, max - n, &again);
    while ((i = again.first) != NULL) {
        again.first = i->next;
        queue(i);
    }
    return n;
}

struct sleep {
    struct net_waiter me;
    struct sleeper sleeper;
    struct wait_item items[EPOLL_HANDLES_MAX + 1 + NET_SLEEP_ITEMS];
    unsigned n;
    uint64_t due_ns; /* a timer's time */
};

/* The items of those over handles that may become ready and are not. */
static void collect(struct epoll *e, struct sleep *s)
{
    s->n = 0;
    s->due_ns = SYS_NO_DEADLINE;
    for (struct item *i = e->plain; i != NULL; i = i->next) {
        uint32_t want = (i->events & (EPOLLOUT | EPOLLWRNORM) ? READY_OUT : 0u) |
                        (i->events & (EPOLLIN | EPOLLRDNORM) ? READY_IN : 0u);
        if ((i->events & 0xffffu) == 0 || ((i->events & EPOLLET) && !i->fresh))
            continue;
        const struct file_ops *ops = i->file->ops;
        int in = ops->handle(i->file), out = ops->handle_out != NULL ? ops->handle_out(i->file) : -1;
        if ((want & READY_OUT) && out >= 0) {
            s->items[s->n++] = (struct wait_item){.kind = WAIT_HANDLE, .handle = out, .want = READY_OUT};
            want &= ~READY_OUT;
        }
        if (in >= 0)
            s->items[s->n++] = (struct wait_item){.kind = WAIT_HANDLE, .handle = in, .want = want};
        uint64_t due = i->file->ops->due != NULL ? i->file->ops->due(i->file) : SYS_NO_DEADLINE;
        if (due < s->due_ns)
            s->due_ns = due;
    }
    if (__libc_threaded && e->kick < 0)
        e->kick = sys_endpoint_create(1);
    if (e->kick >= 0)
        s->items[s->n++] = (struct wait_item){.kind = WAIT_HANDLE, .handle = e->kick, .want = READY_IN};
}

static int take_plain(struct epoll *e, struct epoll_event *out, int max)
{
    int n = 0;

    for (struct item *i = e->plain; i != NULL && n < max; i = i->next)
        n += report(i, &out[n]);
    return n;
}

/* Nothing is ready: sleeps. The network's lock is held when there is a stack. */
static int doze(struct epoll *e, struct net_ctx *c, struct sleep *s, uint64_t deadline)
{
    uint64_t until = s->due_ns < deadline ? s->due_ns : deadline;
    struct sys_msg m;
    int r;

    if (c->ns != NULL && e->nsockets > 0) {
        r = net_sleep_masked(c, &s->me, s->items, s->n, until, NULL);
    } else {
        if (c->ns != NULL) {
            net_flush_in(c);
            net_leave_in(c);
        }
        r = sys_wait(s->items, s->n, until);
        if (c->ns != NULL)
            net_enter_in(c);
    }
    if (e->kick >= 0)
        sys_recv(e->kick, &m, 0);
    return r == -ETIMEDOUT ? (until == deadline ? r : 0) : r == -EAGAIN || r > 0 ? 0 : r;
}

static int wait_for(struct epoll *e, struct epoll_event *out, int max, int timeout_ms)
{
    uint64_t deadline = timeout_ms == 0 ? 0 : net_deadline_in(timeout_ms);
    struct net_ctx *c = e->ctx != NULL ? e->ctx : net_here();
    bool net = c->ns != NULL;
    struct sleep s;
    int n, r = 0;

    s.me.asleep = s.me.fruitless = s.me.for_room = false;
    if (net) {
        net_enter_in(c);
        net_run_in(c);
    }
    for (;;) {
        libc_lock_take(&lock);
        n = take_sockets(e, out, max);
        n += take_plain(e, out + n, max - n);
        bool over = n > 0 || timeout_ms == 0 || r < 0;
        if (!over) {
            collect(e, &s);
            e->waiting++;
            s.sleeper = (struct sleeper){e->sleepers, &s.me};
            e->sleepers = &s.sleeper;
        }
        libc_lock_drop(&lock);
        if (over)
            break;
        r = doze(e, c, &s, deadline);
        libc_lock_take(&lock);
        e->waiting--;
        for (struct sleeper **l = &e->sleepers; *l != NULL; l = &(*l)->next)
            if (*l == &s.sleeper) {
                *l = s.sleeper.next;
                break;
            }
        libc_lock_drop(&lock);
    }
    if (net) {
        if (c->cork)
            net_flush_in(c);
        net_leave_in(c);
    }
    return n > 0 || r == -ETIMEDOUT ? n : r;
}

int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout_ms)
{
    if (maxevents <= 0)
        return (int)__libc_result(-EINVAL);
    struct epoll *e = epoll_get(epfd);
    if (e == NULL)
        return -1;
    int r = wait_for(e, events, maxevents, timeout_ms);
    fd_put(&e->f);
    return (int)__libc_result(r);
}
