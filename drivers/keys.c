/* SPDX-License-Identifier: MIT
 *
 * drivers/keys.c: scan code set 1, as the keyboard controller translates to, and
 * what xterm sends for the keys that are no characters.
 */
#include <drivers/keys.h>

#define RELEASED   0x80u
#define EXTENDED   0xe0u
#define PAUSE      0xe1u
#define ESCAPE     '\033'
#define KEYPAD     0x47u /* Home, or 7 */
#define KEYPAD_END 0x53u

enum { SC_CTRL = 0x1d, SC_SHIFT_LEFT = 0x2a, SC_SHIFT_RIGHT = 0x36, SC_ALT = 0x38, SC_CAPS = 0x3a, SC_NUM = 0x45 };
enum { SC_TAB = 0x0f, SC_ENTER = 0x1c, SC_SLASH = 0x35, SC_BACKSLASH_102 = 0x56 };

static const char plain[] = "\0\0331234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] = "\0\033!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
static const char keypad_digits[] = "789-456+1230.";

static size_t put(char out[KEYS_BYTES_MAX], const char *text)
{
    size_t n = 0;

    for (; text[n] != 0; n++)
        out[n] = text[n];
    return n;
}

/* The keys around the keypad (after 0xe0), and the keypad without Num Lock. */
static size_t cursor_key(uint8_t code, char out[KEYS_BYTES_MAX])
{
    static const char *const sequence[] = {
        "\033[H", "\033[A", "\033[5~", "-", "\033[D", "", "\033[C", "+", "\033[F", "\033[B", "\033[6~", "\033[2~", "\033[3~",
    };

    return code >= KEYPAD && code <= KEYPAD_END ? put(out, sequence[code - KEYPAD]) : 0;
}

static size_t function_key(uint8_t code, char out[KEYS_BYTES_MAX])
{
    static const char *const sequence[] = {
        "\033OP",   "\033OQ",   "\033OR",   "\033OS",   "\033[15~",
        "\033[17~", "\033[18~", "\033[19~", "\033[20~", "\033[21~",
    };

    if (code >= 0x3b && code <= 0x44)
        return put(out, sequence[code - 0x3b]);
    return code == 0x57 ? put(out, "\033[23~") : code == 0x58 ? put(out, "\033[24~") : 0;
}

/* What Ctrl makes of a character: the control codes of ASCII; 0xff: nothing. */
static char control(char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 1);
    if (c >= '@' && c <= '_')
        return (char)(c - '@');
    if (c == ' ' || c == '2')
        return 0;
    return c == '/' || c == '-' ? 0x1f : c == '6' ? 0x1e : c;
}

static size_t character(struct keys *k, uint8_t code, char out[KEYS_BYTES_MAX])
{
    char c = code == SC_BACKSLASH_102 ? (k->shift ? '|' : '\\')
             : code >= sizeof plain - 1 ? 0
             : k->shift                 ? shifted[code]
                                        : plain[code];
    size_t n = 0;

    if (c == 0)
        return 0;
    if (code == SC_TAB && k->shift)
        return put(out, "\033[Z");
    if (k->caps && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
        c ^= 0x20;
    if (k->ctrl)
        c = control(c);
    if (k->alt)
        out[n++] = ESCAPE;
    out[n++] = c;
    return n;
}

/* True when the key was one that only changes what others mean. */
static bool modifier(struct keys *k, uint8_t code, bool down)
{
    uint8_t side = k->extended ? 2 : 1, *held;

    switch (code) {
    case SC_CTRL:
        held = &k->ctrl;
        break;
    case SC_ALT:
        held = &k->alt;
        break;
    case SC_SHIFT_LEFT:
    case SC_SHIFT_RIGHT:
        if (k->extended) /* a fake one around a cursor key */
            return true;
        held = &k->shift;
        side = code == SC_SHIFT_LEFT ? 1 : 2;
        break;
    case SC_CAPS:
        k->caps ^= down;
        return true;
    case SC_NUM:
        k->num ^= down;
        return true;
    default:
        return false;
    }
    *held = down ? *held | side : (uint8_t)(*held & ~side);
    return true;
}

static size_t pressed(struct keys *k, uint8_t code, char out[KEYS_BYTES_MAX])
{
    if (k->extended && (code == SC_ENTER || code == SC_SLASH)) /* of the keypad */
        return put(out, code == SC_ENTER ? "\r" : "/");
    if (k->extended)
        return cursor_key(code, out);
    if (code >= KEYPAD && code <= KEYPAD_END && k->num && !k->shift) {
        out[0] = keypad_digits[code - KEYPAD];
        return 1;
    }
    if (code >= KEYPAD && code <= KEYPAD_END)
        return cursor_key(code, out);
    size_t n = function_key(code, out);
    return n != 0 ? n : character(k, code, out);
}

void keys_init(struct keys *k)
{
    *k = (struct keys){.num = true};
}

size_t keys_byte(struct keys *k, uint8_t code, char out[KEYS_BYTES_MAX])
{
    bool down = !(code & RELEASED);
    size_t n = 0;

    if (k->skip > 0) {
        k->skip--;
        return 0;
    }
    if (code == EXTENDED || code == PAUSE) {
        k->extended = code == EXTENDED;
        k->skip = code == PAUSE ? 2 : 0;
        return 0;
    }
    code &= (uint8_t)~RELEASED;
    if (!modifier(k, code, down) && down)
        n = pressed(k, code, out);
    k->extended = false;
    return n;
}
