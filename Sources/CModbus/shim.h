#ifndef CMODBUS_SHIM_H
#define CMODBUS_SHIM_H

// libmodbus for Swift: macros become functions, and every call answers with the result or with the negated `errno`, read
// before anything else can change it. Modbus' own words (unit identifier, discrete input) replace libmodbus' older ones.

#include <errno.h>
#include <stdint.h>
#include <modbus.h>

// Areas, in the order of the read functions 1…4 of the Modbus application protocol.
enum {
    CMODBUS_COIL = 1,
    CMODBUS_DISCRETE_INPUT = 2,
    CMODBUS_HOLDING_REGISTER = 3,
    CMODBUS_INPUT_REGISTER = 4,
};

static inline int cmodbus_answer(int result) { return result < 0 ? (errno > 0 ? -errno : -EIO) : result; }

// The Modbus exception code (1…11) in a negated errno; 0 when it is another error.
static inline int cmodbus_exception(int result) {
    int code = -result - MODBUS_ENOBASE;
    return code >= 1 && code < MODBUS_EXCEPTION_MAX ? code : 0;
}

// Whether a negated errno is libmodbus' word for a frame that must not be believed.
static inline int cmodbus_is_bad_frame(int result) {
    int code = -result;
    return code == MODBUS_ENOBASE || (code >= EMBBADCRC && code <= EMBBADSLAVE);
}

static inline int cmodbus_is_wrong_check_sum(int result) { return -result == EMBBADCRC; }

static inline const char *cmodbus_message(int result) { return modbus_strerror(-result); }

static inline int cmodbus_set_unit_identifier(modbus_t *context, int unit) {
    return cmodbus_answer(modbus_set_slave(context, unit));
}

// The whole answer must arrive within `microseconds`: without a byte time-out libmodbus lets the response time-out run on
// over all parts of a frame, so that a peer that drips bytes cannot hold the line.
static inline int cmodbus_set_response_timeout(modbus_t *context, int64_t microseconds) {
    int result = modbus_set_byte_timeout(context, 0, 0);
    if (result == 0) {
        result = modbus_set_response_timeout(context, (uint32_t)(microseconds / 1000000), (uint32_t)(microseconds % 1000000));
    }
    return cmodbus_answer(result);
}

// Has libmodbus call `turn` with 1 before it sends over a serial line, and with 0 when a frame's time has passed behind
// it, by the baud rate and characters that the context was made with. libmodbus adds no delays then.
static inline int cmodbus_turn(modbus_t *context, void (*turn)(modbus_t *, int)) {
    if (modbus_rtu_set_custom_rts(context, turn) < 0 || modbus_rtu_set_rts_delay(context, 0) < 0) return cmodbus_answer(-1);
    return cmodbus_answer(modbus_rtu_set_rts(context, MODBUS_RTU_RTS_UP));
}

static inline int cmodbus_flush(modbus_t *context) { return cmodbus_answer(modbus_flush(context)); }

static inline int cmodbus_read_registers(modbus_t *context, int area, int address, int quantity, uint16_t *to) {
    return cmodbus_answer(area == CMODBUS_INPUT_REGISTER ? modbus_read_input_registers(context, address, quantity, to)
                                                         : modbus_read_registers(context, address, quantity, to));
}

static inline int cmodbus_read_bits(modbus_t *context, int area, int address, int quantity, uint8_t *to) {
    return cmodbus_answer(area == CMODBUS_DISCRETE_INPUT ? modbus_read_input_bits(context, address, quantity, to)
                                                         : modbus_read_bits(context, address, quantity, to));
}

static inline int cmodbus_write_single_coil(modbus_t *context, int address, int on) {
    return cmodbus_answer(modbus_write_bit(context, address, on));
}

static inline int cmodbus_write_multiple_coils(modbus_t *context, int address, int quantity, const uint8_t *bits) {
    return cmodbus_answer(modbus_write_bits(context, address, quantity, bits));
}

static inline int cmodbus_write_single_register(modbus_t *context, int address, uint16_t value) {
    return cmodbus_answer(modbus_write_register(context, address, value));
}

static inline int cmodbus_write_multiple_registers(modbus_t *context, int address, int quantity, const uint16_t *values) {
    return cmodbus_answer(modbus_write_registers(context, address, quantity, values));
}

static inline int cmodbus_mask_write_register(modbus_t *context, int address, uint16_t and_mask, uint16_t or_mask) {
    return cmodbus_answer(modbus_mask_write_register(context, address, and_mask, or_mask));
}

static inline int cmodbus_write_and_read_registers(
    modbus_t *context, int write_address, int write_quantity, const uint16_t *values, int read_address, int read_quantity,
    uint16_t *to) {
    return cmodbus_answer(modbus_write_and_read_registers(
        context, write_address, write_quantity, values, read_address, read_quantity, to));
}

// What libmodbus would answer for a frame that is not to be believed, and for an exception.
enum { CMODBUS_BAD_DATA = EMBBADDATA };

static inline int cmodbus_exception_answer(int code) {
    return code >= 1 && code < MODBUS_EXCEPTION_MAX ? -(MODBUS_ENOBASE + code) : -EMBBADEXC;
}

#endif
