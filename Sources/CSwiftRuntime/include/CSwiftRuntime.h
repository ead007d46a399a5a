// The Swift runtime, as far as one can tell it what to do.

#ifndef MARTLET_SWIFT_RUNTIME_H
#define MARTLET_SWIFT_RUNTIME_H

/// Ends the run-time check of exclusive access in all modules, those that come from elsewhere included: a package can turn it
/// off for its own sources only. For a release build; a runtime that has no such switch goes on with its checks.
void martlet_end_exclusivity_checks(void);

#endif
