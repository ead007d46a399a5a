"""`martlet pub` and `martlet sub` as child processes."""

import subprocess

from .broker import martlet_binary
from .process import _die_with_parent
from .waiting import eventually


def at(port):
    """The options that lead to a broker on the loopback interface."""
    return ["-h", "127.0.0.1", "-p", str(port)]


def pub(*arguments, input=None, environment=None, timeout=30):
    """Runs `martlet pub`."""
    command = [str(martlet_binary()), "pub", *(str(argument) for argument in arguments)]
    return subprocess.run(command, input=input, capture_output=True, timeout=timeout, env=environment)


def published(*arguments, **options):
    """Runs `martlet pub`, which has to succeed."""
    result = pub(*arguments, **options)
    assert result.returncode == 0, result.stderr.decode()
    return result


class Subscriber:
    """`martlet sub -d`, running. Its standard error goes to a file so that it can be waited for."""

    def __init__(self, directory, *arguments):
        self._errors = directory / f"sub-{id(self)}.err"
        command = [str(martlet_binary()), "sub", "-d", *(str(argument) for argument in arguments)]
        with self._errors.open("wb") as errors:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, preexec_fn=_die_with_parent
            )

    def said(self):
        return self._errors.read_text(errors="replace")

    def wait_for(self, text, count=1):
        """Waits until the standard error has a text so many times."""
        eventually(lambda: self.said().count(text) >= count, f"sub to say {text!r}; it said:\n{self.said()}")
        return self

    def result(self, timeout=30):
        """Waits for the end. Returns the exit status and the output."""
        output, _ = self._child.communicate(timeout=timeout)
        return self._child.returncode, output

    def messages(self):
        """Waits for a good end. Returns the lines of the output."""
        status, output = self.result()
        assert status == 0, f"sub ended with status {status}:\n{self.said()}"
        return output.decode().splitlines()

    def terminate(self):
        self._child.terminate()
        return self.result()

    def stop(self):
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()
