/* SPDX-License-Identifier: MIT
 *
 * slipway/sys.h: the system calls as C functions, and messages made easy.
 *
 * Owns: typed wrappers around `syscall`. Each returns zero, a positive value,
 * or a negative errno (slipway/errno.h), and leaves errno alone. What the calls
 * mean is written once, in slipway/syscalls.def.
 * Context: any thread. Lock: none but in sys_ask, which keeps its own.
 */
#ifndef SLIPWAY_SYS_H
#define SLIPWAY_SYS_H

#include <slipway/syscall.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline long __sys_raw(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    long ret;
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return ret;
}
static inline long __sys_raw3(long number, uint64_t a, uint64_t b, uint64_t c)
{
    long ret;
    __asm__ volatile("syscall" : "=a"(ret) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return ret;
}
#define __SYS_PTR(p)         ((uint64_t)(uintptr_t)(p))
#define __SYS(name, a, b, c) __sys_raw3(SYS_##name, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c))

/* --- processes and threads --- */
static inline void __attribute__((noreturn)) sys_exit(int status)
{
    for (;;)
        __SYS(exit, (int64_t)status, 0, 0);
}
static inline int sys_thread_create(const struct sys_thread *t)
{
    return (int)__SYS(thread_create, __SYS_PTR(t), 0, 0);
}
static inline void __attribute__((noreturn)) sys_thread_exit(uint32_t *clear)
{
    for (;;)
        __SYS(thread_exit, __SYS_PTR(clear), 0, 0);
}
static inline int sys_thread_tls(const void *fs_base)
{
    return (int)__SYS(thread_tls, __SYS_PTR(fs_base), 0, 0);
}
static inline int sys_yield(void)
{
    return (int)__SYS(yield, 0, 0, 0);
}
static inline int64_t sys_thread_affinity(uint64_t mask)
{
    return __SYS(thread_affinity, mask, 0, 0);
}
static inline int sys_spawn(const struct sys_spawn *s)
{
    return (int)__SYS(spawn, __SYS_PTR(s), 0, 0);
}
/* A process handle, which is not 0, to the parent; 0 to the child. */
static inline int sys_fork(void)
{
    return (int)__SYS(fork, 0, 0, 0);
}
static inline int sys_exec(const struct sys_exec *x)
{
    return (int)__SYS(exec, __SYS_PTR(x), 0, 0);
}
static inline int sys_kill(uint32_t pid, uint32_t signal)
{
    return (int)__SYS(kill, pid, signal, 0);
}
static inline int sys_process_status(int handle, struct sys_exit *e)
{
    return (int)__SYS(process_status, (int64_t)handle, __SYS_PTR(e), 0);
}
static inline int sys_signal_setup(const struct sys_signal_setup *s)
{
    return (int)__SYS(signal_setup, __SYS_PTR(s), 0, 0);
}
static inline int64_t sys_signal_mask(uint32_t how, uint32_t mask)
{
    return __SYS(signal_mask, how, mask, 0);
}
static inline int64_t sys_signal_wait(uint32_t mask, uint32_t mode, uint64_t deadline_ns)
{
    return __SYS(signal_wait, mask, mode, deadline_ns);
}
static inline int sys_thread_signal(uint32_t thread, uint32_t signal)
{
    return (int)__SYS(thread_signal, thread, signal, 0);
}
static inline int64_t sys_process_control(uint32_t op, uint64_t a, uint64_t b)
{
    return __SYS(process_control, op, a, b);
}
static inline int sys_getpid(void)
{
    return (int)__SYS(getpid, 0, 0, 0);
}

/* --- handles and memory --- */
static inline int sys_handle_close(int handle)
{
    return (int)__SYS(handle_close, (int64_t)handle, 0, 0);
}
static inline int64_t sys_mem_map(uint64_t addr, uint64_t bytes, uint32_t prot)
{
    return __SYS(mem_map, addr, bytes, prot);
}
static inline int sys_mem_unmap(uint64_t addr, uint64_t bytes)
{
    return (int)__SYS(mem_unmap, addr, bytes, 0);
}
static inline int sys_mem_protect(uint64_t addr, uint64_t bytes, uint32_t prot)
{
    return (int)__SYS(mem_protect, addr, bytes, prot);
}
static inline int sys_memobj_create(uint64_t bytes)
{
    return (int)__SYS(memobj_create, bytes, 0, 0);
}
static inline int64_t sys_memobj_map(int handle, uint64_t addr, uint64_t offset, uint64_t bytes,
                                     uint32_t prot)
{
    return __sys_raw(SYS_memobj_map, (uint64_t)(int64_t)handle, addr, offset, bytes, prot);
}
static inline int sys_time_page(void)
{
    return (int)__SYS(time_page, 0, 0, 0);
}
static inline int sys_initrd_open(uint64_t *bytes)
{
    return (int)__SYS(initrd_open, __SYS_PTR(bytes), 0, 0);
}

/* --- pipes --- */
static inline int sys_pipe_create(int32_t ends[2])
{
    return (int)__SYS(pipe_create, __SYS_PTR(ends), 0, 0);
}
static inline int64_t sys_stream_read(int handle, void *buf, uint64_t bytes, uint64_t deadline_ns)
{
    return __sys_raw(SYS_stream_read, (uint64_t)(int64_t)handle, __SYS_PTR(buf), bytes, deadline_ns, 0);
}
static inline int64_t sys_stream_write(int handle, const void *buf, uint64_t bytes, uint64_t deadline_ns)
{
    return __sys_raw(SYS_stream_write, (uint64_t)(int64_t)handle, __SYS_PTR(buf), bytes, deadline_ns, 0);
}

/* --- messages --- */
static inline int sys_endpoint_create(uint32_t depth)
{
    return (int)__SYS(endpoint_create, depth, 0, 0);
}
static inline int sys_name_register(const char *name, int handle)
{
    return (int)__SYS(name_register, __SYS_PTR(name), (int64_t)handle, 0);
}
static inline int sys_name_lookup(const char *name)
{
    return (int)__SYS(name_lookup, __SYS_PTR(name), 0, 0);
}
static inline int sys_name_watch(const char *name, int handle, uint64_t up, uint64_t down)
{
    return (int)__sys_raw(SYS_name_watch, __SYS_PTR(name), (uint64_t)(int64_t)handle, up, down, 0);
}
static inline int sys_call(int handle, struct sys_msg *m, uint64_t deadline_ns)
{
    return (int)__SYS(call, (int64_t)handle, __SYS_PTR(m), deadline_ns);
}
static inline int sys_send(int handle, const struct sys_msg *m)
{
    return (int)__SYS(send, (int64_t)handle, __SYS_PTR(m), 0);
}
static inline int sys_recv(int handle, struct sys_msg *m, uint64_t deadline_ns)
{
    return (int)__SYS(recv, (int64_t)handle, __SYS_PTR(m), deadline_ns);
}
static inline int sys_reply(uint64_t token, const struct sys_msg *m)
{
    return (int)__SYS(reply, token, __SYS_PTR(m), 0);
}
/* For servers: one entry into the kernel for each request. */
static inline int sys_reply_recv(uint64_t token, struct sys_msg *m, int handle, uint64_t deadline_ns)
{
    return (int)__sys_raw(SYS_reply_recv, token, __SYS_PTR(m), (uint64_t)(int64_t)handle, deadline_ns, 0);
}
static inline int sys_notify(int handle, uint64_t bits)
{
    return (int)__SYS(notify, (int64_t)handle, bits, 0);
}
static inline int sys_wait(struct wait_item *items, uint32_t n, uint64_t deadline_ns)
{
    return (int)__SYS(wait, __SYS_PTR(items), n, deadline_ns);
}
/* The mask holds for the wait alone: no signal comes between the two. */
static inline int sys_wait_masked(struct wait_item *items, uint32_t n, uint64_t deadline_ns, uint32_t mask)
{
    return (int)__sys_raw(SYS_wait_masked, __SYS_PTR(items), n, deadline_ns, mask, 0);
}
static inline int sys_futex_wake(uint32_t *addr, uint32_t n)
{
    return (int)__SYS(futex_wake, __SYS_PTR(addr), n, 0);
}

/* --- time and chance --- */
static inline int sys_clock_get(uint32_t clock, uint64_t *ns)
{
    return (int)__SYS(clock_get, clock, __SYS_PTR(ns), 0);
}
static inline int sys_clock_set(uint64_t realtime_ns)
{
    return (int)__SYS(clock_set, realtime_ns, 0, 0);
}
static inline int sys_random(void *buf, uint64_t bytes, uint32_t flags)
{
    return (int)__SYS(random, __SYS_PTR(buf), bytes, flags);
}

/* --- log, console, power, status --- */
static inline int sys_log_write(uint32_t level, const char *text, uint64_t bytes)
{
    return (int)__SYS(log_write, level, __SYS_PTR(text), bytes);
}
static inline int64_t sys_log_read(uint64_t *cursor, char *buf, uint64_t bytes)
{
    return __SYS(log_read, __SYS_PTR(cursor), __SYS_PTR(buf), bytes);
}
static inline int64_t sys_log_previous(uint64_t *cursor, char *buf, uint64_t bytes)
{
    return __SYS(log_previous, __SYS_PTR(cursor), __SYS_PTR(buf), bytes);
}
static inline int sys_framebuffer_open(void)
{
    return (int)__SYS(framebuffer_open, 0, 0, 0);
}
static inline int sys_watchdog_feed(void)
{
    return (int)__SYS(watchdog_feed, 0, 0, 0);
}
static inline int sys_console_open(void)
{
    return (int)__SYS(console_open, 0, 0, 0);
}
static inline int64_t sys_console_read(int handle, void *buf, uint64_t bytes)
{
    return __SYS(console_read, (int64_t)handle, __SYS_PTR(buf), bytes);
}
static inline int64_t sys_console_write(const void *buf, uint64_t bytes)
{
    return __SYS(console_write, __SYS_PTR(buf), bytes, 0);
}
static inline int sys_power(uint32_t op)
{
    return (int)__SYS(power, op, 0, 0);
}
static inline int64_t sys_info(uint32_t kind, uint64_t cursor, void *buf, uint64_t bytes)
{
    return __sys_raw(SYS_info, kind, cursor, __SYS_PTR(buf), bytes, 0);
}

/* --- watching --- */
static inline int sys_trace_open(uint32_t pid, uint32_t flags)
{
    return (int)__SYS(trace_open, pid, flags, 0);
}
static inline int64_t sys_trace_read(int handle, struct trace_record *buf, uint64_t bytes)
{
    return __SYS(trace_read, (int64_t)handle, __SYS_PTR(buf), bytes);
}

/* --- network --- */
static inline int sys_net_open(struct sys_net_open *o)
{
    return (int)__SYS(net_open, __SYS_PTR(o), 0, 0);
}
static inline int sys_net_kick(int handle)
{
    return (int)__SYS(net_kick, (int64_t)handle, 0, 0);
}
static inline int64_t sys_net_grow(int handle)
{
    return __SYS(net_grow, (int64_t)handle, 0, 0);
}
static inline int sys_port_register(struct net_port_op *op)
{
    return (int)__SYS(port_register, __SYS_PTR(op), 0, 0);
}
static inline int sys_port_unregister(const struct net_port_op *op)
{
    return (int)__SYS(port_unregister, __SYS_PTR(op), 0, 0);
}
static inline int sys_port_transfer(struct net_port_op *op)
{
    return (int)__SYS(port_transfer, __SYS_PTR(op), 0, 0);
}
static inline int sys_slot_register(int endpoint, uint32_t slot)
{
    return (int)__SYS(slot_register, (int64_t)endpoint, slot, 0);
}
static inline int sys_net_config(const struct net_config *c)
{
    return (int)__SYS(net_config, __SYS_PTR(c), 0, 0);
}
static inline int64_t sys_net_info(uint32_t kind, uint64_t cursor, void *buf, uint64_t bytes)
{
    return __sys_raw(SYS_net_info, kind, cursor, __SYS_PTR(buf), bytes, 0);
}
static inline int sys_blob_set(const void *buf, uint64_t bytes)
{
    return (int)__SYS(blob_set, __SYS_PTR(buf), bytes, 0);
}
static inline int64_t sys_blob_get(void *buf, uint64_t bytes)
{
    return __SYS(blob_get, __SYS_PTR(buf), bytes, 0);
}
static inline int sys_tap_open(int endpoint, uint32_t link)
{
    return (int)__SYS(tap_open, (int64_t)endpoint, link, 0);
}

/* --- small helpers --- */

/* CLOCK_MONOTONIC in nanoseconds. Reads the TSC when the kernel's clock is the
 * TSC, and asks the kernel otherwise. Needs libc's thread-local storage, so not
 * for threads made by sys_thread_create. */
uint64_t sys_now_ns(void);

/* Prepare a request: type and up to MSG_INLINE_MAX bytes of data (longer data
 * is cut off). No handle goes along. */
void sys_msg_set(struct sys_msg *m, uint32_t type, const void *data, size_t bytes);

/* Ask a server and take its answer, in three lines:
 *
 *     struct sys_msg m;
 *     sys_msg_set(&m, INIT_START, "echo", sizeof "echo");
 *     int r = sys_ask("init", &m, 2000);
 *
 * Returns a negative errno when the message could not be exchanged (-ENOENT no
 * such server now, -EACCES not in the manifest's `call` line, -EPEER it died,
 * -ETIMEDOUT), else the reply's type, which by custom is 0 or a negative errno.
 *
 * The handle is kept for the next request. When the server has died since, the
 * name is looked up again, and its successor is waited for within the time
 * given. -EPEER means that it died with this request in its hands: whether it
 * was done nobody knows, so it is not sent a second time. */
int sys_ask(const char *server, struct sys_msg *m, uint32_t timeout_ms);

/* A handle to send to `name`, as soon as somebody serves it. */
int sys_name_wait(const char *name, uint64_t deadline_ns);

/* Serve: takes requests from one's own endpoint and answers them until
 * request() returns something else than 0, or receiving fails; returns that.
 *
 *     static int request(struct sys_msg *m, void *arg)
 *     {
 *         uint32_t answer = answer_to(m->type, m->data, m->len);
 *         sys_msg_set(m, 0, &answer, sizeof answer);
 *         return 0;
 *     }
 *     ...
 *     int e = sys_endpoint_create(16);
 *     sys_name_register("oracle", e);
 *     sys_ready();
 *     return sys_serve(e, request, NULL);
 *
 * request() turns *m into the answer, which is sent when the sender waits for
 * one (m->token was not 0). A handle that came along is request()'s; one that it
 * leaves in *m goes with the answer and is then closed. Notification bits may
 * come with a request or alone (type MSG_NOTIFY). */
int sys_serve(int endpoint, int (*request)(struct sys_msg *m, void *arg), void *arg);

/* Tell init "I serve now". Harmless for a process that may not call init. */
void sys_ready(void);

/* One line into the kernel log, printf style; levels as in kernel/log.h. */
#define SYS_LOG_ERROR 0u
#define SYS_LOG_WARN  1u
#define SYS_LOG_INFO  2u
#define SYS_LOG_DEBUG 3u
void sys_logf(uint32_t level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The value of key=VALUE among the boot options, the last one if there are several;
 * false when there is none, or it has no room. */
bool sys_boot_option(const char *key, char *value, size_t room);

/* Ask the resolver (slipway/netdproto.h): in and out in *r. 0, or -errno: -EACCES
 * without the right to call netd, -EINVAL, -ETIMEDOUT, -EAGAIN: too many questions
 * were open all the time. Waits NETD_RESOLVE_MS, twice that at the very most. */
struct netd_resolve;
int sys_resolve(struct netd_resolve *r);

/* Read-only file of the initrd in place, without a copy. NULL: no such file. */
const void *initrd_map_file(const char *path, size_t *len);

/* A handle (endpoint, process, ...) as a descriptor, for poll() and select();
 * READY_IN shows as POLLIN. close() closes the handle too. -1 and errno. */
int sys_handle_fd(int handle);

/* For event loops: on, what send() queued is transmitted by the next call that
 * may wait (poll, select, a blocking receive), not by send() itself. A program
 * that computes for long between send and poll leaves it off. */
void slipway_net_cork(int on);

/* Sizes of this process's packet rings and socket buffers; call it before the
 * first socket(). Zero keeps a default. Returns -1 with EBUSY when too late. */
struct slipway_net_setup {
    uint32_t rx_bytes, tx_entries, arena_bytes;
    uint32_t sockets_max, tcp_sndbuf, tcp_rcvbuf, udp_rcvbuf, time_wait_ms;
};
int slipway_net_setup(const struct slipway_net_setup *s);

/* Give the calling thread a protocol stack of its own: sockets that it makes from
 * here on belong to it, so that threads serve one port (SO_REUSEPORT) side by side
 * without a lock between them. poll and select look only at sockets of the
 * caller's stack (POLLNVAL for others); all other calls work on any. The stack's
 * rings count against the manifest's limit. 0, or -1 and errno. */
int slipway_net_thread(void);

/* The n-th counter of this process's protocol stacks, all together; name and meaning
 * are constants (net/stack/netstack.h, NS_COUNTER_LIST). False: there is none of that
 * number. Context: any thread. */
bool slipway_net_counter(unsigned n, const char **name, const char **meaning, uint64_t *value);

/* Counters for tests: how often the calling thread has woken up for the network
 * (where there are several), and how often the helper has run a stack. */
uint64_t slipway_net_wakeups(void);
unsigned slipway_net_helps(void);

/* Move a socket to another process (slipway/handover.h): a TCP connection, a
 * listener, a UDP socket. export writes it to buf (8-byte aligned) and returns the
 * length of the record; when that is more than `bytes`, or on failure (-1 and
 * errno), the socket is still there, else its descriptor is closed and it waits
 * for who shows the record. import makes a descriptor of it. Not while another
 * thread uses the socket. ENOTCONN: it is in no state that can be moved;
 * EOPNOTSUPP: its port is shared with others, who can join it instead. */
__PTRDIFF_TYPE__ slipway_socket_export(int fd, void *buf, size_t bytes);
int slipway_socket_import(const void *buf, size_t bytes);
/* The same in a memory object, whose handle spawn or a message can carry. */
int slipway_socket_pack(int fd);
int slipway_socket_unpack(int handle);
/* For programs that are given sockets when they start (spawn.h): takes them now.
 * Others need not have the code for it linked in. */
void slipway_inherit_sockets(void);

#ifdef __cplusplus
}
#endif

#endif
