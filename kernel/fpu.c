/* SPDX-License-Identifier: MIT
 *
 * kernel/fpu.c: the x87, SSE and AVX state of a thread (Intel SDM vol. 1 ch. 13).
 *
 * Owns: XCR0, the size and the initial contents of a save area. XSAVE where the
 * CPU has it, FXSAVE elsewhere. The kernel itself uses general registers only,
 * so the state changes hands only when one user thread follows another.
 * Context: scheduler, thread creation; fpu_enable: each CPU's start.
 */
#include <kernel/cpu.h>

#define XCR0_X87    (1u << 0)
#define XCR0_SSE    (1u << 1)
#define XCR0_AVX    (1u << 2)
#define XCR0_AVX512 (7u << 5)

#define FXSAVE_BYTES  512u
#define FCW_DEFAULT   0x37fu  /* all exceptions masked, extended precision */
#define MXCSR_DEFAULT 0x1f80u /* all exceptions masked */

static void xsetbv(uint32_t index, uint64_t v)
{
    __asm__ volatile("xsetbv" ::"c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

void fpu_enable(void)
{
    __asm__ volatile("fninit");
    if (cpu.xsave)
        xsetbv(0, cpu.xcr0);
}

void fpu_init(void)
{
    uint32_t r[4];
    uint64_t offered;

    cpu.xsave_bytes = FXSAVE_BYTES;
    if (!cpu.xsave) {
        fpu_enable();
        return;
    }
    cpuid(0xd, 0, r);
    offered = ((uint64_t)r[3] << 32) | r[0];
    cpu.xcr0 = XCR0_X87 | XCR0_SSE | (offered & XCR0_AVX);
    if ((cpu.xcr0 & XCR0_AVX) && (offered & XCR0_AVX512) == XCR0_AVX512)
        cpu.xcr0 |= XCR0_AVX512;
    fpu_enable();
    cpuid(0xd, 0, r);
    cpu.xsave_bytes = r[1];
    cpuid(0xd, 1, r);
    cpu.xsaveopt = r[0] & 1;
}

/* XSTATE_BV stays zero: XRSTOR then loads every component's initial state, and
 * takes only MXCSR from the area. */
void fpu_init_area(void *area)
{
    uint64_t *words = area;

    for (uint32_t i = 0; i < cpu.xsave_bytes / 8; i++)
        words[i] = 0;
    *(uint16_t *)area = FCW_DEFAULT;
    *(uint32_t *)((uint8_t *)area + 24) = MXCSR_DEFAULT;
}

void fpu_save(void *area)
{
    if (cpu.xsaveopt)
        __asm__ volatile("xsaveopt64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
    else if (cpu.xsave)
        __asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

void fpu_restore(const void *area)
{
    if (cpu.xsave)
        __asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}
