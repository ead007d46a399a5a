"""A TCP proxy between the box and its upstream: the line that breaks, hangs and crawls."""

import select
import socket
import threading
import time

from .ports import free_port


class TcpProxy:
    """Forwards connections from its own `port` to the first of `targets` that takes them, as far as its state allows.

    * open: everything is forwarded, `delay` seconds later and up to `bytes_per_second` each way where these are set.
    * `close()`: connections are reset and new ones are refused, as when the upstream's host is down.
    * `hang()`: connections stay and nothing passes any more, as behind a dead radio link. `open()` after it lets new
      connections through; the old ones stay dead.
    * `cut(after)`: the connection ends once, in the middle of what it carries.
    """

    def __init__(self, *targets):
        self.port = free_port()
        self._targets = targets
        self.bytes_per_second = None
        self.delay = 0
        self._listener = None
        self._hanging = False
        self._lock = threading.Lock()
        self._links = []
        self._cut = None
        #: How many connections have been taken since the start.
        self.accepted = 0
        #: Is told what has passed, if it is set: the connection, whether it came from the target, and the bytes.
        self.watch = None

    def open(self):
        self._hanging = False
        if self._listener is None:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", self.port))
            listener.listen()
            self._listener = listener
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return self

    def close(self):
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            link.dead = True
            link.break_off()

    def hang(self):
        self._hanging = True
        with self._lock:
            for link in self._links:
                link.dead = True

    def cut(self, after, towards="target"):
        """Forwards `after` more bytes towards the target or the client, and with the last of them resets the connection
        that carries it, be it one that is not made yet. Returns an event that is set then."""
        cut = _Cut(after, towards)
        with self._lock:
            self._cut = cut
        return cut.done

    def _passing(self, data, towards):
        """As much of `data` as may pass, and whether the connection ends with it."""
        with self._lock:
            cut = self._cut
            if cut is None or cut.towards != towards:
                return data, None
            if len(data) <= cut.left:
                cut.left -= len(data)
                return data, None
            self._cut = None
            return data[: cut.left], cut.done

    def _accept(self, listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            link = _Link(self, near, dead=self._hanging)
            with self._lock:
                if self._listener is not listener:
                    near.close()
                    return
                self._links.append(link)
            threading.Thread(target=link.run, args=(self._targets,), daemon=True).start()


class _Cut:
    def __init__(self, after, towards):
        self.left, self.towards, self.done = after, towards, threading.Event()


class _Link:
    def __init__(self, proxy, near, dead):
        self.proxy, self.near, self.far, self.dead = proxy, near, None, dead

    def run(self, targets):
        try:
            if not self.dead:
                self.far = _first_that_takes(targets)
                while not self.dead and self._forward_once():
                    pass
        except OSError:
            pass
        if not self.dead:
            self.break_off()

    def _forward_once(self):
        readable, _, _ = select.select([self.near, self.far], [], [], 0.1)
        for source in readable:
            limit = self.proxy.bytes_per_second
            data = source.recv(65536 if limit is None else max(1, limit // 20))
            if not data:
                return False
            if self.proxy.delay:
                time.sleep(self.proxy.delay)
            if self.dead:
                return True
            data, cut = self.proxy._passing(data, "target" if source is self.near else "client")
            if self.proxy.watch:
                self.proxy.watch(self, source is self.far, data)
            (self.far if source is self.near else self.near).sendall(data)
            if cut is not None:
                self.break_off()
                cut.set()
                return False
            if limit is not None:
                time.sleep(len(data) / limit)
        return True

    def break_off(self):
        for end in (self.near, self.far):
            if end is not None:
                try:
                    # A reset rather than a polite end.
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                end.close()


def _first_that_takes(targets):
    for target in targets:
        try:
            return socket.create_connection(("127.0.0.1", target), 5)
        except OSError as refusal:
            reason = refusal
    raise reason
