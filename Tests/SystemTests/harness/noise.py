"""A line that damages what passes: bytes are lost, flipped, added, late, and stick to those that follow."""

import os
import random
import select
import socket
import threading
import time
import tty

from .ports import free_port


class Noise:
    """What a line does to bytes, the same for the same seed and the same bytes.

    It does what a check sum of 16 bits is made to find: no frame has more than two flipped bits. Only answers are late: what a
    serial line delays for longer than its master waits can be told from the next answer by nobody.
    """

    def __init__(self, seed, longest_delay, share=0.3):
        self._random = random.Random(seed)
        self._longest_delay = longest_delay
        self._share = share
        #: Once false, everything passes as it is.
        self.on = True
        #: How often which damage was done.
        self.done = {"lost": 0, "cut": 0, "flipped": 0, "added": 0, "late": 0, "merged": 0}

    @property
    def total(self):
        return sum(self.done.values())

    def apply(self, data, is_answer):
        """The bytes that come out, after how many seconds, and whether they wait for the next ones."""
        if not self.on or self._random.random() >= self._share:
            return data, 0, False
        kinds = [kind for kind in self.done if is_answer or kind not in ("late", "merged")]
        if not kinds:
            return data, 0, False
        kind = self._random.choice(kinds)
        self.done[kind] += 1
        if kind == "lost":
            return b"", 0, False
        if kind == "cut":
            at = self._random.randrange(len(data))
            return data[:at] + data[at + 1 + self._random.randrange(3) :], 0, False
        if kind == "flipped":
            damaged = bytearray(data)
            for _ in range(self._random.choice((1, 2))):
                damaged[self._random.randrange(len(damaged))] ^= 1 << self._random.randrange(8)
            return bytes(damaged), 0, False
        if kind == "added":
            at = self._random.randrange(len(data) + 1)
            return data[:at] + self._random.randbytes(1 + self._random.randrange(4)) + data[at:], 0, False
        if kind == "late":
            return data, self._random.random() * self._longest_delay, False
        return data, 0, True


class _Direction:
    def __init__(self, noise, hold, is_answer):
        self._noise, self._hold, self._is_answer = noise, hold, is_answer
        self._held, self._held_until = b"", 0
        #: What is under way: when it is due, and what it is.
        self._waiting = []

    def put(self, data):
        data, delay, waits = self._noise.apply(data, self._is_answer)
        data, self._held = self._held + data, b""
        if waits:
            self._held, self._held_until = data, time.monotonic() + self._hold
            return
        due = time.monotonic() + delay
        if self._waiting:
            due = max(due, self._waiting[-1][0])
        self._waiting.append((due, data))

    def take(self):
        """What is due now."""
        now = time.monotonic()
        out = b""
        while self._waiting and self._waiting[0][0] <= now:
            out += self._waiting.pop(0)[1]
        if self._held and self._held_until <= now:
            out, self._held = out + self._held, b""
        return out


class _Relay:
    """Passes bytes between two descriptors, damaged; requests go from `near` to `far`."""

    def __init__(self, near, far, noise, hold):
        self._ends = (near, far)
        self._ways = {near: (_Direction(noise, hold, False), far), far: (_Direction(noise, hold, True), near)}
        self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._stopped = True
        self._thread.join(5)

    def _run(self):
        try:
            while not self._stopped:
                readable, _, _ = select.select(self._ends, [], [], 0.002)
                for end in readable:
                    data = os.read(end, 4096)
                    if not data:
                        return
                    self._ways[end][0].put(data)
                for way, target in self._ways.values():
                    if data := way.take():
                        os.write(target, data)
        except OSError:
            pass


class NoisySerialLine:
    """Two serial ports, `near` and `far`, with noise between them."""

    def __init__(self, noise, hold):
        self._masters, self._slaves = zip(*(os.openpty() for _ in range(2)))
        for descriptor in (*self._masters, *self._slaves):
            tty.setraw(descriptor)
        self.near, self.far = (os.ttyname(slave) for slave in self._slaves)
        self._relay = _Relay(*self._masters, noise, hold)

    def stop(self):
        self._relay.stop()
        for descriptor in (*self._masters, *self._slaves):
            os.close(descriptor)


class NoisyTcpLine:
    """A TCP proxy to `target`, with noise."""

    def __init__(self, target, noise, hold):
        self.port = free_port()
        self._target, self._noise, self._hold = target, noise, hold
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._relays, self._sockets = [], []
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for relay in self._relays:
            relay.stop()
        for end in self._sockets:
            end.close()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [near, far]
            self._relays.append(_Relay(near.fileno(), far.fileno(), self._noise, self._hold))
