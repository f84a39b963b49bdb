/* SPDX-License-Identifier: MIT
 *
 * unistd.h: newlib's, and what it shows on other systems only.
 */
#ifndef SLIPWAY_UNISTD_H
#define SLIPWAY_UNISTD_H

#include_next <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

int pipe2(int fds[2], int flags);
int dup3(int fd, int to, int flags);
int execvpe(const char *file, char *const argv[], char *const envp[]);
pid_t getsid(pid_t pid);

#ifdef __cplusplus
}
#endif

#endif
