/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_keys.c: scan codes as keyboards send them, and a keyboard
 * controller that is missing, broken or slow.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <kernel/irq.h>
#include <kernel/log.h>

/* --- a controller --- */

static struct {
    bool absent, deaf, mute, sick, no_keyboard;
    uint8_t command, config, queue[64];
    unsigned head, tail, reads;
    uint64_t waited_us;
    char typed[64];
    unsigned ntyped, warnings, lines;
    irq_handler *handler;
} chip;

static void answer(uint8_t v)
{
    if (!chip.mute)
        chip.queue[chip.head++ % sizeof chip.queue] = v;
}

static uint8_t fake_inb(uint16_t port)
{
    chip.reads++;
    if (chip.absent)
        return 0xff;
    if (port == 0x64)
        return (uint8_t)((chip.head != chip.tail) | (chip.deaf ? 2 : 0));
    return chip.head != chip.tail ? chip.queue[chip.tail++ % sizeof chip.queue] : 0;
}

static void fake_outb(uint16_t port, uint8_t v)
{
    if (port == 0x64) {
        chip.command = v;
        if (v == 0x20)
            answer(chip.config);
        else if (v == 0xaa)
            answer(chip.sick ? 0xfc : 0x55);
        else if (v == 0xab)
            answer(0);
    } else if (chip.command == 0x60) {
        chip.config = v;
        chip.command = 0;
    } else if (v == 0xf4 && !chip.no_keyboard) {
        answer(0xfa);
    }
}

#define inb fake_inb_unused
#define outb fake_outb_unused
#include <kernel/cpu.h>
#undef inb
#undef outb
#define inb fake_inb
#define outb fake_outb
#include "../../drivers/ps2.c"

void delay_us(uint32_t us) { chip.waited_us += us; }
void klog(enum log_level level, const char *text, ...)
{
    (void)text;
    chip.warnings += level == LOG_WARN;
    chip.lines++;
}
const char *irq_mode_name(enum irq_mode m) { return m == IRQ_NONE ? "none" : "other"; }
int irq_attach_isa(struct irq *i, unsigned line, irq_handler *h, void *arg, const char *name)
{
    (void)i, (void)arg, (void)name;
    assert_int_equal(line, 1);
    chip.handler = h;
    return 0;
}
void console_input(uint8_t byte)
{
    if (chip.ntyped < sizeof chip.typed)
        chip.typed[chip.ntyped++] = (char)byte;
}

/* --- keys --- */

static struct keys k;

static void expect(const char *codes, size_t ncodes, const char *text, size_t bytes)
{
    char all[64], out[KEYS_BYTES_MAX];
    size_t n = 0;

    for (size_t i = 0; i < ncodes; i++) {
        size_t got = keys_byte(&k, (uint8_t)codes[i], out);
        assert_true(n + got <= sizeof all);
        memcpy(all + n, out, got);
        n += got;
    }
    assert_int_equal(n, bytes);
    assert_memory_equal(all, text, bytes);
}
#define EXPECT(codes, text) expect(codes, sizeof(codes) - 1, text, sizeof(text) - 1)

static void letters_and_modifiers(void **state)
{
    (void)state;
    keys_init(&k);
    EXPECT("\x1e\x9e\x30\xb0", "ab");             /* releases type nothing */
    EXPECT("\x2a\x1e\x02\x0d\xaa\x1e", "A!+a");    /* Shift */
    EXPECT("\x36\x28\x29\xb6", "\"~");             /* the right one */
    EXPECT("\x2a\x36\xaa\x1e\xb6\x1e", "Aa");      /* one of two is still held */
    EXPECT("\x3a\xba\x1e\x02\x2a\x1e\xaa", "A1a"); /* Caps Lock: letters only */
    EXPECT("\x3a\xba\x1e", "a");
    EXPECT("\x1d\x2e\x20\x39\x1a\x9d\x2e", "\x03\x04\0\033c");
    EXPECT("\xe0\x1d\x2e\xe0\x9d", "\x03");
    EXPECT("\x38\x21\xb8", "\033f");               /* Alt sends ESC first */
    EXPECT("\x1c\x0e\x0f\x01", "\r\177\t\033");
    EXPECT("\x2a\x0f\xaa", "\033[Z");
    EXPECT("\x56\x2b", "\\\\");
    EXPECT("\x55\x5b\x7f\x00", "");                /* keys that nobody knows */
}

static void keys_that_are_no_characters(void **state)
{
    (void)state;
    keys_init(&k);
    EXPECT("\xe0\x48\xe0\xc8\xe0\x50\xe0\x4d\xe0\x4b", "\033[A\033[B\033[C\033[D");
    EXPECT("\xe0\x47\xe0\x4f\xe0\x53\xe0\x52\xe0\x49\xe0\x51", "\033[H\033[F\033[3~\033[2~\033[5~\033[6~");
    EXPECT("\xe0\x2a\xe0\x48\xe0\xc8\xe0\xaa\x1e", "\033[Aa"); /* the fake Shift shifts nothing */
    EXPECT("\x3b\x3e\x3f\x58", "\033OP\033OS\033[15~\033[24~");
    EXPECT("\x47\x53\x4e\xe0\x1c\xe0\x35", "7.+\r/");
    EXPECT("\x45\xc5\x47\x4c\x53", "\033[H\033[3~"); /* the keypad without Num Lock */
    EXPECT("\xe1\x1d\x45\xe1\x9d\xc5\x2e", "c");     /* Pause: no Ctrl stays behind */
}

static void noise(void **state)
{
    char out[KEYS_BYTES_MAX];

    (void)state;
    keys_init(&k);
    srand(1);
    for (unsigned i = 0; i < 200000; i++)
        assert_true(keys_byte(&k, (uint8_t)rand(), out) <= KEYS_BYTES_MAX);
}

/* --- the controller --- */

static void begin(void)
{
    memset(&chip, 0, sizeof chip);
    chip.config = 0x43;
}

static void a_key_reaches_the_console(void **state)
{
    (void)state;
    begin();
    answer(0x1e); /* a key that was hit before */
    ps2_init();
    assert_non_null(chip.handler);
    assert_int_equal(chip.config & 0x51, 0x41); /* interrupt, translation, port on */
    assert_int_equal(chip.config & 0x02, 0);    /* but not the mouse's */
    assert_false(chip.handler(NULL));
    answer(0x23);
    answer(0xa3);
    assert_true(chip.handler(NULL));
    assert_int_equal(chip.ntyped, 1);
    assert_int_equal(chip.typed[0], 'h');
}

static void a_missing_controller_is_quiet(void **state)
{
    (void)state;
    begin();
    chip.absent = true;
    ps2_init();
    assert_int_equal(chip.reads, 1);
    assert_int_equal(chip.lines + chip.waited_us, 0);
    assert_null(chip.handler);
}

/* C-BOUND-9 */
static void a_controller_that_hangs_is_given_up(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 3; way++) {
        begin();
        chip.deaf = way == 0;
        chip.mute = way == 1;
        chip.sick = way == 2;
        ps2_init();
        assert_null(chip.handler);
        assert_int_equal(chip.warnings, 1);
        assert_true(chip.waited_us < 1000000);
    }
    begin();
    chip.no_keyboard = true; /* may come later */
    ps2_init();
    assert_non_null(chip.handler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_and_modifiers),
        cmocka_unit_test(keys_that_are_no_characters),
        cmocka_unit_test(noise),
        cmocka_unit_test(a_key_reaches_the_console),
        cmocka_unit_test(a_missing_controller_is_quiet),
        cmocka_unit_test(a_controller_that_hangs_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
