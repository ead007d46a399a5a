// Swift's Mutex as the thread sanitizer has to see it.
//
// A Mutex that is free is taken and left by code that is compiled into the caller, where the sanitizer sees it. One that
// somebody holds is waited for in libswiftSynchronization, which is compiled without the sanitizer: to it, the two threads
// have never met, and all that the Mutex protects looks like a race. These two functions stand in for the library's, call
// them, and say what they have done. Without the thread sanitizer this file is empty.

#include "CThreadSanitizer.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)

#include <dlfcn.h>
#include <stdint.h>

// Synchronization._MutexHandle._lockSlow(UInt32) and ._unlockSlow(), which have the Mutex as `self`.
#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))

void __tsan_acquire(void *address);
void __tsan_release(void *address);

typedef SWIFT void Lock(uint32_t thread, SELF void *mutex);
typedef SWIFT void Unlock(SELF void *mutex);

SWIFT void martlet_lock_slow(uint32_t thread, SELF void *mutex) __asm__(LOCK_SLOW);
SWIFT void martlet_unlock_slow(SELF void *mutex) __asm__(UNLOCK_SLOW);

SWIFT void martlet_lock_slow(uint32_t thread, SELF void *mutex) {
    ((Lock *)dlsym(RTLD_NEXT, LOCK_SLOW))(thread, mutex);
    __tsan_acquire(mutex);
}

SWIFT void martlet_unlock_slow(SELF void *mutex) {
    __tsan_release(mutex);
    ((Unlock *)dlsym(RTLD_NEXT, UNLOCK_SLOW))(mutex);
}

#endif
#endif
