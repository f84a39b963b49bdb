/* SPDX-License-Identifier: MIT
 *
 * libc/mman.c: mmap over the kernel's anonymous memory and memory objects.
 * Context: any thread.
 *
 * Shared anonymous memory is a memory object without a handle: its mapping lives
 * on in children of fork. A file is copied into private memory.
 */
#include "libc.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096u
_Static_assert(PROT_READ == PROT_R && PROT_WRITE == PROT_W && PROT_EXEC == PROT_X, "the kernel's bits");

static int64_t map_shared(uint64_t at, uint64_t bytes, uint32_t prot)
{
    int handle = sys_memobj_create(bytes);
    if (handle < 0)
        return handle;
    /* What it is mapped with is the most that mprotect gives it later. */
    int64_t r = sys_memobj_map(handle, at, 0, bytes, PROT_R | PROT_W);
    sys_handle_close(handle);
    if (r >= 0 && prot != (PROT_R | PROT_W)) {
        int p = sys_mem_protect((uint64_t)r, bytes, prot);
        if (p < 0) {
            sys_mem_unmap((uint64_t)r, bytes);
            return p;
        }
    }
    return r;
}

static int64_t map_file(uint64_t at, uint64_t bytes, uint32_t prot, int fd, off_t offset)
{
    struct stat st;
    off_t was;
    ssize_t n;

    if (fstat(fd, &st) < 0)
        return -EBADF;
    if (!S_ISREG(st.st_mode))
        return -ENODEV;
    if (offset < 0 || offset % PAGE != 0)
        return -EINVAL;
    int64_t r = sys_mem_map(at, bytes, PROT_R | PROT_W);
    if (r < 0)
        return r;
    was = lseek(fd, 0, SEEK_CUR);
    lseek(fd, offset, SEEK_SET);
    for (uint64_t done = 0; done < bytes; done += (uint64_t)n) {
        n = read(fd, (char *)(uintptr_t)r + done, bytes - done);
        if (n <= 0)
            break;
    }
    lseek(fd, was, SEEK_SET);
    int p = prot == (PROT_R | PROT_W) ? 0 : sys_mem_protect((uint64_t)r, bytes, prot);
    if (p == 0)
        return r;
    sys_mem_unmap((uint64_t)r, bytes);
    return p;
}

void *mmap(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset)
{
    uint64_t at = (flags & MAP_FIXED) ? (uint64_t)(uintptr_t)addr : 0;
    uint64_t len = ((uint64_t)bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    int64_t r = -EINVAL;

    if (bytes == 0 || len < bytes || at % PAGE != 0 || (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC)) != 0)
        return (void *)__libc_result(-EINVAL);
    if (((flags & MAP_SHARED) != 0) == ((flags & MAP_PRIVATE) != 0))
        return (void *)__libc_result(-EINVAL);
    if ((prot & PROT_WRITE) && (prot & PROT_EXEC))
        return (void *)__libc_result(-EACCES);
    if (flags & MAP_FIXED)
        sys_mem_unmap(at, len);
    if (!(flags & MAP_ANONYMOUS))
        r = (flags & MAP_SHARED) && (prot & PROT_WRITE) ? -EACCES : map_file(at, len, (uint32_t)prot, fd, offset);
    else if (flags & MAP_SHARED)
        r = map_shared(at, len, (uint32_t)prot);
    else
        r = sys_mem_map(at, len, (uint32_t)prot);
    return (void *)__libc_result(r);
}

int munmap(void *addr, size_t bytes)
{
    uint64_t len = ((uint64_t)bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    if (bytes == 0)
        return (int)__libc_result(-EINVAL);
    return (int)__libc_result(sys_mem_unmap((uint64_t)(uintptr_t)addr, len));
}

int mprotect(void *addr, size_t bytes, int prot)
{
    uint64_t len = ((uint64_t)bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    if ((prot & PROT_WRITE) && (prot & PROT_EXEC))
        return (int)__libc_result(-EACCES);
    return len == 0 ? 0 : (int)__libc_result(sys_mem_protect((uint64_t)(uintptr_t)addr, len, (uint32_t)prot));
}

/* Nothing lies behind a mapping that would have to be written. */
int msync(void *addr, size_t bytes, int flags)
{
    (void)bytes;
    if ((uintptr_t)addr % PAGE != 0 || ((flags & MS_ASYNC) && (flags & MS_SYNC)))
        return (int)__libc_result(-EINVAL);
    return 0;
}
