# SPDX-License-Identifier: MIT
#
# libc/libc.mk: the glue between newlib and the kernel. All of it goes into one
# archive; crt0.S gives the entry symbol _start. Headers in libc/include come
# before newlib's, since <sys/features.h> there wraps newlib's.

LIBC_SOURCES = \
    libc/crt0.S \
    libc/abi_check.c \
    libc/adopt.c \
    libc/addrinfo.c \
    libc/addrsort.c \
    libc/bootopt.c \
    libc/children.c \
    libc/dev.c \
    libc/devnode.c \
    libc/epoll.c \
    libc/eventfd.c \
    libc/exec.c \
    libc/fd.c \
    libc/fork.c \
    libc/inherit.c \
    libc/job.c \
    libc/pair.c \
    libc/pipe.c \
    libc/signal.c \
    libc/signal_entry.S \
    libc/spawn.c \
    libc/file.c \
    libc/heap.c \
    libc/hosts.c \
    libc/inet.c \
    libc/locks.c \
    libc/mman.c \
    libc/msg.c \
    libc/mutex.c \
    libc/net.c \
    libc/netdb.c \
    libc/netenv.c \
    libc/netif.c \
    libc/nethelper.c \
    libc/netthread.c \
    libc/netwait.c \
    libc/open.c \
    libc/poll.c \
    libc/process.c \
    libc/ready.c \
    libc/resolve.c \
    libc/rwlock.c \
    libc/semaphore.c \
    libc/socket.c \
    libc/sockmove.c \
    libc/sockopt.c \
    libc/start.c \
    libc/thread.c \
    libc/thread_entry.S \
    libc/timerfd.c \
    libc/time.c
