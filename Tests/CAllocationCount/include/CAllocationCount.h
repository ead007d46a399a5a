#ifndef MARTLET_ALLOCATION_COUNT_H
#define MARTLET_ALLOCATION_COUNT_H

#include <stdbool.h>
#include <stdint.h>

/// False in a program built with a sanitizer, which has an allocator of its own: the count then stays 0.
bool martlet_counts_allocations(void);

/// Allocations that the calling thread has made since it started: every malloc, calloc, realloc and aligned allocation.
uint64_t martlet_allocation_count(void);

#endif
