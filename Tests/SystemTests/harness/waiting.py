"""Waiting for conditions: the only place of the tests that sleeps."""

import time

# Generous on purpose: it is only ever used up by a test that fails.
DEFAULT_TIMEOUT = 20.0


def eventually(condition, what, timeout=DEFAULT_TIMEOUT, interval=0.02):
    """Returns the first true result of `condition()`; fails, saying `what` was awaited, after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise AssertionError(f"waited {timeout:g} s for {what}, which did not come")
        time.sleep(interval)


def until(moment, interval=0.05):
    """Returns when the monotonic clock has reached `moment`, for what is defined by time itself (an expiry)."""
    while time.monotonic() < moment:
        time.sleep(interval)
