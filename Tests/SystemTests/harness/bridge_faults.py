"""What happens to a bridge, and what has arrived upstream afterwards.

A scenario runs a box whose bridge leads through a `TcpProxy` to a mosquitto that never ends. Publishers at the box remember
what was acknowledged to them; a subscriber with a persistent session at the upstream never is away. The moments of the faults
come from a seed, so that every box gets the same ones.
"""

import random
import time
from dataclasses import dataclass

from .broker import Mosquitto
from .crashes import Session
from .ledger import Publisher, Subscriber
from .small_disk import SmallDisk
from .tcp_proxy import TcpProxy
from .waiting import eventually, until

PUBLISHERS = 4
#: Messages per second of each publisher.
RATE = 250
#: Seconds that the line takes, each way, so that something is under way whenever a fault comes.
DELAY = 0.02
#: Seconds without any arrival after which what has not arrived is lost: behind the last message of all, and else, when a
#: bridge may still be about to connect again.
PATIENCE_AT_THE_END, PATIENCE = 2.0, 20.0
#: The topic of the message that is published after all others.
END = "plant/end"


@dataclass
class Tally:
    """Messages, counted. Order is that in which the messages of a topic arrived first."""

    sent: int
    #: How many of the acknowledged ones arrived.
    arrived: int
    #: Arrivals beyond the first of each message, whoever sent it twice.
    duplicated: int
    #: What publishers sent twice themselves, because a crash came before the acknowledgement.
    repeated: int
    #: Messages whose first arrival was behind that of a later one.
    out_of_order: int

    @property
    def lost(self):
        return self.sent - self.arrived


class Scene:
    """The upstream, the line to it, a box and its publishers. `make_box(directory, port, data=…)` makes the box."""

    def __init__(self, directory, make_box, seed=1, *, data=None, size=0):
        self.random = random.Random(seed)
        self._upstream = Mosquitto(
            directory / "upstream", name="upstream", log="log_type error", options="max_inflight_messages 1000"
        )
        self._upstream.start()
        self.line = TcpProxy(self._upstream.port).open()
        self.line.delay = DELAY
        self._subscriber = Subscriber(self._upstream.port, "cloud", "site/7/#", 1)
        self._subscriber.start()
        assert self._subscriber.is_subscribed.wait(20)
        self.box = make_box(directory / "box", self.line.port, data=data)
        self._size = size
        self.publishers = []

    def __enter__(self):
        self.box.start()
        self.publishers = [
            Publisher(self.box.port, f"p{number}", f"plant/p{number}", 1, rate=RATE, size=self._size)
            for number in range(PUBLISHERS)
        ]
        for publisher in self.publishers:
            publisher.start()
        eventually(lambda: self._subscriber.received, "the first message upstream", 60)
        return self

    def __exit__(self, *_):
        for peer in (*self.publishers, self._subscriber):
            peer.stop()
        self.box.forget()
        self.line.close()
        self._upstream.forget()

    def crash(self, within):
        """kill -9 at a random moment within so many seconds, and a new start."""
        until(time.monotonic() + self.random.uniform(0, within), interval=0.001)
        self.box.crash()
        self.box.start()

    def tally(self):
        """Lets everything arrive that will, and counts."""
        for publisher in self.publishers:
            publisher.finish()
        for publisher in self.publishers:
            eventually(lambda: publisher.is_finished or publisher.failure, "the last acknowledgements", 60)
            assert publisher.failure is None, publisher.failure
        with Session(self.box.port, "end", clean=True) as session:
            session.publish([(END, b"end 0")])
        wanted = {publisher.identifier: set(publisher.acknowledged) for publisher in self.publishers}
        missing = {(name, number) for name, numbers in wanted.items() for number in numbers}
        arrivals = {name: [] for name in (*wanted, "end")}
        looked_at, since = 0, time.monotonic()
        while missing and time.monotonic() - since < (PATIENCE_AT_THE_END if arrivals["end"] else PATIENCE):
            received = self._subscriber.received
            if len(received) == looked_at:
                time.sleep(0.05)
                continue
            since = time.monotonic()
            for text in received[looked_at : (end := len(received))]:
                name, number, *_ = text.split(" ")
                arrivals[name].append(int(number))
                missing.discard((name, int(number)))
            looked_at = end
        del arrivals["end"]
        assert self._subscriber.failure is None, self._subscriber.failure
        sent = sum(len(numbers) for numbers in wanted.values())
        firsts = {name: list(dict.fromkeys(numbers)) for name, numbers in arrivals.items()}
        return Tally(
            sent=sent,
            arrived=sent - len(missing),
            duplicated=sum(len(arrivals[name]) - len(firsts[name]) for name in arrivals),
            repeated=sum(publisher.repeated for publisher in self.publishers),
            out_of_order=sum(_behind_a_later_one(numbers) for numbers in firsts.values()),
        )


def _behind_a_later_one(numbers):
    count, greatest = 0, -1
    for number in numbers:
        count += number < greatest
        greatest = max(greatest, number)
    return count


def kills(directory, make_box, *, count, seed=1):
    """kill -9 of the box at random moments, while the upstream is there."""
    with Scene(directory, make_box, seed) as scene:
        for _ in range(count):
            scene.crash(within=1.2)
        return scene.tally()


def cuts(directory, make_box, *, count, seed=1):
    """The connection to the upstream is reset in the middle of what it carries, one way or the other."""
    with Scene(directory, make_box, seed) as scene:
        for _ in range(count):
            towards = scene.random.choice(["target", "target", "client"])
            after = scene.random.randint(1, 20_000 if towards == "target" else 1_500)
            done = scene.line.cut(after, towards)
            # A bridge that never comes back shows as losses.
            done.wait(30)
        return scene.tally()


def outage(directory, make_box, *, seconds, kills, seed=1):
    """The upstream is away for so long, and the box is killed so many times meanwhile."""
    with Scene(directory, make_box, seed) as scene:
        scene.line.close()
        back = time.monotonic() + seconds
        for _ in range(kills):
            scene.crash(within=2 * seconds / (kills + 1))
        until(back)
        scene.line.open()
        return scene.tally()


def full_disk(directory, make_box, *, seconds, kills, seed=1):
    """The upstream is away, the disk fills up and is full for so many seconds, and the box is killed so many times
    meanwhile. Then there is space again, and later the upstream. Raises PermissionError without the right to mount."""
    disk = SmallDisk(directory / "disk", 32)
    try:
        with Scene(directory, make_box, seed, data=disk.directory / "data", size=1000) as scene:
            scene.line.close()
            disk.fill(leaving=1 << 20)
            free = time.monotonic() + seconds
            for _ in range(kills):
                scene.crash(within=2 * seconds / (kills + 1))
            until(free)
            disk.free()
            until(time.monotonic() + 2)
            scene.line.open()
            return scene.tally()
    finally:
        disk.close()
