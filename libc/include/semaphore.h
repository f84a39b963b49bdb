/* SPDX-License-Identifier: MIT
 *
 * semaphore.h: unnamed semaphores. One that processes share lies in shared memory
 * (mmap with MAP_SHARED | MAP_ANONYMOUS, then fork).
 */
#ifndef _SEMAPHORE_H
#define _SEMAPHORE_H

#include <stdint.h>
#include <sys/cdefs.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SEM_VALUE_MAX 0x7fffffff

typedef struct {
    uint32_t value, sleepers;
} sem_t;

int sem_init(sem_t *s, int shared, unsigned value);
int sem_destroy(sem_t *s);
int sem_post(sem_t *s);
int sem_wait(sem_t *s);
int sem_trywait(sem_t *s);
int sem_timedwait(sem_t *__restrict s, const struct timespec *__restrict until); /* CLOCK_REALTIME */
int sem_getvalue(sem_t *__restrict s, int *__restrict value);

#ifdef __cplusplus
}
#endif

#endif
