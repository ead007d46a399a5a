#include "CAllocator.h"

#include <malloc.h>

void martlet_set_up_allocator(void) {
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 32 << 20);
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TOP_PAD, 256 << 10);
}

size_t martlet_allocated_bytes(void) {
    struct mallinfo2 information = mallinfo2();
    return information.uordblks + information.hblkhd;
}

void martlet_release_free_memory(void) { malloc_trim(0); }
