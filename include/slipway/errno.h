/* SPDX-License-Identifier: MIT
 *
 * slipway/errno.h: the error numbers of the ABI.
 *
 * Owns: the numbers that cross the system-call boundary. The kernel returns
 * them negated in rax; libc stores them in errno. The values are newlib's, so
 * that libc passes them on unchanged (libc/abi_check.c asserts that they are).
 *
 * The kernel, net/core and net/stack use these values everywhere, on the host
 * too: a file that wants the host's <errno.h> must not include this one.
 */
#ifndef SLIPWAY_ERRNO_H
#define SLIPWAY_ERRNO_H

#undef EPERM
#undef ENOENT
#undef ESRCH
#undef EINTR
#undef EIO
#undef E2BIG
#undef ENOEXEC
#undef EBADF
#undef ECHILD
#undef EAGAIN
#undef EWOULDBLOCK
#undef ENOMEM
#undef EACCES
#undef EFAULT
#undef EBUSY
#undef EEXIST
#undef ENODEV
#undef ENOTDIR
#undef EISDIR
#undef EINVAL
#undef ENFILE
#undef EMFILE
#undef ENOTTY
#undef EFBIG
#undef ENOSPC
#undef ESPIPE
#undef EROFS
#undef EPIPE
#undef ERANGE
#undef EDOM
#undef EPROTO
#undef ENOSYS
#undef ENAMETOOLONG
#undef EOPNOTSUPP
#undef EPFNOSUPPORT
#undef ECONNRESET
#undef ENOBUFS
#undef EAFNOSUPPORT
#undef EPROTOTYPE
#undef ENOTSOCK
#undef ENOPROTOOPT
#undef ECONNREFUSED
#undef EADDRINUSE
#undef ECONNABORTED
#undef ENETUNREACH
#undef ENETDOWN
#undef ETIMEDOUT
#undef EHOSTDOWN
#undef EHOSTUNREACH
#undef EINPROGRESS
#undef EALREADY
#undef EDESTADDRREQ
#undef EMSGSIZE
#undef EPROTONOSUPPORT
#undef EADDRNOTAVAIL
#undef ENETRESET
#undef EISCONN
#undef ENOTCONN
#undef ENOTSUP
#undef EOVERFLOW
#undef ECANCELED
#undef EPEER

#define EPERM 1
#define ENOENT 2
#define ESRCH 3
#define EINTR 4
#define EIO 5
#define E2BIG 7
#define ENOEXEC 8
#define EBADF 9
#define ECHILD 10
#define EAGAIN 11
#define EWOULDBLOCK EAGAIN
#define ENOMEM 12
#define EACCES 13
#define EFAULT 14
#define EBUSY 16
#define EEXIST 17
#define ENODEV 19
#define ENOTDIR 20
#define EISDIR 21
#define EINVAL 22
#define ENFILE 23
#define EMFILE 24
#define ENOTTY 25
#define EFBIG 27
#define ENOSPC 28
#define ESPIPE 29
#define EROFS 30
#define EPIPE 32
#define EDOM 33
#define ERANGE 34
#define EPROTO 71
#define ENOSYS 88
#define ENAMETOOLONG 91
#define EOPNOTSUPP 95
#define EPFNOSUPPORT 96
#define ECONNRESET 104
#define ENOBUFS 105
#define EAFNOSUPPORT 106
#define EPROTOTYPE 107
#define ENOTSOCK 108
#define ENOPROTOOPT 109
#define ECONNREFUSED 111
#define EADDRINUSE 112
#define ECONNABORTED 113
#define ENETUNREACH 114
#define ENETDOWN 115
#define ETIMEDOUT 116
#define EHOSTDOWN 117
#define EHOSTUNREACH 118
#define EINPROGRESS 119
#define EALREADY 120
#define EDESTADDRREQ 121
#define EMSGSIZE 122
#define EPROTONOSUPPORT 123
#define EADDRNOTAVAIL 125
#define ENETRESET 126
#define EISCONN 127
#define ENOTCONN 128
#define ENOTSUP 134
#define EOVERFLOW 139
#define ECANCELED 140
/* The peer of a message died before it answered, or is dead already.
 * newlib leaves the numbers from 2000 to the system. */
#define EPEER 2001

#endif
