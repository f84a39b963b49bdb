/* SPDX-License-Identifier: MIT
 *
 * drivers/font.c: glyphs by code point: drawn ones, letters with a mark that are
 * put together from two, lines and blocks that are computed.
 */
#include <drivers/font.h>
#include <drivers/font_shapes.h>
#include <stddef.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void put_shape(const struct shape *s, uint8_t rows[FONT_HEIGHT])
{
    for (unsigned i = 0; i < COUNT(s->row) && s->top + i < FONT_HEIGHT; i++)
        rows[s->top + i] = s->row[i];
}

/* --- letters with marks --------------------------------------------------- */

enum mark { GRAVE = 1, ACUTE, CIRCUMFLEX, TILDE, DIAERESIS, RING, CEDILLA };

static const uint8_t mark_rows[][3] = {
    [GRAVE] = {0x20, 0x10, 0x00},     [ACUTE] = {0x08, 0x10, 0x00},     [CIRCUMFLEX] = {0x10, 0x28, 0x00},
    [TILDE] = {0x32, 0x4c, 0x00},     [DIAERESIS] = {0x44, 0x44, 0x00}, [RING] = {0x38, 0x28, 0x38},
    [CEDILLA] = {0x10, 0x08, 0x30},
};

/* U+00C0 to U+00DF; the small ones lie 32 above. 0: drawn whole. */
static const struct {
    char base;
    uint8_t mark;
} marked[32] = {
    {'A', GRAVE}, {'A', ACUTE},     {'A', CIRCUMFLEX}, {'A', TILDE}, {'A', DIAERESIS},  {'A', RING},
    {0, 0},       {'C', CEDILLA},   {'E', GRAVE},      {'E', ACUTE}, {'E', CIRCUMFLEX}, {'E', DIAERESIS},
    {'I', GRAVE}, {'I', ACUTE},     {'I', CIRCUMFLEX}, {'I', DIAERESIS}, {0, 0},        {'N', TILDE},
    {'O', GRAVE}, {'O', ACUTE},     {'O', CIRCUMFLEX}, {'O', TILDE}, {'O', DIAERESIS},  {0, 0},
    {0, 0},       {'U', GRAVE},     {'U', ACUTE},      {'U', CIRCUMFLEX}, {'U', DIAERESIS}, {'Y', ACUTE},
    {0, 0},       {0, 0},
};

/* The bare letter and its mark; 0 when it is not such a letter. */
static char split_letter(uint32_t c, unsigned *mark)
{
    if (c == 0xff) { /* its capital is not in Latin-1 */
        *mark = DIAERESIS;
        return 'y';
    }
    if (c < 0xc0 || c > 0xff || marked[c & 31].base == 0)
        return 0;
    *mark = marked[c & 31].mark;
    return (char)(marked[c & 31].base + (c >= 0xe0 ? 'a' - 'A' : 0));
}

static void put_marked(char letter, unsigned mark, uint8_t rows[FONT_HEIGHT])
{
    bool capital = letter < 'a';
    unsigned at = mark == CEDILLA ? 12 : capital ? 0 : 2 - (mark == RING);

    put_shape(&ascii[letter - ' '], rows);
    if (letter == 'i') /* the mark takes the place of the dot */
        rows[2] = rows[3] = 0;
    if (capital && mark != CEDILLA) { /* a row lower at the top, for the mark's sake */
        rows[4] = rows[3];
        rows[3] = rows[2];
        rows[2] = 0;
    }
    for (unsigned i = 0; i < 3; i++)
        rows[at + i] |= mark_rows[mark][i];
}

/* --- lines ---------------------------------------------------------------- */

/* Arms of U+2500 and up: up, right, down, left, one digit each; 1 light, 2
 * double, 0 none. */
struct box {
    uint16_t code, arms;
};
static const struct box boxes[] = {
    {0x2500, 0x0101}, {0x2501, 0x0101}, {0x2502, 0x1010}, {0x2503, 0x1010}, {0x250c, 0x0110}, {0x2510, 0x0011},
    {0x2514, 0x1100}, {0x2518, 0x1001}, {0x251c, 0x1110}, {0x2524, 0x1011}, {0x252c, 0x0111}, {0x2534, 0x1101},
    {0x253c, 0x1111}, {0x2550, 0x0202}, {0x2551, 0x2020}, {0x2552, 0x0210}, {0x2553, 0x0120}, {0x2554, 0x0220},
    {0x2555, 0x0012}, {0x2556, 0x0021}, {0x2557, 0x0022}, {0x2558, 0x1200}, {0x2559, 0x2100}, {0x255a, 0x2200},
    {0x255b, 0x1002}, {0x255c, 0x2001}, {0x255d, 0x2002}, {0x255e, 0x1210}, {0x255f, 0x2120}, {0x2560, 0x2220},
    {0x2561, 0x1012}, {0x2562, 0x2021}, {0x2563, 0x2022}, {0x2564, 0x0212}, {0x2565, 0x0121}, {0x2566, 0x0222},
    {0x2567, 0x1202}, {0x2568, 0x2101}, {0x2569, 0x2202}, {0x256a, 0x1212}, {0x256b, 0x2121}, {0x256c, 0x2222},
    {0x256d, 0x0110}, {0x256e, 0x0011}, {0x256f, 0x1001}, {0x2570, 0x1100},
};

#define MID_X 3u
#define MID_Y 7u

/* How far from the middle one of an arm's lines stops, +1 beyond it, -1 short of
 * it, where the arms across are `near` (on the line's own side) and `far`. */
static int line_end(unsigned weight, unsigned same, unsigned near, unsigned far)
{
    if (weight == 2)
        return near == 2 ? -1 : far == 2 ? 1 : 0;
    if (same != 0)
        return 1; /* it goes straight through */
    if (near == 2 && far == 2)
        return -1;
    return near == 2 || far == 2 ? 1 : 0;
}

/* One arm of the glyph. dir 0 up, 1 right, 2 down, 3 left. */
static void put_arm(unsigned arms, unsigned dir, uint8_t rows[FONT_HEIGHT])
{
    unsigned arm[4] = {arms >> 12, arms >> 8 & 15, arms >> 4 & 15, arms & 15};
    unsigned weight = arm[dir], before = arm[(dir & 1) ? 0 : 3], after = arm[(dir & 1) ? 2 : 1];

    for (int side = weight == 2 ? -1 : 0; weight != 0 && side <= (weight == 2); side += 2) {
        int end = line_end(weight, arm[dir ^ 2], side <= 0 ? before : after, side <= 0 ? after : before);
        if (dir & 1) {
            int x0 = dir == 1 ? (int)MID_X - end : 0, x1 = dir == 1 ? 7 : (int)MID_X + end;
            for (int x = x0; x <= x1; x++)
                rows[(int)MID_Y + side] |= (uint8_t)(0x80 >> x);
        } else {
            int y0 = dir == 2 ? (int)MID_Y - end : 0, y1 = dir == 2 ? 15 : (int)MID_Y + end;
            for (int y = y0; y <= y1; y++)
                rows[y] |= (uint8_t)(0x80 >> ((int)MID_X + side));
        }
    }
}

static bool put_box(uint32_t c, uint8_t rows[FONT_HEIGHT])
{
    for (unsigned i = 0; i < COUNT(boxes); i++) {
        if (boxes[i].code != c)
            continue;
        for (unsigned dir = 0; dir < 4; dir++)
            put_arm(boxes[i].arms, dir, rows);
        return true;
    }
    return false;
}

static bool put_block(uint32_t c, uint8_t rows[FONT_HEIGHT])
{
    for (unsigned y = 0; y < FONT_HEIGHT; y++) {
        if (c == 0x2580) /* halves: upper, lower, left, right */
            rows[y] = y < 8 ? 0xff : 0;
        else if (c == 0x2584)
            rows[y] = y < 8 ? 0 : 0xff;
        else if (c == 0x258c)
            rows[y] = 0xf0;
        else if (c == 0x2590)
            rows[y] = 0x0f;
        else if (c == 0x2588)
            rows[y] = 0xff;
        else if (c == 0x2591) /* shades: a quarter, a half, three quarters */
            rows[y] = (y & 1) ? 0x88 : 0x22;
        else if (c == 0x2592)
            rows[y] = (y & 1) ? 0xaa : 0x55;
        else if (c == 0x2593)
            rows[y] = (y & 1) ? 0x77 : 0xdd;
        else
            return false;
    }
    return true;
}

/* --- by code point -------------------------------------------------------- */

static const struct shape *find_shape(uint32_t c)
{
    if (c >= ' ' && c <= '~')
        return &ascii[c - ' '];
    for (unsigned i = 0; i < COUNT(others); i++)
        if (others[i].code == c)
            return &others[i];
    return NULL;
}

bool font_glyph(uint32_t c, uint8_t rows[FONT_HEIGHT])
{
    const struct shape *s = find_shape(c == 0xa0 ? ' ' : c);
    unsigned mark = 0;
    char letter = split_letter(c, &mark);

    for (unsigned y = 0; y < FONT_HEIGHT; y++)
        rows[y] = 0;
    if (s != NULL)
        put_shape(s, rows);
    else if (letter != 0)
        put_marked(letter, mark, rows);
    else if (!put_box(c, rows) && !put_block(c, rows)) {
        for (unsigned y = 0; y < FONT_HEIGHT; y++)
            rows[y] = missing[y];
        return false;
    }
    return true;
}

/* --- a VGA's font --------------------------------------------------------- */

static const uint16_t cp437[128] = { /* the characters 128 to 255 */
    0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee,
    0x00ec, 0x00c4, 0x00c5, 0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9, 0x00ff, 0x00d6,
    0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa,
    0x00ba, 0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb, 0x2591, 0x2592, 0x2593, 0x2502,
    0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b, 0x2510, 0x2514,
    0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f, 0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550,
    0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518, 0x250c,
    0x2588, 0x2584, 0x258c, 0x2590, 0x2580, 0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4,
    0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6, 0x03b5, 0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320,
    0x2321, 0x00f7, 0x2248, 0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0,
};

/* What code page 437 has only something like. */
static const struct {
    uint16_t code;
    char like;
} likes[] = {
    {0xa6, '|'},    {0xa8, '"'},    {0xa9, 'c'},    {0xad, '-'},    {0xae, 'r'},    {0xaf, '-'},  {0xb3, '3'},
    {0xb4, '\''},   {0xb8, ','},    {0xb9, '1'},    {0xd0, 'D'},    {0xd7, 'x'},    {0xd8, 'O'},  {0xf8, 'o'},
    {0x2013, '-'},  {0x2014, '-'},  {0x2018, '`'},  {0x2019, '\''}, {0x201c, '"'},  {0x201d, '"'}, {0x20ac, 'E'},
    {0x2190, '<'},  {0x2191, '^'},  {0x2192, '>'},  {0x2193, 'v'},  {0x2501, (char)0xc4}, {0x2503, (char)0xb3},
    {0x256d, (char)0xda}, {0x256e, (char)0xbf}, {0x256f, (char)0xd9}, {0x2570, (char)0xc0}, {0x2022, (char)0xf9},
};

uint8_t font_cp437(uint32_t c)
{
    unsigned mark = 0;
    char letter;

    if (c >= ' ' && c <= '~')
        return (uint8_t)c;
    for (unsigned i = 0; i < COUNT(cp437); i++)
        if (cp437[i] == c)
            return (uint8_t)(128 + i);
    for (unsigned i = 0; i < COUNT(likes); i++)
        if (likes[i].code == c)
            return (uint8_t)likes[i].like;
    letter = split_letter(c, &mark);
    return letter != 0 ? (uint8_t)letter : '?';
}
