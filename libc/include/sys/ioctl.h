/* SPDX-License-Identifier: MIT
 *
 * sys/ioctl.h: the requests that descriptors here know.
 */
#ifndef SLIPWAY_SYS_IOCTL_H
#define SLIPWAY_SYS_IOCTL_H

#ifdef __cplusplus
extern "C" {
#endif

#define FIONREAD 0x541b  /* int *: bytes that can be read now */
#define FIONBIO 0x5421   /* int *: non-blocking on or off */
#define TIOCOUTQ 0x5411  /* int *: of a stream socket, bytes that the peer has not acknowledged */
#define TIOCGWINSZ 0x5413 /* struct winsize * */

#define SLIPWAY_IOC_DEVICE 0x5301 /* struct info_device *: of a device's node in /dev */
#define SLIPWAY_IOC_SCREEN 0x5302 /* struct info_screen *: of /dev/fb0 */

struct winsize {
    unsigned short ws_row, ws_col, ws_xpixel, ws_ypixel;
};

int ioctl(int fd, unsigned long request, ...);

#ifdef __cplusplus
}
#endif

#endif
