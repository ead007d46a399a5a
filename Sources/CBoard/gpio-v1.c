// GPIO lines by libgpiod 1, whose header alone defines GPIOD_LINE_BULK_MAX_LINES.

#include <gpiod.h>

#ifdef GPIOD_LINE_BULK_MAX_LINES

#include "CBoard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

struct martlet_gpio_request {
    struct gpiod_chip *chip;
    struct gpiod_line *line;
};

static int failure(void) { return errno > 0 ? -errno : -EIO; }

static struct gpiod_chip *chip_of(martlet_gpio_chip *chip) { return (struct gpiod_chip *)chip; }

int martlet_gpio_library_version(void) { return 1; }

int martlet_gpio_chip_open(const char *path, martlet_gpio_chip **chip) {
    *chip = (martlet_gpio_chip *)gpiod_chip_open(path);
    return *chip ? 0 : failure();
}

void martlet_gpio_chip_close(martlet_gpio_chip *chip) { gpiod_chip_close(chip_of(chip)); }

const char *martlet_gpio_chip_label(martlet_gpio_chip *chip) { return gpiod_chip_label(chip_of(chip)); }

int martlet_gpio_chip_line_count(martlet_gpio_chip *chip) { return (int)gpiod_chip_num_lines(chip_of(chip)); }

int martlet_gpio_line_describe(martlet_gpio_chip *chip, unsigned int offset, char *name, char *consumer, size_t size) {
    struct gpiod_line *line = gpiod_chip_get_line(chip_of(chip), offset);
    if (!line) return failure();
    const char *of_line = gpiod_line_name(line);
    const char *of_consumer = gpiod_line_consumer(line);
    snprintf(name, size, "%s", of_line ? of_line : "");
    snprintf(consumer, size, "%s", of_consumer ? of_consumer : "");
    return gpiod_line_is_used(line) ? 1 : 0;
}

static int flags_of(const struct martlet_gpio_line_settings *settings) {
    int flags = settings->active_low ? GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW : 0;
    switch (settings->bias) {
    case MARTLET_GPIO_BIAS_AS_IS: break;
    case MARTLET_GPIO_BIAS_DISABLED: flags |= GPIOD_LINE_REQUEST_FLAG_BIAS_DISABLE; break;
    case MARTLET_GPIO_BIAS_PULL_UP: flags |= GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP; break;
    case MARTLET_GPIO_BIAS_PULL_DOWN: flags |= GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_DOWN; break;
    }
    if (settings->direction == MARTLET_GPIO_OUTPUT) {
        switch (settings->drive) {
        case MARTLET_GPIO_DRIVE_PUSH_PULL: break;
        case MARTLET_GPIO_DRIVE_OPEN_DRAIN: flags |= GPIOD_LINE_REQUEST_FLAG_OPEN_DRAIN; break;
        case MARTLET_GPIO_DRIVE_OPEN_SOURCE: flags |= GPIOD_LINE_REQUEST_FLAG_OPEN_SOURCE; break;
        }
    }
    return flags;
}

int martlet_gpio_request_line(
    const char *path, const struct martlet_gpio_line_settings *settings, const char *consumer,
    martlet_gpio_request **request) {
    *request = NULL;
    if (settings->debounce_us > 0) return -EOPNOTSUPP;
    martlet_gpio_request *made = calloc(1, sizeof *made);
    if (!made) return -ENOMEM;
    int result = 0;
    made->chip = gpiod_chip_open(path);
    if (made->chip) made->line = gpiod_chip_get_line(made->chip, settings->offset);
    if (!made->line) {
        result = failure();
    } else {
        struct gpiod_line_request_config config = {.consumer = consumer, .flags = flags_of(settings)};
        if (settings->direction == MARTLET_GPIO_OUTPUT) {
            config.request_type = GPIOD_LINE_REQUEST_DIRECTION_OUTPUT;
        } else {
            config.request_type = settings->edges ? GPIOD_LINE_REQUEST_EVENT_BOTH_EDGES : GPIOD_LINE_REQUEST_DIRECTION_INPUT;
        }
        if (gpiod_line_request(made->line, &config, settings->value) < 0) result = failure();
        if (result == 0 && settings->edges) {
            int descriptor = gpiod_line_event_get_fd(made->line);
            if (descriptor < 0 || fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) < 0) result = failure();
        }
    }
    if (result < 0) {
        martlet_gpio_release(made);
        return result;
    }
    *request = made;
    return 0;
}

void martlet_gpio_release(martlet_gpio_request *request) {
    // Closing the chip releases its lines.
    if (request->chip) gpiod_chip_close(request->chip);
    free(request);
}

int martlet_gpio_get_value(martlet_gpio_request *request) {
    int value = gpiod_line_get_value(request->line);
    return value < 0 ? failure() : value;
}

int martlet_gpio_set_value(martlet_gpio_request *request, int value) {
    return gpiod_line_set_value(request->line, value) < 0 ? failure() : 0;
}

int martlet_gpio_descriptor(martlet_gpio_request *request) {
    int descriptor = gpiod_line_event_get_fd(request->line);
    return descriptor < 0 ? failure() : descriptor;
}

static uint64_t nanoseconds(const struct timespec *time) {
    return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

int martlet_gpio_read_events(martlet_gpio_request *request, struct martlet_gpio_event *events) {
    struct gpiod_line_event read[16];
    int count = gpiod_line_event_read_multiple(request->line, read, 16);
    if (count < 0) return errno == EAGAIN ? 0 : failure();
    struct timespec monotonic, wall;
    clock_gettime(CLOCK_MONOTONIC, &monotonic);
    clock_gettime(CLOCK_REALTIME, &wall);
    for (int index = 0; index < count; index++) {
        uint64_t time = nanoseconds(&read[index].ts);
        // Before Linux 5.7 the edges of this interface carry CLOCK_REALTIME.
        if (time > nanoseconds(&monotonic) + 1000000000u) {
            uint64_t ahead = nanoseconds(&wall) - nanoseconds(&monotonic);
            time = time > ahead ? time - ahead : 0;
        }
        events[index].monotonic_ns = time;
        events[index].value = read[index].event_type == GPIOD_LINE_EVENT_RISING_EDGE;
        events[index].sequence = 0;
    }
    return count;
}

#endif
