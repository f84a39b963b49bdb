/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/replay.c: main() for a fuzz target where there is no libFuzzer.
 *
 *   fuzz_NAME.tap [-n MUTATIONS] [-s SEED] [FILE | FOLDER] ...
 *
 * Gives the target each file (in the order of their names; without any, those of
 * $srcdir/tests/fuzz/corpus/NAME), then MUTATIONS byte strings made from them by a
 * generator that starts from SEED: the same run every time. Prints TAP. A target that fails ends the program
 * (abort, a sanitizer); the string that did it lies in replay-crash then.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX  512u
#define INPUT_MAX  65536u
#define EDITS_MAX  8u
#define MUTATIONS  50000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_set_death_callback(void (*callback)(void));

static struct input {
    uint8_t *bytes;
    size_t size;
} inputs[FILES_MAX];
static unsigned ninputs;
static uint64_t state;
static uint8_t work[INPUT_MAX];
static const uint8_t *now;
static size_t now_size;

static uint64_t chance(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % below;
}

static void keep_crash(void)
{
    FILE *f = fopen("replay-crash", "wb");

    if (f != NULL) {
        fwrite(now, 1, now_size, f);
        fclose(f);
    }
    printf("not ok - the input is in replay-crash (%zu bytes)\n", now_size);
    fflush(stdout);
}

static void give(const uint8_t *bytes, size_t size)
{
    now = bytes;
    now_size = size;
    (void)LLVMFuzzerTestOneInput(bytes, size);
}

static void add_file(const char *path)
{
    FILE *f = fopen(path, "rb");

    if (f == NULL || ninputs == FILES_MAX) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    inputs[ninputs].bytes = malloc(INPUT_MAX);
    inputs[ninputs].size = fread(inputs[ninputs].bytes, 1, INPUT_MAX, f);
    ninputs++;
    fclose(f);
}

static void add(const char *path)
{
    struct dirent **names;
    struct stat st;
    int n;

    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        add_file(path);
        return;
    }
    n = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char full[4096];
        if (names[i]->d_name[0] != '.') {
            snprintf(full, sizeof full, "%s/%s", path, names[i]->d_name);
            add_file(full);
        }
        free(names[i]);
    }
    if (n >= 0)
        free(names);
}

/* One change: a bit, a byte, a telling number, a piece moved, cut, or taken from
 * another input. Returns the new size. */
static size_t edit(size_t size)
{
    static const uint32_t telling[] = {0,      1,      0x7f,       0x80,        0xff,       0x100,
                                       0x7fff, 0xffff, 0x7fffffff, 0x80000000u, 0xffffffffu};
    const struct input *other = &inputs[chance(ninputs)];
    size_t at = size > 0 ? chance(size) : 0, n;

    switch (chance(7)) {
    case 0:
        if (size > 0)
            work[at] ^= (uint8_t)(1u << chance(8));
        return size;
    case 1:
        if (size > 0)
            work[at] = (uint8_t)chance(256);
        return size;
    case 2:
        n = (size_t)1 << chance(3);
        if (at + n <= size)
            memcpy(work + at, &telling[chance(sizeof telling / sizeof telling[0])], n);
        return size;
    case 3: /* the end is missing */
        return at;
    case 4: /* a piece is missing */
        n = size > at ? chance(size - at) % 64 : 0;
        memmove(work + at, work + at + n, size - at - n);
        return size - n;
    case 5: /* a piece is there twice */
        n = size > at ? chance(size - at) % 64 : 0;
        if (size + n > INPUT_MAX)
            return size;
        memmove(work + at + n, work + at, size - at);
        return size + n;
    default: /* a stranger's piece */
        n = other->size > 0 ? chance(other->size) % 64 : 0;
        if (at + n <= size && n <= other->size)
            memcpy(work + at, other->bytes + chance(other->size - n + 1), n);
        return size;
    }
}

static void mutate(unsigned long count)
{
    for (unsigned long i = 0; i < count; i++) {
        const struct input *from = &inputs[chance(ninputs)];
        size_t size = from->size;

        memcpy(work, from->bytes, size);
        for (uint64_t edits = 1 + chance(EDITS_MAX); edits > 0; edits--)
            size = edit(size);
        give(work, size);
    }
}

static void add_own_corpus(const char *program)
{
    const char *name = strstr(program, "fuzz_"), *next, *folder = getenv("srcdir");
    char path[4096];

    while (name != NULL && (next = strstr(name + 1, "fuzz_")) != NULL)
        name = next;
    if (name == NULL)
        return;
    snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%.*s", folder != NULL ? folder : ".",
             (int)strcspn(name + 5, "."), name + 5);
    add(path);
}

int main(int argc, char **argv)
{
    unsigned long count = MUTATIONS;
    int c;

    state = 0x9e3779b97f4a7c15u;
    while ((c = getopt(argc, argv, "n:s:")) != -1) {
        if (c == 'n')
            count = strtoul(optarg, NULL, 10);
        else if (c == 's')
            state += strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    for (int i = optind; i < argc; i++)
        add(argv[i]);
    if (optind == argc)
        add_own_corpus(argv[0]);
    __sanitizer_set_death_callback(keep_crash);
    printf("1..2\n");
    for (unsigned i = 0; i < ninputs; i++)
        give(inputs[i].bytes, inputs[i].size);
    printf("%s 1 - %u inputs\n", ninputs > 0 ? "ok" : "not ok", ninputs);
    if (ninputs == 0)
        return 1;
    mutate(count);
    printf("ok 2 - %lu mutations\n", count);
    return 0;
}
