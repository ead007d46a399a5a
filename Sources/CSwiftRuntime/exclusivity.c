#include "CSwiftRuntime.h"

#include <stdbool.h>

extern bool _swift_disableExclusivityChecking __attribute__((weak));

void martlet_end_exclusivity_checks(void) {
    if (&_swift_disableExclusivityChecking) _swift_disableExclusivityChecking = true;
}
