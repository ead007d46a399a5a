"""How often bridges knock at an upstream that turns them away."""

import socket
import threading
import time

import pytest

from harness.broker import Martlet
from harness.ports import free_port
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only

BRIDGES = 16
ATTEMPTS = 4


class Door:
    """Takes connections, reads who it is, and closes them. `knocks` holds the times by client identifier."""

    def __init__(self):
        self.port = free_port()
        self.knocks = {}
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._open, daemon=True).start()

    def _open(self):
        while True:
            try:
                guest, _ = self._listener.accept()
            except OSError:
                return
            with guest:
                guest.settimeout(5)
                packet = guest.recv(1024)
                name = next((word for word in packet.decode("latin-1").split("\0") if "box-" in word), "?")
                self.knocks.setdefault(name[name.find("box-") :], []).append(time.monotonic())

    def close(self):
        self._listener.close()


def test_bridges_that_are_turned_away_come_back_later_each_time_and_not_together(tmp_path, keep):
    door = keep(Door())
    bridges = "".join(
        f"""
[[bridge]]
name = "b{number}"
host = "127.0.0.1"
port = {door.port}
client-identifier = "box-{number:02}"
  [[bridge.forward]]
  filter = "plant/#"
"""
        for number in range(BRIDGES)
    )
    keep(Martlet(tmp_path / "box", bridges)).start()
    eventually(
        lambda: len(door.knocks) == BRIDGES and min(len(times) for times in door.knocks.values()) >= ATTEMPTS,
        "each bridge to have tried four times",
        60,
    )
    for times in door.knocks.values():
        waits = [later - earlier for earlier, later in zip(times, times[1:])]
        # 1 s, 2 s and 4 s, each less up to half of it but never less than a second; the clock of the bridge ticks each second.
        assert waits[0] > 0.9 and waits[1] > 0.9 and waits[2] > 1.9
    last = [times[ATTEMPTS - 1] for times in door.knocks.values()]
    assert max(last) - min(last) > 0.5
