#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "CBoard.h"

int martlet_serial_pair(int *far_end, char *path, size_t size) {
    int near = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (near < 0) return -errno;
    int code = 0;
    *far_end = -1;
    if (grantpt(near) || unlockpt(near)) code = -errno;
    if (!code) code = -ptsname_r(near, path, size);
    if (!code) {
        *far_end = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (*far_end < 0) code = -errno;
    }
    struct termios settings;
    if (!code && tcgetattr(*far_end, &settings)) code = -errno;
    if (!code) {
        cfmakeraw(&settings);
        if (tcsetattr(*far_end, TCSANOW, &settings)) code = -errno;
    }
    if (!code) return near;
    if (*far_end >= 0) close(*far_end);
    close(near);
    return code;
}
