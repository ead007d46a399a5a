"""Load that costs little to make and to take, and what it costs a process."""

import os
import selectors
import sys
import time
from pathlib import Path

import brokers  # noqa: F401: makes the harness importable

from harness import raw_mqtt
from harness.crashes import Session


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def written(pid):
    return int(Path(f"/proc/{pid}/io").read_text().split("\nwrite_bytes: ")[1].split()[0])


def reset_peak_memory(pid):
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_memory(pid):
    """Bytes resident at most, since the process started or the peak was reset."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024


class Cost:
    """The processor time of processes by name, from when this is made."""

    def __init__(self, **processes):
        self._pids = {name: process.pid for name, process in processes.items()}
        self._before = {name: cpu_seconds(pid) for name, pid in self._pids.items()}
        self._start = time.monotonic()

    def seconds(self):
        return {name: cpu_seconds(pid) - self._before[name] for name, pid in self._pids.items()}

    def shares(self):
        """Of one core, up to now."""
        elapsed = time.monotonic() - self._start
        return {name: seconds / elapsed for name, seconds in self.seconds().items()}


def publish(port, publishers, window, rounds, payload, level="d"):
    """Each publisher has a topic of its own below `level`, sends `window` messages of random bytes with QoS 1, waits for their
    PUBACKs, and so on, `rounds` times. Returns the seconds."""
    selector = selectors.DefaultSelector()
    bursts = []
    for number in range(publishers):
        connection = raw_mqtt.RawConnection(port)
        connection.connect("3.1.1", f"publisher-{number}")
        connection._socket.setblocking(False)
        burst = b"".join(
            raw_mqtt.publish_packet("3.1.1", f"{level}/{number:02}", os.urandom(payload), qos=1, identifier=identifier)
            for identifier in range(1, window + 1)
        )
        bursts.append([connection._socket, burst, rounds, 0])
        selector.register(connection._socket, selectors.EVENT_READ, bursts[-1])
    start = time.monotonic()
    for burst in bursts:
        burst[0].sendall(burst[1])
    running = publishers
    while running:
        for key, _ in selector.select():
            burst = key.data
            data = burst[0].recv(1 << 16)
            if not data:
                sys.exit("the broker ended a connection")
            burst[3] += len(data)
            if burst[3] < 4 * window:
                continue
            burst[2:] = burst[2] - 1, 0
            if burst[2]:
                burst[0].sendall(burst[1])
            else:
                running -= 1
    return time.monotonic() - start


def drain(port, count, payload, level="d"):
    """Takes up the session `away`, and acknowledges `count` messages of one length. Returns the seconds since the first."""
    length = len(raw_mqtt.publish_packet("3.1.1", f"{level}/00", bytes(payload), qos=1, identifier=1))
    identifier = length - payload - 2
    connection = Session(port, "away")._socket
    connection.settimeout(60)
    rest, received = connection.recv(1), 0
    start = time.monotonic()
    while received < count:
        rest += connection.recv(1 << 18)
        many = len(rest) // length
        acknowledgements = bytearray(b"\x40\x02\0\0" * many)
        acknowledgements[2::4] = rest[identifier : many * length : length]
        acknowledgements[3::4] = rest[identifier + 1 : many * length : length]
        connection.sendall(acknowledgements)
        rest = rest[many * length :]
        received += many
    return time.monotonic() - start
