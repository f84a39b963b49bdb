/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/screen.c: the device nodes, and the screen's pixels in a process.
 */
#include "selftest.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Every node of the inventory is in /dev, and tells there what the inventory does. */
static const char *device_nodes(void)
{
    struct info_device want, got;
    struct dirent *e;
    char path[40], text[200];
    unsigned nodes = 0, listed = 0;

    for (uint64_t i = 0; sys_info(INFO_DEVICE, i, &want, sizeof want) > 0; i++) {
        if (want.node[0] == 0)
            continue;
        nodes++;
        strcpy(path, "/dev/");
        strcat(path, want.node);
        int fd = open(path, O_RDONLY);
        CHECK(fd >= 0);
        CHECK(ioctl(fd, SLIPWAY_IOC_DEVICE, &got) == 0);
        CHECK(got.vendor == want.vendor && got.product == want.product && strcmp(got.node, want.node) == 0);
        ssize_t n = read(fd, text, sizeof text - 1);
        CHECK(n > 0);
        text[n] = 0;
        CHECK(strncmp(text, want.node, strlen(want.node)) == 0 && strchr(text, '\n') == text + n - 1);
        CHECK(read(fd, text, sizeof text) == 0);
        close(fd);
        CHECK(open(path, O_RDWR) == -1 && errno == EACCES);
    }
    CHECK(nodes > 0);
    DIR *d = opendir("/dev");
    CHECK(d != NULL);
    while ((e = readdir(d)) != NULL) {
        CHECK(e->d_type == DT_CHR);
        listed++;
    }
    closedir(d);
    CHECK(listed > nodes); /* console, null and their like as well */
    CHECK(open("/dev/net99", O_RDONLY) == -1 && errno == ENOENT);
    return NULL;
}

/* The pixels can be written and read where there are pixels, and nowhere else. */
static const char *framebuffer(void)
{
    struct info_screen s;
    int64_t got = sys_info(INFO_SCREEN, 0, &s, sizeof s);
    int h = sys_framebuffer_open();

    if (got <= 0 || s.width == 0) {
        CHECK(h == -ENODEV);
        return NULL;
    }
    CHECK(h >= 0);
    uint64_t bytes = (uint64_t)s.pitch_bytes * s.height, whole = (bytes + 4095) & ~4095ull;
    int64_t at = sys_memobj_map(h, 0, 0, whole, PROT_R | PROT_W);
    CHECK(at > 0);
    CHECK(sys_memobj_map(h, 0, 0, whole + 4096, PROT_R) == -EINVAL);
    volatile uint8_t *last = (uint8_t *)(uintptr_t)at + bytes - 4;
    for (unsigned v = 0; v < 256; v += 85) {
        *last = (uint8_t)v;
        CHECK(*last == v);
    }
    CHECK(sys_mem_protect((uint64_t)at, 4096, PROT_R) == 0);
    CHECK(sys_mem_unmap((uint64_t)at, whole) == 0);
    CHECK(sys_handle_close(h) == 0);
    return NULL;
}

const struct test screen_tests[] = {{"device-nodes", device_nodes}, {"framebuffer", framebuffer}, {NULL, NULL}};
