/* SPDX-License-Identifier: MIT
 *
 * servers/wc/main.c: counts the lines, words and bytes of its standard input, or of
 * one file. An ordinary C program: nothing in it is Slipway's.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    unsigned long lines = 0, words = 0, bytes = 0;
    bool in_word = false;
    int c;

    if (argc > 1 && freopen(argv[1], "r", stdin) == NULL) {
        perror(argv[1]);
        return 1;
    }
    while ((c = getchar()) != EOF) {
        bytes++;
        lines += c == '\n';
        words += !in_word && !isspace(c);
        in_word = !isspace(c);
    }
    if (ferror(stdin)) {
        perror("wc");
        return 1;
    }
    printf("%lu %lu %lu\n", lines, words, bytes);
    return 0;
}
