/* SPDX-License-Identifier: MIT
 *
 * sys/utsname.h: what system this is (POSIX.1-2017).
 */
#ifndef SLIPWAY_SYS_UTSNAME_H
#define SLIPWAY_SYS_UTSNAME_H

#ifdef __cplusplus
extern "C" {
#endif

struct utsname {
    char sysname[16], nodename[64], release[48], version[48], machine[16];
};

int uname(struct utsname *u);

#ifdef __cplusplus
}
#endif

#endif
