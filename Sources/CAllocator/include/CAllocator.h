// glibc's malloc, as far as one can tell it what to do.

#ifndef MARTLET_ALLOCATOR_H
#define MARTLET_ALLOCATOR_H

#include <stddef.h>

/// Bytes that the program has allocated and not freed.
size_t martlet_allocated_bytes(void);

/// Gives whole pages that are free back to the system, wherever they lie. Takes about a tenth of a millisecond for each MiB
/// that it gives back, and about a millisecond at least.
void martlet_release_free_memory(void);

#endif
