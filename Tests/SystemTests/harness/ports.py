"""TCP ports that nobody uses."""

import itertools
import os
import socket

# Below Linux's range of ephemeral ports (32768–60999), so that no outgoing connection takes a port between the moment
# that it is found free and the moment that a server binds it. Runs side by side start at different places.
_candidates = itertools.cycle(range(20_000, 32_000))
for _ in range(os.getpid() * 37 % 12_000):
    next(_candidates)


def free_port():
    """A port of 127.0.0.1 that can be bound now, and that no earlier call has given away."""
    for port in _candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
