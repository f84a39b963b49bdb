/* SPDX-License-Identifier: MIT
 *
 * sys/mman.h: mappings. Anonymous ones are private, or shared with the children of
 * fork; files (which are read-only here) can be mapped privately. Nothing is ever
 * writable and executable at once.
 */
#ifndef _SYS_MMAN_H
#define _SYS_MMAN_H

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PROT_NONE  0
#define PROT_READ  1
#define PROT_WRITE 2
#define PROT_EXEC  4

#define MAP_SHARED    0x01
#define MAP_PRIVATE   0x02
#define MAP_FIXED     0x10
#define MAP_ANONYMOUS 0x20
#define MAP_ANON      MAP_ANONYMOUS
#define MAP_FAILED    ((void *)-1)

#define MS_ASYNC      1
#define MS_SYNC       2
#define MS_INVALIDATE 4

void *mmap(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset);
int munmap(void *addr, size_t bytes);
int mprotect(void *addr, size_t bytes, int prot);
int msync(void *addr, size_t bytes, int flags);

#ifdef __cplusplus
}
#endif

#endif
