/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/fpu.c: vector registers, rounding modes and the x87 control
 * word belong to a thread, also while others use them.
 *
 * Each thread fills all sixteen registers, lets others run (by a call, or by
 * computing until it is interrupted) and looks at them again, in one piece of
 * assembly that leaves the compiler no say.
 */
#include "selftest.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define THREADS   3
#define ROUNDS    300u
#define REGISTERS 16
#define SPINS     200000u
#define ANY_CPU   UINT32_MAX

struct vectors {
    uint8_t bytes[REGISTERS][32];
} __attribute__((aligned(32)));

static bool avx;
static const char *complaint;

/* CPUID.1:ECX.28 AVX, .27 the kernel has switched XSAVE on; XCR0: SSE and AVX. */
static bool have_avx(void)
{
    uint32_t a = 1, b, c = 0, d, lo, hi;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if ((c >> 27 & 3) != 3)
        return false;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (lo & 6) == 6;
}

#define ALL(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13) op(14) op(15)
#define LOAD128(i)  "movups " #i "*32(%[in]), %%xmm" #i "\n\t"
#define STORE128(i) "movups %%xmm" #i ", " #i "*32(%[out])\n\t"
#define LOAD256(i)  "vmovups " #i "*32(%[in]), %%ymm" #i "\n\t"
#define STORE256(i) "vmovups %%ymm" #i ", " #i "*32(%[out])\n\t"
/* A call that lets others run or moves the thread, or computing for a while. */
#define PAUSE "testl %[spins], %[spins]\n\tjnz 1f\n\tsyscall\n\tjmp 2f\n1:\tdecl %[spins]\n\tjnz 1b\n2:\n\t"
#define CLOBBERS                                                                                             \
    "rcx", "r11", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", \
        "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

/* cpu: which one to go on on; 0xffffffff leaves it as it is. */
static void through_registers(const struct vectors *in, struct vectors *out, uint32_t spins, uint32_t cpu)
{
    uint64_t call = cpu == ANY_CPU ? SYS_yield : SYS_thread_affinity, mask = 1ull << (cpu & 63);

    if (avx)
        __asm__ volatile(ALL(LOAD256) PAUSE ALL(STORE256) "vzeroupper"
                         : [spins] "+r"(spins), "+a"(call)
                         : [in] "r"(in), [out] "r"(out), "D"(mask)
                         : CLOBBERS);
    else
        __asm__ volatile(ALL(LOAD128) PAUSE ALL(STORE128)
                         : [spins] "+r"(spins), "+a"(call)
                         : [in] "r"(in), [out] "r"(out), "D"(mask)
                         : CLOBBERS);
}

static bool control_words_stay(unsigned number, uint32_t cpu)
{
    uint32_t mxcsr = 0x1f80u | number << 13, mxcsr_after; /* rounding mode, all exceptions masked */
    uint16_t fcw = (uint16_t)(0x37fu | number << 10), fcw_after;

    __asm__ volatile("ldmxcsr %0; fldcw %1" ::"m"(mxcsr), "m"(fcw));
    if (cpu == ANY_CPU)
        sys_yield();
    else
        sys_thread_affinity(1ull << cpu);
    __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr_after), "=m"(fcw_after));
    return mxcsr_after == mxcsr && fcw_after == fcw;
}

static uint32_t cpus; /* to wander over; 0: stay */

static void *use_registers(void *arg)
{
    unsigned number = (unsigned)(uintptr_t)arg, bytes = avx ? 32 : 16;
    struct vectors in, out;

    for (unsigned round = 0; round < ROUNDS && complaint == NULL; round++) {
        for (unsigned i = 0; i < REGISTERS; i++)
            memset(in.bytes[i], (int)(number * 80 + round + i), sizeof in.bytes[i]);
        uint32_t cpu = cpus == 0 ? ANY_CPU : (number + round) % cpus;
        through_registers(&in, &out, round % 8 == 0 ? SPINS : 0, cpu);
        for (unsigned i = 0; i < REGISTERS; i++)
            if (memcmp(in.bytes[i], out.bytes[i], bytes) != 0)
                complaint = "a vector register changed";
        if (!control_words_stay(number, cpus == 0 ? ANY_CPU : (number + round + 1) % cpus))
            complaint = "a control word changed";
    }
    return NULL;
}

static const char *threads_keep_registers(void)
{
    pthread_t threads[THREADS];

    complaint = NULL;
    for (unsigned i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, use_registers, (void *)(uintptr_t)(i + 1)) == 0);
    for (unsigned i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    return complaint;
}

static const char *vectors_belong_to_a_thread(void)
{
    avx = have_avx();
    printf("# by %s\n", avx ? "AVX" : "SSE");
    cpus = 0;
    return threads_keep_registers();
}

static const char *vectors_go_along(void)
{
    struct info_system s;

    CHECK(sys_info(INFO_SYSTEM, 0, &s, sizeof s) == (int)sizeof s);
    cpus = s.cpus;
    return threads_keep_registers();
}

const struct test fpu_tests[] = {
    {"vectors-belong-to-a-thread", vectors_belong_to_a_thread},
    {"vectors-go-along", vectors_go_along},
    {NULL, NULL},
};
