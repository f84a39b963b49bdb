/* SPDX-License-Identifier: MIT
 *
 * servers/shell/run.c: a program of the initrd in the foreground, with the
 * shell's own rights. Ctrl-C ends it and what it started.
 */
#include "shell.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS 1000
#define SIGNAL_INTERRUPT 2

static const char environment[] = "STDIO=console";

/* The path in the initrd of what was typed; false when there is no such program. */
static bool find_program(const char *word, char path[SPAWN_PATH_MAX])
{
    struct stat st;
    int n = strchr(word, '/') != NULL ? snprintf(path, SPAWN_PATH_MAX, "%s", word + strspn(word, "/"))
                                      : snprintf(path, SPAWN_PATH_MAX, "bin/%s", word);
    char full[SPAWN_PATH_MAX + 1];

    snprintf(full, sizeof full, "/%s", path);
    return n > 0 && n < SPAWN_PATH_MAX && stat(full, &st) == 0 && S_ISREG(st.st_mode);
}

static int start(char *path, int argc, char **argv)
{
    struct sys_spawn s = {.argc = (uint32_t)argc, .envc = 1, .flags = SPAWN_SAME_RIGHTS};
    static char block[SPAWN_ARGS_MAX];
    const char *slash = strrchr(path, '/');
    size_t at = 0;

    for (int i = 0; i <= argc; i++) {
        const char *word = i < argc ? argv[i] : environment;
        size_t len = strlen(word) + 1;
        if (len > sizeof block - at)
            return -E2BIG;
        memcpy(block + at, word, len);
        at += len;
    }
    s.args = (uint64_t)(uintptr_t)block;
    s.args_bytes = (uint32_t)at;
    strlcpy(s.path, path, sizeof s.path);
    strlcpy(s.name, slash != NULL ? slash + 1 : path, sizeof s.name);
    return sys_spawn(&s);
}

/* Its children first: their parent could start others. */
static void end_family(uint32_t pid)
{
    struct info_process p;

    for (uint64_t i = 0; sys_info(INFO_PROCESS, i, &p, sizeof p) > 0; i++)
        if (p.parent == pid)
            sys_kill(p.pid, SIGNAL_INTERRUPT);
    sys_kill(pid, SIGNAL_INTERRUPT);
}

static int wait_end(int handle)
{
    static struct sys_exit e;
    int fd = sys_handle_fd(handle);
    bool ended = false;

    while (sys_process_status(handle, &e) == 0 && e.state == PROC_RUNNING) {
        shell_wait(fd, LOOK_MS);
        if (!ended && shell_interrupted()) {
            end_family(e.pid);
            ended = true;
        }
    }
    close(fd); /* and the handle */
    if (e.state == PROC_FAULTED)
        printf("ended by exception %d\n", (int)e.status);
    return e.state == PROC_EXITED ? e.status : 128 + e.status;
}

bool shell_run_program(int argc, char **argv)
{
    char path[SPAWN_PATH_MAX];

    if (!find_program(argv[0], path))
        return false;
    fflush(stdout);
    int handle = start(path, argc, argv);
    if (handle < 0)
        shell_error(argv[0], handle);
    else
        wait_end(handle);
    return true;
}

void shell_list_programs(void)
{
    DIR *d = opendir("/bin");

    if (d == NULL)
        return;
    printf("Programs, as in `run':");
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        if (e->d_type == DT_REG)
            printf(" %s", e->d_name);
    putchar('\n');
    closedir(d);
}

int cmd_run(int argc, char **argv)
{
    if (argc < 2)
        return SHELL_USAGE;
    if (!shell_run_program(argc - 1, argv + 1))
        printf("%s: no such program\n", argv[1]);
    return 0;
}
