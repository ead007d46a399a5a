"""A child process whose output is kept, and that never outlives the tests."""

import ctypes
import os
import signal
import subprocess
from pathlib import Path

from .waiting import eventually

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    """Runs in the child between fork and exec: the kernel kills the child when pytest ends, however it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One program with both outputs in one log file. Start it from the main thread: the kernel's signal goes out when
    the thread that started the child ends."""

    #: Every process that was started and not yet forgotten, for the logs of a failed test.
    running = []

    def __init__(self, name, arguments, log, environment=None):
        self.name = name
        self.arguments = [str(argument) for argument in arguments]
        self.log_file = Path(log)
        self._environment = {**os.environ, **(environment or {})}
        self._child = None

    @property
    def pid(self):
        return self._child.pid

    def launch(self, terminal=None):
        """Starts the program. The log file goes on where an earlier start left it. With `terminal`, a file descriptor,
        that is the program's input and output instead."""
        assert not self.is_alive(), f"{self.name} is running already"
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as output:
            self._child = subprocess.Popen(
                self.arguments,
                stdin=subprocess.DEVNULL if terminal is None else terminal,
                stdout=output if terminal is None else terminal,
                stderr=output if terminal is None else terminal,
                env=self._environment,
                preexec_fn=_die_with_parent,
            )
        if self not in Process.running:
            Process.running.append(self)

    def is_alive(self):
        return self._child is not None and self._child.poll() is None

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def wait_until(self, ready, what, timeout=20):
        """Waits for `ready()`, and fails at once, with the log, when the process ends before."""

        def check():
            result = ready()
            if not result and not self.is_alive():
                raise AssertionError(f"{self.name} ended with status {self._child.returncode}:\n{self.log()[-4000:]}")
            return result

        return eventually(check, what, timeout)

    def kill(self):
        """kill -9, as a power cut for the process: nothing is flushed, nothing is said to anybody."""
        self._end(signal.SIGKILL)

    def terminate(self, timeout=15):
        """SIGTERM. Returns the exit status."""
        return self._end(signal.SIGTERM, timeout)

    def forget(self):
        """Ends the process for good, at the end of its test."""
        if self.is_alive():
            self.kill()
        if self in Process.running:
            Process.running.remove(self)

    def _end(self, number, timeout=15):
        self._child.send_signal(number)
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
            raise AssertionError(f"{self.name} did not end within {timeout:g} s of signal {number}") from None
