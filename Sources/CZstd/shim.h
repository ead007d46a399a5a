#ifndef CZSTD_SHIM_H
#define CZSTD_SHIM_H

// Debian's Zstandard library for Swift.

#include <zstd.h>

#endif
