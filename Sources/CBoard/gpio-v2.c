// GPIO lines by libgpiod 2, whose header does not define GPIOD_LINE_BULK_MAX_LINES.

#include <gpiod.h>

#ifndef GPIOD_LINE_BULK_MAX_LINES

#include "CBoard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

struct martlet_gpio_chip {
    struct gpiod_chip *chip;
    struct gpiod_chip_info *info;
};

struct martlet_gpio_request {
    struct gpiod_line_request *request;
    struct gpiod_edge_event_buffer *buffer;
    unsigned int offset;
};

static int failure(void) { return errno > 0 ? -errno : -EIO; }

int martlet_gpio_library_version(void) { return 2; }

int martlet_gpio_chip_open(const char *path, martlet_gpio_chip **chip) {
    *chip = NULL;
    martlet_gpio_chip *made = calloc(1, sizeof *made);
    if (!made) return -ENOMEM;
    made->chip = gpiod_chip_open(path);
    if (made->chip) made->info = gpiod_chip_get_info(made->chip);
    if (!made->info) {
        int result = failure();
        martlet_gpio_chip_close(made);
        return result;
    }
    *chip = made;
    return 0;
}

void martlet_gpio_chip_close(martlet_gpio_chip *chip) {
    if (chip->info) gpiod_chip_info_free(chip->info);
    if (chip->chip) gpiod_chip_close(chip->chip);
    free(chip);
}

const char *martlet_gpio_chip_label(martlet_gpio_chip *chip) { return gpiod_chip_info_get_label(chip->info); }

int martlet_gpio_chip_line_count(martlet_gpio_chip *chip) { return (int)gpiod_chip_info_get_num_lines(chip->info); }

int martlet_gpio_line_describe(martlet_gpio_chip *chip, unsigned int offset, char *name, char *consumer, size_t size) {
    struct gpiod_line_info *line = gpiod_chip_get_line_info(chip->chip, offset);
    if (!line) return failure();
    const char *of_line = gpiod_line_info_get_name(line);
    const char *of_consumer = gpiod_line_info_get_consumer(line);
    snprintf(name, size, "%s", of_line ? of_line : "");
    snprintf(consumer, size, "%s", of_consumer ? of_consumer : "");
    int used = gpiod_line_info_is_used(line) ? 1 : 0;
    gpiod_line_info_free(line);
    return used;
}

static enum gpiod_line_bias bias_of(enum martlet_gpio_bias bias) {
    switch (bias) {
    case MARTLET_GPIO_BIAS_DISABLED: return GPIOD_LINE_BIAS_DISABLED;
    case MARTLET_GPIO_BIAS_PULL_UP: return GPIOD_LINE_BIAS_PULL_UP;
    case MARTLET_GPIO_BIAS_PULL_DOWN: return GPIOD_LINE_BIAS_PULL_DOWN;
    default: return GPIOD_LINE_BIAS_AS_IS;
    }
}

static enum gpiod_line_drive drive_of(enum martlet_gpio_drive drive) {
    switch (drive) {
    case MARTLET_GPIO_DRIVE_OPEN_DRAIN: return GPIOD_LINE_DRIVE_OPEN_DRAIN;
    case MARTLET_GPIO_DRIVE_OPEN_SOURCE: return GPIOD_LINE_DRIVE_OPEN_SOURCE;
    default: return GPIOD_LINE_DRIVE_PUSH_PULL;
    }
}

static enum gpiod_line_value value_of(int value) { return value ? GPIOD_LINE_VALUE_ACTIVE : GPIOD_LINE_VALUE_INACTIVE; }

// 0, or the negated errno of what libgpiod does not take.
static int apply(struct gpiod_line_settings *line, const struct martlet_gpio_line_settings *settings) {
    int failed = 0;
    if (settings->direction == MARTLET_GPIO_OUTPUT) {
        failed |= gpiod_line_settings_set_direction(line, GPIOD_LINE_DIRECTION_OUTPUT) < 0;
        failed |= gpiod_line_settings_set_drive(line, drive_of(settings->drive)) < 0;
        failed |= gpiod_line_settings_set_output_value(line, value_of(settings->value)) < 0;
    } else {
        failed |= gpiod_line_settings_set_direction(line, GPIOD_LINE_DIRECTION_INPUT) < 0;
        if (settings->edges) failed |= gpiod_line_settings_set_edge_detection(line, GPIOD_LINE_EDGE_BOTH) < 0;
        gpiod_line_settings_set_debounce_period_us(line, settings->debounce_us);
    }
    failed |= gpiod_line_settings_set_bias(line, bias_of(settings->bias)) < 0;
    gpiod_line_settings_set_active_low(line, settings->active_low != 0);
    return failed ? failure() : 0;
}

static int request_line(
    struct gpiod_chip *chip, const struct martlet_gpio_line_settings *settings, const char *consumer,
    martlet_gpio_request *made) {
    struct gpiod_line_settings *line = gpiod_line_settings_new();
    struct gpiod_line_config *lines = gpiod_line_config_new();
    struct gpiod_request_config *request = gpiod_request_config_new();
    int result = line && lines && request ? apply(line, settings) : -ENOMEM;
    if (result == 0 && gpiod_line_config_add_line_settings(lines, &settings->offset, 1, line) < 0) result = failure();
    if (result == 0) {
        gpiod_request_config_set_consumer(request, consumer);
        if (settings->event_buffer_size) gpiod_request_config_set_event_buffer_size(request, settings->event_buffer_size);
        made->request = gpiod_chip_request_lines(chip, request, lines);
        if (!made->request) result = failure();
    }
    if (request) gpiod_request_config_free(request);
    if (lines) gpiod_line_config_free(lines);
    if (line) gpiod_line_settings_free(line);
    return result;
}

int martlet_gpio_request_line(
    const char *path, const struct martlet_gpio_line_settings *settings, const char *consumer,
    martlet_gpio_request **request) {
    *request = NULL;
    martlet_gpio_request *made = calloc(1, sizeof *made);
    if (!made) return -ENOMEM;
    made->offset = settings->offset;
    struct gpiod_chip *chip = gpiod_chip_open(path);
    int result = chip ? request_line(chip, settings, consumer, made) : failure();
    if (chip) gpiod_chip_close(chip);
    if (result == 0 && settings->edges) {
        made->buffer = gpiod_edge_event_buffer_new(MARTLET_GPIO_MAX_EVENTS);
        int descriptor = gpiod_line_request_get_fd(made->request);
        if (!made->buffer || fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) < 0) result = failure();
    }
    if (result < 0) {
        martlet_gpio_release(made);
        return result;
    }
    *request = made;
    return 0;
}

void martlet_gpio_release(martlet_gpio_request *request) {
    if (request->buffer) gpiod_edge_event_buffer_free(request->buffer);
    if (request->request) gpiod_line_request_release(request->request);
    free(request);
}

int martlet_gpio_get_value(martlet_gpio_request *request) {
    enum gpiod_line_value value = gpiod_line_request_get_value(request->request, request->offset);
    return value == GPIOD_LINE_VALUE_ERROR ? failure() : value == GPIOD_LINE_VALUE_ACTIVE;
}

int martlet_gpio_set_value(martlet_gpio_request *request, int value) {
    return gpiod_line_request_set_value(request->request, request->offset, value_of(value)) < 0 ? failure() : 0;
}

int martlet_gpio_descriptor(martlet_gpio_request *request) { return gpiod_line_request_get_fd(request->request); }

int martlet_gpio_read_events(martlet_gpio_request *request, struct martlet_gpio_event *events) {
    if (!request->buffer) return -EINVAL;
    int count = gpiod_line_request_read_edge_events(request->request, request->buffer, MARTLET_GPIO_MAX_EVENTS);
    if (count < 0) return errno == EAGAIN ? 0 : failure();
    for (int index = 0; index < count; index++) {
        struct gpiod_edge_event *event = gpiod_edge_event_buffer_get_event(request->buffer, (unsigned long)index);
        events[index].monotonic_ns = gpiod_edge_event_get_timestamp_ns(event);
        events[index].value = gpiod_edge_event_get_event_type(event) == GPIOD_EDGE_EVENT_RISING_EDGE;
        events[index].sequence = gpiod_edge_event_get_line_seqno(event);
    }
    return count;
}

#endif
