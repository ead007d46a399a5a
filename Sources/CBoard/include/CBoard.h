// What Swift's Glibc module lacks: serial ports, GPIO lines, and the start of programs.
//
// Every function that answers with an int answers with its result (0 where none is named) or with the negated `errno`, read
// before anything else can change it.

#ifndef MARTLET_BOARD_H
#define MARTLET_BOARD_H

#include <stddef.h>
#include <stdint.h>

// MARK: Serial ports (ioctl_tty(2), termios2 for any baud rate)

enum martlet_parity {
    MARTLET_PARITY_NONE = 0,
    MARTLET_PARITY_EVEN = 1,
    MARTLET_PARITY_ODD = 2,
};

/// The form of a character on the line. There is no flow control.
struct martlet_serial_settings {
    /// Bits per second, 1 or more. The driver takes the nearest that its clock can make.
    uint32_t baud_rate;
    /// 5…8.
    int data_bits;
    enum martlet_parity parity;
    /// 1 or 2.
    int stop_bits;
};

/// How the kernel turns an RS-485 transceiver around (struct serial_rs485 of linux/serial.h).
struct martlet_rs485_settings {
    /// Level of RTS while sending: 1 for most transceivers. It has the other level otherwise.
    int rts_on_send;
    /// Whether what is sent is received too.
    int rx_during_tx;
    /// Whether the kernel switches the bus terminator on, where it can.
    int terminate;
    uint32_t delay_before_send_ms;
    uint32_t delay_after_send_ms;
};

/// Opens a serial port for this process alone, raw, non-blocking and not as the controlling terminal.
///
/// -EBUSY or -EWOULDBLOCK: another process has it. -ENOTTY: it is not a serial port.
///
/// @return the descriptor, which close() closes.
int martlet_serial_open(const char *path, const struct martlet_serial_settings *settings);

/// Claims an open port for this process: other processes can neither open it (TIOCEXCL; root can) nor claim it (flock).
int martlet_serial_claim(int descriptor);

/// Sets raw mode and the form of the characters, and throws away what has come so far.
int martlet_serial_configure(int descriptor, const struct martlet_serial_settings *settings);

/// The rate that the driver has set, which may differ from the one that was asked for.
int martlet_serial_baud_rate(int descriptor);

/// Has the kernel switch the direction of an RS-485 transceiver. `settings` is NULL to end that.
///
/// -ENOTTY or -EOPNOTSUPP: the port's driver cannot. -EINVAL: it cannot do it in this way.
int martlet_serial_set_rs485(int descriptor, const struct martlet_rs485_settings *settings);

/// Whether the last bit of everything written has left the port, its FIFO and shift register included.
///
/// -ENOTTY, -EINVAL and others: the port's driver does not tell, which is so of pseudo terminals and many adapters.
///
/// @return 1 or 0.
int martlet_serial_is_sent(int descriptor);

/// Waits until everything written has left the port. The kernel looks every few milliseconds.
int martlet_serial_drain(int descriptor);

// MARK: GPIO lines (libgpiod, version 1 or 2)

enum martlet_gpio_direction {
    MARTLET_GPIO_INPUT = 0,
    MARTLET_GPIO_OUTPUT = 1,
};

enum martlet_gpio_bias {
    MARTLET_GPIO_BIAS_AS_IS = 0,
    MARTLET_GPIO_BIAS_DISABLED = 1,
    MARTLET_GPIO_BIAS_PULL_UP = 2,
    MARTLET_GPIO_BIAS_PULL_DOWN = 3,
};

enum martlet_gpio_drive {
    MARTLET_GPIO_DRIVE_PUSH_PULL = 0,
    MARTLET_GPIO_DRIVE_OPEN_DRAIN = 1,
    MARTLET_GPIO_DRIVE_OPEN_SOURCE = 2,
};

struct martlet_gpio_line_settings {
    unsigned int offset;
    enum martlet_gpio_direction direction;
    enum martlet_gpio_bias bias;
    enum martlet_gpio_drive drive;
    int active_low;
    /// Whether both edges are to be reported. Of an input only.
    int edges;
    /// How long the line must be steady before an edge counts, in microseconds; 0 for not at all.
    uint32_t debounce_us;
    /// The logical value that an output has from the first moment: 0 or 1.
    int value;
    /// How many edges the kernel keeps for this line until they are read; 0 for its default. Version 1 has 16 always.
    unsigned int event_buffer_size;
};

struct martlet_gpio_event {
    /// Of CLOCK_MONOTONIC, in nanoseconds, taken by the kernel when the edge came.
    uint64_t monotonic_ns;
    /// The logical value after the edge: 0 or 1.
    int value;
    /// Counts the line's edges from 1, the ones that were lost too; 0 if the library does not tell.
    unsigned long sequence;
};

typedef struct martlet_gpio_chip martlet_gpio_chip;
typedef struct martlet_gpio_request martlet_gpio_request;

/// 1 or 2.
int martlet_gpio_library_version(void);

/// Opens a chip by the path of its device.
int martlet_gpio_chip_open(const char *path, martlet_gpio_chip **chip);
void martlet_gpio_chip_close(martlet_gpio_chip *chip);

/// Valid until the chip is closed.
const char *martlet_gpio_chip_label(martlet_gpio_chip *chip);

/// How many lines the chip has.
int martlet_gpio_chip_line_count(martlet_gpio_chip *chip);

/// The line's name, "" if it has none, cut to `size`, the 0 at the end included.
///
/// @return 1 if a process or the kernel uses the line, and then `consumer` says which; else 0.
int martlet_gpio_line_describe(martlet_gpio_chip *chip, unsigned int offset, char *name, char *consumer, size_t size);

/// Takes a line for this process. It outlives its chip's martlet_gpio_chip_close().
///
/// -EBUSY: it is in use. -EOPNOTSUPP: the library cannot debounce. -EINVAL: there is no such line, or the chip cannot do this.
int martlet_gpio_request_line(
    const char *path, const struct martlet_gpio_line_settings *settings, const char *consumer, martlet_gpio_request **request);
void martlet_gpio_release(martlet_gpio_request *request);

/// @return the logical value: 0 or 1.
int martlet_gpio_get_value(martlet_gpio_request *request);
int martlet_gpio_set_value(martlet_gpio_request *request, int value);

/// What poll() waits on for edges.
int martlet_gpio_descriptor(martlet_gpio_request *request);

/// How many edges martlet_gpio_read_events() reads at most.
enum { MARTLET_GPIO_MAX_EVENTS = 64 };

/// Reads the edges that wait, without blocking.
///
/// @param events has room for MARTLET_GPIO_MAX_EVENTS.
/// @return how many it read.
int martlet_gpio_read_events(martlet_gpio_request *request, struct martlet_gpio_event *events);

/// A serial line within this process (pty(7)): what is written to one end comes out of the other, as it is.
///
/// @param far_end the end with a path, open, so that the line does not hang up while nobody else has it open.
/// @param path of the far end; has room for `size` bytes.
/// @return the near end.
int martlet_serial_pair(int *far_end, char *path, size_t size);

// MARK: Programs (posix_spawn(3))

/// Starts a program of the search path in a process group of its own, with `streams` as its standard input and output and no
/// other descriptor but standard error, in `directory` unless that is NULL.
///
/// @param arguments ends with NULL; the first is the program.
int martlet_spawn(int *process, char *const arguments[], const char *directory, int streams);

#endif
