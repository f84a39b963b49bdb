/* SPDX-License-Identifier: MIT
 *
 * sys/dirent.h: the system's part of newlib's <dirent.h>.
 */
#ifndef SLIPWAY_SYS_DIRENT_H
#define SLIPWAY_SYS_DIRENT_H

#include <sys/types.h>

#define MAXNAMLEN 255
#define DT_UNKNOWN 0
#define DT_CHR 2
#define DT_DIR 4
#define DT_REG 8

typedef struct __slipway_dir DIR;

struct dirent {
    ino_t d_ino;
    unsigned char d_type;
    char d_name[MAXNAMLEN + 1];
};

#endif
