/* SPDX-License-Identifier: MIT
 *
 * drivers/ps2.c: the PS/2 keyboard behind an i8042 controller (or behind firmware
 * that lets a USB keyboard look like one). Order: registers, attach, interrupt.
 *
 * Owns: the controller, the state of the keys. What is typed goes to the console's
 * input, like what comes in by the serial line. Every wait is bounded; a machine
 * without a controller costs one read and says nothing.
 * Context: attach thread, at boot; the rest hard interrupt.
 */
#include <drivers/keys.h>
#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/time.h>

/* --- registers ------------------------------------------------------------ */

#define DATA    0x60
#define STATUS  0x64 /* read */
#define COMMAND 0x64 /* write */

#define STATUS_OUTPUT 0x01u /* a byte waits at DATA */
#define STATUS_INPUT  0x02u /* the controller has not taken the last one */
#define STATUS_MOUSE  0x20u /* the byte is the second port's */

#define CMD_READ_CONFIG  0x20u
#define CMD_WRITE_CONFIG 0x60u
#define CMD_MOUSE_OFF    0xa7u
#define CMD_SELF_TEST    0xaau
#define CMD_TEST_PORT    0xabu
#define CMD_KEYBOARD_OFF 0xadu
#define CMD_KEYBOARD_ON  0xaeu
#define SELF_TEST_GOOD   0x55
#define PORT_GOOD        0x00

#define CONFIG_IRQ_KEYBOARD 0x01u
#define CONFIG_IRQ_MOUSE    0x02u
#define CONFIG_KEYBOARD_OFF 0x10u
#define CONFIG_TRANSLATE    0x40u /* to scan code set 1 */

#define KBD_ENABLE 0xf4u
#define KBD_ACK    0xfa

#define ISA_LINE    1u
#define WAIT_STEP_US 20u
#define WAIT_STEPS   1000u /* 20 ms for one byte */
#define TEST_STEPS   25000u /* half a second: the self-test may take its time */
#define FLUSH_MAX    32u
#define BURST        16u /* bytes an interrupt */

static struct keys keys;
static struct irq irq;

/* --- attach --------------------------------------------------------------- */

static bool send(uint16_t port, uint8_t v)
{
    for (unsigned i = 0; i < WAIT_STEPS; i++) { /* C-BOUND-9 */
        if (!(inb(STATUS) & STATUS_INPUT)) {
            outb(port, v);
            return true;
        }
        delay_us(WAIT_STEP_US);
    }
    return false;
}

static int receive(unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        if (inb(STATUS) & STATUS_OUTPUT)
            return inb(DATA);
        delay_us(WAIT_STEP_US);
    }
    return -1;
}

static int ask(uint8_t command, unsigned steps)
{
    return send(COMMAND, command) ? receive(steps) : -1;
}

static void flush(void)
{
    for (unsigned i = 0; i < FLUSH_MAX && (inb(STATUS) & STATUS_OUTPUT); i++)
        (void)inb(DATA);
}

static bool write_config(uint8_t config)
{
    return send(COMMAND, CMD_WRITE_CONFIG) && send(DATA, config);
}

/* What does not work, or NULL. Leaves the keyboard talking, its interrupt off. */
static const char *start_controller(uint8_t *config)
{
    int c;

    if (!send(COMMAND, CMD_KEYBOARD_OFF) || !send(COMMAND, CMD_MOUSE_OFF))
        return "takes no command";
    flush();
    c = ask(CMD_READ_CONFIG, WAIT_STEPS);
    if (c < 0)
        return "does not say its configuration";
    *config = (uint8_t)((c & (int)~(CONFIG_IRQ_KEYBOARD | CONFIG_IRQ_MOUSE)) | CONFIG_TRANSLATE);
    if (!write_config(*config) || ask(CMD_SELF_TEST, TEST_STEPS) != SELF_TEST_GOOD)
        return "fails its self-test";
    if (ask(CMD_TEST_PORT, TEST_STEPS) != PORT_GOOD)
        return "fails the test of its keyboard port";
    if (!send(COMMAND, CMD_KEYBOARD_ON) || !write_config((uint8_t)(*config & ~CONFIG_KEYBOARD_OFF)))
        return "takes no configuration";
    return NULL;
}

/* A keyboard may be plugged in later; one that is there scans its keys already,
 * or does so now. */
static bool start_keyboard(void)
{
    if (!send(DATA, KBD_ENABLE))
        return false;
    for (unsigned i = 0; i < 4; i++) { /* a key may have come in between */
        int c = receive(WAIT_STEPS);
        if (c < 0 || c == KBD_ACK)
            return c == KBD_ACK;
    }
    return false;
}

static bool ps2_interrupt(void *arg);

void ps2_init(void);
void ps2_init(void)
{
    const char *why;
    uint8_t config;
    bool there;
    int r;

    if (inb(STATUS) == 0xff)
        return; /* nothing drives the bus: no controller */
    why = start_controller(&config);
    if (why != NULL) {
        klog(LOG_WARN, "ps2: the controller %s, so there is no keyboard", why);
        return;
    }
    there = start_keyboard();
    keys_init(&keys);
    r = irq_attach_isa(&irq, ISA_LINE, ps2_interrupt, NULL, "keyboard");
    if (r < 0 || !write_config((uint8_t)((config & ~CONFIG_KEYBOARD_OFF) | CONFIG_IRQ_KEYBOARD))) {
        klog(LOG_WARN, "ps2: no interrupt (%d)", r);
        return;
    }
    klog(LOG_INFO, "ps2: keyboard%s, %s %u", there ? "" : " port, nothing answers there yet",
         irq_mode_name(irq.mode), irq.line);
}

/* --- interrupt ------------------------------------------------------------ */

static bool ps2_interrupt(void *arg)
{
    char text[KEYS_BYTES_MAX];
    bool any = false;

    (void)arg;
    for (unsigned i = 0; i < BURST; i++) {
        uint8_t status = inb(STATUS), code;
        if (!(status & STATUS_OUTPUT) || status == 0xff)
            break;
        code = inb(DATA);
        any = true;
        if (status & STATUS_MOUSE)
            continue;
        size_t n = keys_byte(&keys, code, text);
        for (size_t k = 0; k < n; k++)
            console_input((uint8_t)text[k]);
    }
    return any;
}
