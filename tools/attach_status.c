/* SPDX-License-Identifier: MIT
 *
 * tools/attach_status.c: `slipway-attach --status` asks the one that runs.
 *
 * Owns: the name of the socket between them: an abstract one, so that nothing is
 * left behind, whoever ends first.
 */
#define _GNU_SOURCE
#include "attach.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_SECONDS 5

static socklen_t address(struct sockaddr_un *a, const char *tun)
{
    int n;

    memset(a, 0, sizeof(*a));
    a->sun_family = AF_UNIX;
    n = snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "slipway-attach/%s", tun);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

int status_listen(const char *tun)
{
    struct sockaddr_un a;
    socklen_t len = address(&a, tun);
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (s >= 0 && (bind(s, (struct sockaddr *)&a, len) != 0 || listen(s, 4) != 0)) {
        close(s);
        s = -1;
    }
    return s;
}

void status_answer(int listener, const char *text)
{
    int s = accept(listener, NULL, NULL);

    if (s < 0)
        return;
    /* A few hundred bytes always fit into a fresh socket. */
    if (send(s, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        fprintf(stderr, "slipway-attach: status: %s\n", strerror(errno));
    close(s);
}

int status_ask(const char *tun)
{
    struct timeval limit = {.tv_sec = ANSWER_SECONDS};
    struct sockaddr_un a;
    socklen_t len = address(&a, tun);
    char text[1024];
    ssize_t n;
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (s < 0 || connect(s, (struct sockaddr *)&a, len) != 0) {
        fprintf(stderr, "slipway-attach: none runs for %s here\n", tun);
        return 1;
    }
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    while ((n = read(s, text, sizeof(text))) > 0)
        fwrite(text, 1, (size_t)n, stdout);
    close(s);
    return n == 0 ? 0 : 1;
}
