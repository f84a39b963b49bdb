/* SPDX-License-Identifier: MIT
 *
 * servers/cat/main.c: files, or standard input, to standard output. An ordinary C
 * program: nothing in it is Slipway's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int copy(const char *name, int fd)
{
    char buf[4096];
    ssize_t n;

    while ((n = read(fd, buf, sizeof buf)) > 0)
        for (ssize_t done = 0, w; done < n; done += w)
            if ((w = write(1, buf + done, (size_t)(n - done))) < 0)
                return 1;
    if (n < 0)
        fprintf(stderr, "cat: %s: %s\n", name, strerror(errno));
    return n < 0;
}

int main(int argc, char **argv)
{
    int failed = 0;

    if (argc < 2)
        return copy("standard input", 0);
    for (int i = 1; i < argc; i++) {
        int fd = open(argv[i], O_RDONLY);
        if (fd < 0) {
            fprintf(stderr, "cat: %s: %s\n", argv[i], strerror(errno));
            failed = 1;
            continue;
        }
        failed |= copy(argv[i], fd);
        close(fd);
    }
    return failed;
}
