#ifndef MARTLET_ALLOCATION_COUNT_H
#define MARTLET_ALLOCATION_COUNT_H

#include <stdint.h>

/// Allocations that the calling thread has made since it started: every malloc, calloc, realloc and aligned allocation.
uint64_t martlet_allocation_count(void);

#endif
