/* SPDX-License-Identifier: MIT
 *
 * bench/insn_plugin.c: a QEMU plugin that counts guest instructions.
 *
 *   qemu-system-x86_64 -plugin insn_plugin.so,counters=PATH ...
 *
 * PATH becomes a file of two 64-bit counters that are up to date at any time:
 * [0] instructions, [1] iterations of repeated string instructions (rep movs
 * and the like, which the emulator runs one step an iteration; they are not in
 * [0]). For one virtual CPU: the counters are not atomic.
 *
 * With marks=PATH2 too, each long no-op `nopl 0x5357nnnn(%rax)` that the guest
 * executes adds a record of three 64-bit numbers there: nnnn and both counters.
 *
 * Debian ships QEMU without the plugin header, so what is used of it (API
 * version 1) is declared here.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
                                            void (*cb)(unsigned vcpu, void *userdata),
                                            enum qemu_plugin_cb_flags flags, void *userdata);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, enum qemu_plugin_op op, void *ptr,
                                                uint64_t imm);

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

static uint64_t *counters;
static FILE *marks;

static void marked(unsigned vcpu, void *number)
{
    uint64_t record[3] = {(uintptr_t)number, counters[0], counters[1]};
    (void)vcpu;
    fwrite(record, sizeof record, 1, marks);
}

/* Which mark it is, or -1. */
static long mark_of(const uint8_t *p, size_t n)
{
    return n == 7 && p[0] == 0x0f && p[1] == 0x1f && p[2] == 0x80 && p[5] == 0x57 && p[6] == 0x53 ? p[3] | p[4] << 8
                                                                                               : -1;
}

/* A repeat prefix (F2, F3), other prefixes, then a string opcode: ins outs movs
 * cmps stos lods scas (Intel SDM volume 2, section 2.1.1). */
static bool is_repeated_string(const uint8_t *p, size_t n)
{
    bool rep = false;
    for (size_t i = 0; i < n; i++) {
        uint8_t b = p[i];
        if (b == 0xf2 || b == 0xf3)
            rep = true;
        else if (b == 0x66 || b == 0x67 || b == 0x2e || b == 0x36 || b == 0x3e || b == 0x26 || b == 0x64 ||
                 b == 0x65 || (b & 0xf0) == 0x40)
            continue;
        else
            return rep && ((b >= 0x6c && b <= 0x6f) || (b >= 0xa4 && b <= 0xa7) || (b >= 0xaa && b <= 0xaf));
    }
    return false;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        long mark = mark_of(qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn));
        if (mark >= 0 && marks)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, marked, QEMU_PLUGIN_CB_NO_REGS, (void *)mark);
        bool string = is_repeated_string(qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn));
        qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &counters[string], 1);
    }
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "marks=", 6) == 0) {
            if ((marks = fopen(argv[i] + 6, "wb")) == NULL) {
                perror(argv[i] + 6);
                return 1;
            }
            setvbuf(marks, NULL, _IONBF, 0); /* there at once, however QEMU ends */
        }
        if (strncmp(argv[i], "counters=", 9) != 0)
            continue;
        int fd = open(argv[i] + 9, O_RDWR | O_CREAT | O_TRUNC, 0666);
        if (fd < 0 || ftruncate(fd, 2 * sizeof(uint64_t)) != 0) {
            perror(argv[i] + 9);
            return 1;
        }
        counters = mmap(NULL, 2 * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (counters == MAP_FAILED) {
            perror("mmap");
            return 1;
        }
    }
    if (!counters) {
        fprintf(stderr, "insn_plugin: say counters=PATH\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
