#include "CAllocator.h"

#include <malloc.h>

size_t martlet_allocated_bytes(void) {
    struct mallinfo2 information = mallinfo2();
    return information.uordblks + information.hblkhd;
}

void martlet_release_free_memory(void) { malloc_trim(0); }
