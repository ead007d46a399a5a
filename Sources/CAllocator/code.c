#define _GNU_SOURCE
#include "CAllocator.h"

#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static int release(struct dl_phdr_info *object, size_t size, void *page) {
    (void)size;
    uintptr_t mask = *(uintptr_t *)page - 1;
    for (int each = 0; each < object->dlpi_phnum; each++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[each];
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W) continue;
        uintptr_t start = object->dlpi_addr + segment->p_vaddr;
        // A page that the segment shares with the next one stays.
        uintptr_t first = (start + mask) & ~mask, end = (start + segment->p_memsz) & ~mask;
        if (first < end) madvise((void *)first, end - first, MADV_DONTNEED);
    }
    return 0;
}

void martlet_release_code(void) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    dl_iterate_phdr(release, &page);
}
