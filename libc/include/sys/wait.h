/* SPDX-License-Identifier: MIT
 *
 * sys/wait.h: newlib's, and waitid.
 */
#ifndef SLIPWAY_SYS_WAIT_H
#define SLIPWAY_SYS_WAIT_H

#include_next <sys/wait.h>
#include <signal.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEXITED    4
#define WSTOPPED   WUNTRACED /* nothing is ever stopped */
#define WCONTINUED 8
#define WNOWAIT    16

#define WIFCONTINUED(w) ((void)(w), 0)
#define WCOREDUMP(w)    ((void)(w), 0)

typedef enum { P_ALL, P_PID, P_PGID } idtype_t;
int waitid(idtype_t type, id_t id, siginfo_t *info, int options);

#ifdef __cplusplus
}
#endif

#endif
