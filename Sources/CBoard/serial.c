#include "CBoard.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

// <asm/termbits.h> has termios2 and BOTHER; <termios.h> does not go with it, so its functions are their ioctls here.

static int answer(int result) { return result < 0 ? -errno : result; }

int martlet_serial_claim(int descriptor) {
    if (ioctl(descriptor, TIOCEXCL) < 0) return -errno;
    return answer(flock(descriptor, LOCK_EX | LOCK_NB));
}

static tcflag_t size_flag(int data_bits) {
    switch (data_bits) {
    case 5: return CS5;
    case 6: return CS6;
    case 7: return CS7;
    default: return CS8;
    }
}

int martlet_serial_configure(int descriptor, const struct martlet_serial_settings *settings) {
    if (settings->baud_rate == 0 || settings->data_bits < 5 || settings->data_bits > 8) return -EINVAL;
    struct termios2 line;
    if (ioctl(descriptor, TCGETS2, &line) < 0) return -errno;
    line.c_iflag = settings->parity == MARTLET_PARITY_NONE ? 0 : INPCK;
    line.c_oflag = 0;
    line.c_lflag = 0;
    line.c_cflag = CREAD | CLOCAL | BOTHER | (BOTHER << IBSHIFT) | size_flag(settings->data_bits);
    if (settings->parity != MARTLET_PARITY_NONE) line.c_cflag |= PARENB;
    if (settings->parity == MARTLET_PARITY_ODD) line.c_cflag |= PARODD;
    if (settings->stop_bits == 2) line.c_cflag |= CSTOPB;
    line.c_ispeed = settings->baud_rate;
    line.c_ospeed = settings->baud_rate;
    // A read that finds nothing then says EAGAIN, and 0 means that the port is gone.
    line.c_cc[VMIN] = 1;
    line.c_cc[VTIME] = 0;
    if (ioctl(descriptor, TCSETS2, &line) < 0) return -errno;
    return answer(ioctl(descriptor, TCFLSH, TCIFLUSH));
}

int martlet_serial_open(const char *path, const struct martlet_serial_settings *settings) {
    int descriptor = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) return -errno;
    int result = martlet_serial_claim(descriptor);
    if (result == 0) result = martlet_serial_configure(descriptor, settings);
    if (result < 0) {
        close(descriptor);
        return result;
    }
    return descriptor;
}

int martlet_serial_baud_rate(int descriptor) {
    struct termios2 line;
    return ioctl(descriptor, TCGETS2, &line) < 0 ? -errno : (int)line.c_ospeed;
}

int martlet_serial_set_rs485(int descriptor, const struct martlet_rs485_settings *settings) {
    struct serial_rs485 wanted;
    memset(&wanted, 0, sizeof wanted);
    if (settings) {
        wanted.flags = SER_RS485_ENABLED | (settings->rts_on_send ? SER_RS485_RTS_ON_SEND : SER_RS485_RTS_AFTER_SEND);
        if (settings->rx_during_tx) wanted.flags |= SER_RS485_RX_DURING_TX;
        if (settings->terminate) wanted.flags |= SER_RS485_TERMINATE_BUS;
        wanted.delay_rts_before_send = settings->delay_before_send_ms;
        wanted.delay_rts_after_send = settings->delay_after_send_ms;
    }
    if (ioctl(descriptor, TIOCSRS485, &wanted) < 0) return -errno;
    if (!settings) return 0;
    // The kernel corrects what the driver cannot do instead of refusing it.
    struct serial_rs485 actual;
    memset(&actual, 0, sizeof actual);
    if (ioctl(descriptor, TIOCGRS485, &actual) < 0) return -errno;
    if (!(actual.flags & SER_RS485_ENABLED)) return -EOPNOTSUPP;
    unsigned int polarity = SER_RS485_RTS_ON_SEND | SER_RS485_RTS_AFTER_SEND;
    return (actual.flags & polarity) == (wanted.flags & polarity) ? 0 : -EINVAL;
}

int martlet_serial_is_sent(int descriptor) {
    unsigned int status = 0;
    if (ioctl(descriptor, TIOCSERGETLSR, &status) < 0) return -errno;
    return (status & TIOCSER_TEMT) != 0;
}

int martlet_serial_drain(int descriptor) { return answer(ioctl(descriptor, TCSBRK, 1)); }
