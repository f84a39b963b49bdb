/* SPDX-License-Identifier: MIT
 *
 * kernel/string.h: memory and string primitives of ring 0.
 *
 * Owns: nothing; pure. Context: any. GCC calls the mem* functions by itself.
 * Copies move eight bytes a step in unrolled loops: rep movsb would cost one
 * counted step a byte under emulation, and SSE is not the kernel's to use.
 */
#ifndef KERNEL_STRING_H
#define KERNEL_STRING_H

#include <stddef.h>
#include <stdint.h>

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int byte, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
/* Copies what fits and always ends with a NUL; returns strlen(src). */
size_t strlcpy(char *dst, const char *src, size_t room);

#endif
