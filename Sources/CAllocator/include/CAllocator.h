// What the program keeps of memory: glibc's malloc, as far as one can tell it what to do, and the program's own pages.

#ifndef MARTLET_ALLOCATOR_H
#define MARTLET_ALLOCATOR_H

#include <stddef.h>

/// One heap for all threads, which grows in large steps and keeps what is freed until it is asked for it. By default each thread
/// gets a heap that grows page by page, a system call for each, and gives back whatever is free at its end: a broker whose
/// load comes and goes would take and zero the same pages again and again. To be called before there are threads.
void martlet_set_up_allocator(void);

/// Bytes that the program has allocated and not freed.
size_t martlet_allocated_bytes(void);

/// Gives whole pages that are free back to the system, wherever they lie. Takes about a tenth of a millisecond for each MiB
/// that it gives back, and about a millisecond at least.
void martlet_release_free_memory(void);

/// Takes the program's own code and constants out of its memory map. What is in use comes back within microseconds from the
/// system's page cache, 64 KiB at a time; what only the start needed, or a load that has passed, stays away, and the system is
/// free to use its memory. Nothing is lost: only segments are touched that cannot be written to.
void martlet_release_code(void);

#endif
