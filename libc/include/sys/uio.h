/* SPDX-License-Identifier: MIT
 *
 * sys/uio.h: reading and writing several buffers at once (POSIX.1-2017).
 */
#ifndef SLIPWAY_SYS_UIO_H
#define SLIPWAY_SYS_UIO_H

#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IOV_MAX 64
#define UIO_MAXIOV IOV_MAX

struct iovec {
    void *iov_base;
    size_t iov_len;
};

ssize_t readv(int fd, const struct iovec *iov, int n);
ssize_t writev(int fd, const struct iovec *iov, int n);

#ifdef __cplusplus
}
#endif

#endif
