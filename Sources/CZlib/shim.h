#ifndef CZLIB_SHIM_H
#define CZLIB_SHIM_H

// zlib for Swift: the gzip format (RFC 1952) in one call each way. The initialisers are macros, which Swift cannot import.

#include <limits.h>
#include <string.h>
#include <zlib.h>

enum { CZLIB_DAMAGED = -1, CZLIB_TOO_SMALL = -2 };

/// Bytes that `count` bytes take at most.
static inline unsigned long czlib_gzip_bound(unsigned long count) { return compressBound(count) + 32; }

/// Returns the bytes written, or -1.
static inline long czlib_gzip(const void *input, unsigned long count, void *output, unsigned long capacity) {
    z_stream stream;
    memset(&stream, 0, sizeof stream);
    if (count > INT_MAX || capacity > INT_MAX) return -1;
    // 16 more than the window's bits: gzip instead of zlib.
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return -1;
    stream.next_in = (Bytef *)input;
    stream.avail_in = (uInt)count;
    stream.next_out = (Bytef *)output;
    stream.avail_out = (uInt)capacity;
    int result = deflate(&stream, Z_FINISH);
    long written = (long)stream.total_out;
    deflateEnd(&stream);
    return result == Z_STREAM_END ? written : -1;
}

/// Returns the bytes written, CZLIB_DAMAGED or CZLIB_TOO_SMALL. What stands behind the first member counts as damage.
static inline long czlib_gunzip(const void *input, unsigned long count, void *output, unsigned long capacity) {
    z_stream stream;
    memset(&stream, 0, sizeof stream);
    if (count > INT_MAX || capacity > INT_MAX) return CZLIB_DAMAGED;
    stream.next_in = (Bytef *)input;
    stream.avail_in = (uInt)count;
    if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK) return CZLIB_DAMAGED;
    stream.next_out = (Bytef *)output;
    stream.avail_out = (uInt)capacity;
    int result = inflate(&stream, Z_FINISH);
    long written = (long)stream.total_out;
    uInt left = stream.avail_in, room = stream.avail_out;
    inflateEnd(&stream);
    if (result == Z_STREAM_END) return left == 0 ? written : CZLIB_DAMAGED;
    if ((result == Z_BUF_ERROR || result == Z_OK) && room == 0) return CZLIB_TOO_SMALL;
    return CZLIB_DAMAGED;
}

#endif
