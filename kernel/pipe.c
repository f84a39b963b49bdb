/* SPDX-License-Identifier: MIT
 *
 * kernel/pipe.c: pipes.
 *
 * Owns: struct pipe, its pages and its two ends, which are objects like any
 * other: waited for, inherited, passed along in messages. Called by: system
 * calls. Context: thread.
 *
 * A pipe holds up to 64 KiB in pages that come when they are written to and go
 * when they are read. They count as its maker's memory; when that process is gone
 * the next writer takes the bill over. A write of up to PIPE_BYTES_ATOMIC bytes
 * goes in whole or not at all. An end is gone with its last handle (and the last
 * call that uses it): readers of what is left then see the end, writers -EPIPE.
 */
#include <kernel/proc.h>
#include <kernel/string.h>
#include <kernel/syscall.h>

#define PIPE_PAGES 16u
#define PIPE_BYTES (PIPE_PAGES * (uint32_t)PAGE_SIZE)

struct pipe {
    struct object reader, writer;
    struct waitq readers, writers;
    struct process *payer;     /* reference */
    uint32_t head, count;      /* bytes: where reading goes on, how many */
    void *pages[PIPE_PAGES];   /* those that hold something, and perhaps one more */
    uint32_t npages;
};

static struct pipe *of_reader(struct object *o)
{
    return (struct pipe *)((char *)o - offsetof(struct pipe, reader));
}

static struct pipe *of_writer(struct object *o)
{
    return (struct pipe *)((char *)o - offsetof(struct pipe, writer));
}

/* --- memory --- */

static uint64_t charge_of(const struct pipe *p)
{
    return sizeof *p + p->npages * PAGE_SIZE;
}

/* A dead payer's account is closed: what the pipe holds becomes the writer's. */
static int settle(struct pipe *p)
{
    struct process *now = self_process();
    int r;

    if (!p->payer->dying)
        return 0;
    r = process_charge(now, charge_of(p));
    if (r < 0)
        return r;
    object_ref(&now->object);
    process_uncharge(p->payer, charge_of(p));
    object_unref(&p->payer->object);
    p->payer = now;
    return 0;
}

static int page_in(struct pipe *p, uint32_t i)
{
    phys_t at;
    int r;

    if (p->pages[i] != NULL)
        return 0;
    r = settle(p);
    if (r == 0)
        r = process_charge(p->payer, PAGE_SIZE); /* C-PIPE-2 */
    if (r < 0)
        return r;
    at = page_alloc(0, PAGE_OWNER(OWNER_OBJECT));
    if (at == 0) {
        process_uncharge(p->payer, PAGE_SIZE);
        return -ENOMEM;
    }
    p->pages[i] = phys_to_virt(at);
    p->npages++;
    return 0;
}

static void page_out(struct pipe *p, uint32_t i)
{
    if (p->pages[i] == NULL)
        return;
    page_free(virt_to_phys(p->pages[i]), 0);
    p->pages[i] = NULL;
    p->npages--;
    process_uncharge(p->payer, PAGE_SIZE);
}

static void pipe_free(struct pipe *p)
{
    for (uint32_t i = 0; i < PIPE_PAGES; i++)
        page_out(p, i);
    process_uncharge(p->payer, sizeof *p);
    object_unref(&p->payer->object);
    kfree(p);
}

/* --- the two ends --- */

static uint32_t reader_ready(struct object *o)
{
    struct pipe *p = of_reader(o);
    return (p->count > 0 ? READY_IN : 0) | (p->writer.refs == 0 ? READY_ERR : 0);
}

static uint32_t writer_ready(struct object *o)
{
    struct pipe *p = of_writer(o);
    return (PIPE_BYTES - p->count >= PIPE_BYTES_ATOMIC ? READY_OUT : 0) |
           (p->reader.refs == 0 ? READY_ERR : 0);
}

static struct waitq *reader_waitq(struct object *o)
{
    return &of_reader(o)->readers;
}

static struct waitq *writer_waitq(struct object *o)
{
    return &of_writer(o)->writers;
}

static void reader_gone(struct object *o)
{
    struct pipe *p = of_reader(o);

    if (p->writer.refs == 0)
        pipe_free(p);
    else
        waitq_wake(&p->writers);
}

static void writer_gone(struct object *o)
{
    struct pipe *p = of_writer(o);

    if (p->reader.refs == 0)
        pipe_free(p);
    else
        waitq_wake(&p->readers);
}

static const struct object_ops reader_ops = {
    .ready = reader_ready, .waitq = reader_waitq, .destroy = reader_gone};
static const struct object_ops writer_ops = {
    .ready = writer_ready, .waitq = writer_waitq, .destroy = writer_gone};

static struct pipe *pipe_new(struct process *maker)
{
    struct pipe *p;

    if (process_charge(maker, sizeof *p) < 0)
        return NULL;
    p = kzalloc(sizeof *p);
    if (p == NULL) {
        process_uncharge(maker, sizeof *p);
        return NULL;
    }
    p->reader = (struct object){.kind = OBJ_PIPE_READ, .refs = 1, .ops = &reader_ops};
    p->writer = (struct object){.kind = OBJ_PIPE_WRITE, .refs = 1, .ops = &writer_ops};
    p->payer = maker;
    object_ref(&maker->object);
    return p;
}

SYSCALL_HANDLER(pipe_create)
{
    struct process *maker = self_process();
    struct pipe *p = pipe_new(maker);
    int32_t ends[2];

    if (p == NULL)
        return -ENOMEM;
    ends[0] = handle_new(maker, &p->reader);
    if (ends[0] < 0) {
        p->reader.refs = 0;
        object_unref(&p->writer);
        return ends[0];
    }
    ends[1] = handle_new(maker, &p->writer);
    if (ends[1] < 0)
        object_unref(&p->writer);
    else if (copy_to_user(a0, ends, sizeof ends) == 0)
        return 0;
    else
        handle_close(maker, ends[1]);
    handle_close(maker, ends[0]);
    return ends[1] < 0 ? ends[1] : -EFAULT;
}

/* --- bytes --- */

/* One page's part of a transfer of `left` bytes at ring position `at`. */
static uint32_t piece(uint32_t at, uint64_t left)
{
    uint32_t room = (uint32_t)PAGE_SIZE - at % (uint32_t)PAGE_SIZE;
    return left < room ? (uint32_t)left : room;
}

/* Puts n bytes in, which there is room for; all or nothing, or -errno. */
static int put(struct pipe *p, uint64_t user, uint32_t n)
{
    uint32_t tail = p->head + p->count;
    int r = 0;

    for (uint32_t done = 0, k; done < n && r == 0; done += k) {
        uint32_t at = (tail + done) % PIPE_BYTES;
        k = piece(at, n - done);
        r = page_in(p, at / (uint32_t)PAGE_SIZE);
        if (r == 0)
            r = copy_from_user((char *)p->pages[at / PAGE_SIZE] + at % PAGE_SIZE, user + done, k);
    }
    if (r < 0)
        return r; /* pages that came in stay for the next writer, the bytes do not count */
    p->count += n;
    waitq_wake(&p->readers);
    return 0;
}

static int64_t get(struct pipe *p, uint64_t user, uint64_t n)
{
    uint32_t done = 0;

    if (n > p->count)
        n = p->count;
    while (done < n) {
        uint32_t i = p->head / (uint32_t)PAGE_SIZE, k = piece(p->head, n - done);
        if (copy_to_user(user + done, (char *)p->pages[i] + p->head % PAGE_SIZE, k) < 0)
            break;
        p->head = (p->head + k) % PIPE_BYTES;
        p->count -= k;
        done += k;
        if (p->head % PAGE_SIZE == 0 && p->count <= PIPE_BYTES - PAGE_SIZE) /* else the newest bytes lie there */
            page_out(p, i);
    }
    waitq_wake(&p->writers);
    return done > 0 || n == 0 ? (int64_t)done : -EFAULT;
}

/* Room for a whole atomic write, or for any part of a longer one. */
static bool room_for(const struct pipe *p, uint64_t n)
{
    uint32_t room = PIPE_BYTES - p->count;
    return n <= PIPE_BYTES_ATOMIC ? room >= n : room > 0; /* C-PIPE-1 */
}

static int wait_room(struct pipe *p, uint64_t n, uint64_t deadline)
{
    struct wait_entry e = {.thread = self_thread()};
    int r = 0;

    if (deadline == 0)
        return -EAGAIN;
    self_thread()->woken = false;
    waitq_add(&p->writers, &e);
    while (!room_for(p, n) && p->reader.refs > 0 && r == 0)
        r = thread_block(deadline); /* C-PIPE-3 */
    waitq_remove(&e);
    return room_for(p, n) || p->reader.refs == 0 ? 0 : r;
}

static int wait_bytes(struct pipe *p, uint64_t deadline)
{
    struct wait_entry e = {.thread = self_thread()};
    int r = 0;

    if (deadline == 0)
        return -EAGAIN;
    self_thread()->woken = false;
    waitq_add(&p->readers, &e);
    while (p->count == 0 && p->writer.refs > 0 && r == 0)
        r = thread_block(deadline); /* C-PIPE-3 */
    waitq_remove(&e);
    return p->count > 0 || p->writer.refs == 0 ? 0 : r;
}

static int64_t write_all(struct pipe *p, uint64_t user, uint64_t bytes, uint64_t deadline)
{
    uint64_t done = 0;
    int r = 0;

    while (done < bytes && r == 0) {
        uint64_t left = bytes - done;
        if (p->reader.refs == 0) {
            r = -EPIPE;
        } else if (!room_for(p, left)) {
            r = wait_room(p, left, deadline);
        } else {
            uint32_t room = PIPE_BYTES - p->count, n = left < room ? (uint32_t)left : room;
            if (n > PAGE_SIZE)
                n = (uint32_t)PAGE_SIZE; /* short steps: others run, and a fault loses little */
            r = put(p, user + done, n);
            if (r == 0)
                done += n;
        }
    }
    return done > 0 ? (int64_t)done : r;
}

SYSCALL_HANDLER(stream_write)
{
    struct object *o = handle_get(self_process(), (int)a0, OBJ_PIPE_WRITE);
    int64_t r;

    if (o == NULL)
        return -EBADF;
    r = user_range_ok(a1, a2) ? write_all(of_writer(o), a1, a2, a3) : -EFAULT;
    object_unref(o);
    return r;
}

SYSCALL_HANDLER(stream_read)
{
    struct object *o = handle_get(self_process(), (int)a0, OBJ_PIPE_READ);
    struct pipe *p;
    int64_t r = 0;

    if (o == NULL)
        return -EBADF;
    p = of_reader(o);
    if (!user_range_ok(a1, a2))
        r = -EFAULT;
    else if (a2 > 0 && p->count == 0 && p->writer.refs > 0)
        r = wait_bytes(p, a3);
    if (r == 0)
        r = get(p, a1, a2); /* 0 is the end */
    object_unref(o);
    return r;
}
