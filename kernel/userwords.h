/* SPDX-License-Identifier: MIT
 *
 * kernel/userwords.h: user copies of a few whole words, unrolled in place.
 *
 * Owns: nothing. For the small structures of fixed size that go across with
 * every message and every wait; all else uses copy_from_user and copy_to_user
 * (kernel/mem.h), to which these are equal in what they check and survive.
 * Context: thread.
 */
#ifndef KERNEL_USERWORDS_H
#define KERNEL_USERWORDS_H

#include <kernel/cpu.h>
#include <kernel/mem.h>
#include <slipway/errno.h>
#include <stdint.h>

/* `words` is a constant. A fault in the copy continues at 3 (.extable, see
 * kernel/usercopy.S). */
#define USERWORDS_COPY(result, to, from, words)                               \
    __asm__ volatile("1:\n"                                                   \
                     ".set userword, 0\n"                                     \
                     ".rept %c[n]\n"                                          \
                     "movq userword*8(%[s]), %[t]\n"                          \
                     "movq %[t], userword*8(%[d])\n"                          \
                     ".set userword, userword + 1\n"                          \
                     ".endr\n"                                                \
                     "2:\n"                                                   \
                     ".pushsection .text.fixup, \"ax\"\n"                     \
                     "3: movl %[fault], %[r]\n"                               \
                     "jmp 2b\n"                                               \
                     ".popsection\n"                                          \
                     ".pushsection .extable, \"a\"\n"                         \
                     ".quad 1b, 2b, 3b\n"                                     \
                     ".popsection\n"                                          \
                     : [r] "+r"(result), [t] "=&r"(scratch)                   \
                     : [s] "r"(from), [d] "r"(to), [n] "i"(words), [fault] "i"(-EFAULT) \
                     : "memory")

#define USERWORDS_STAC()                               \
    do {                                               \
        if (cpu.smap)                                  \
            __asm__ volatile("stac" ::: "memory");     \
    } while (0)
#define USERWORDS_CLAC()                               \
    do {                                               \
        if (cpu.smap)                                  \
            __asm__ volatile("clac" ::: "memory");     \
    } while (0)

static inline bool userwords_ok(uint64_t addr, uint64_t bytes)
{
    return addr - USER_MIN <= USER_END - USER_MIN - bytes;
}

/* int copy_TYPE_from_user(TYPE *to, uint64_t from) and the other direction. */
#define USERWORDS_DEFINE(name, type)                                              \
    _Static_assert(sizeof(type) % 8 == 0 && sizeof(type) <= 128, "a few words");  \
    static inline int copy_##name##_from_user(type *to, uint64_t from)            \
    {                                                                             \
        uint64_t scratch;                                                         \
        int r = 0;                                                                \
        if (!userwords_ok(from, sizeof(type)))                                    \
            return -EFAULT;                                                       \
        USERWORDS_STAC();                                                         \
        USERWORDS_COPY(r, to, from, sizeof(type) / 8);                            \
        USERWORDS_CLAC();                                                         \
        return r;                                                                 \
    }                                                                             \
    static inline int copy_##name##_to_user(uint64_t to, const type *from)        \
    {                                                                             \
        uint64_t scratch;                                                         \
        int r = 0;                                                                \
        if (!userwords_ok(to, sizeof(type)))                                      \
            return -EFAULT;                                                       \
        USERWORDS_STAC();                                                         \
        USERWORDS_COPY(r, to, from, sizeof(type) / 8);                            \
        USERWORDS_CLAC();                                                         \
        return r;                                                                 \
    }

#endif
