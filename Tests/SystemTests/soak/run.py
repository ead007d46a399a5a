"""One soak: warm up, load, rest, and what the process holds before and after."""

import random
import threading
import time

from harness import proc
from harness.broker import Martlet
from harness.ports import free_port
from harness.waiting import eventually

from . import hostile
from .ledger import Pair


def broker_for_soak(directory):
    """Martlet with a listener of each kind that needs no certificate, not yet started. Damaged packets make sessions that would
    stay for ever, with queues that fill: what they hold is theirs, so no session outlives its client for long."""
    port, path = free_port(), str(directory / "socket")
    broker = Martlet(
        directory,
        f'''
[[listener]]
name = "web"
transport = "websocket"
address = "127.0.0.1"
port = {port}

[[listener]]
name = "here"
transport = "unix"
path = "{path}"
''',
        log_level="warning",
        broker='max-session-expiry = "30s"',
    )
    broker.websocket_port, broker.socket_path = port, path
    return broker


class Attack:
    """Threads that each live one hostile client's life after the other."""

    def __init__(self, targets, threads):
        self.targets = targets
        self.lives = {life.__name__: 0 for life in hostile.ALL}
        self.faults = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self):
        while not self._stop.is_set():
            life = random.choice(hostile.ALL)
            try:
                life(random.choice(self.targets))
            except OSError:
                # The broker turns them out, and a refused connection is what a flooded one looks like.
                pass
            except Exception as error:
                self.faults.append(f"{life.__name__}: {error!r}")
                return
            self.lives[life.__name__] += 1


class Level:
    """What the broker's process holds when nobody but the good clients is there."""

    def __init__(self, broker, sockets, rest):
        hostile.clear_retained(broker.port)
        eventually(
            lambda: proc.open_sockets(broker.pid) <= sockets,
            "the connections to be closed", timeout=60,
        )
        # Sessions left behind expire within some seconds, and freed memory goes back: the larger part soon, the rest within
        # about a minute.
        time.sleep(rest)
        self.files = len(proc.open_files(broker.pid))
        self.resident = proc.resident_bytes(broker.pid)

    def __str__(self):
        return f"{self.resident / (1 << 20):.1f} MiB, {self.files} files"


def soak(broker, seconds, *, warm_up, threads=24, pairs=4, rate=50, slack=0, rest=90, report=print):
    """Returns what went wrong. `broker` has been started. `slack` bytes may remain beyond the tenth that always may: what is
    cached up to a bound fills for longer than a short run warms up. `rest` is how many seconds without load come before each
    measurement."""
    good = [Pair(n, broker.port, 1 + n % 2, rate, random.Random(n)) for n in range(pairs)]
    for pair in good:
        pair.start()
    sockets = proc.open_sockets(broker.pid)
    # Most over TCP; MQTT to a port for WebSocket is garbage of its own.
    targets = [broker.port] * 3 + [broker.websocket_port, broker.socket_path]
    faults = []
    with Attack(targets, threads) as attack:
        time.sleep(warm_up)
    faults += attack.faults
    before = Level(broker, sockets, rest)
    report(f"after {warm_up:g} s of warming up: {before}")
    with Attack(targets, threads) as attack:
        end = time.monotonic() + seconds
        peak = 0
        while time.monotonic() < end and broker.is_alive():
            time.sleep(min(1, max(0, end - time.monotonic())))
            peak = max(peak, proc.resident_bytes(broker.pid))
    faults += attack.faults
    if not broker.is_alive():
        return faults + ["the broker has ended: " + broker.log()[-2000:]]
    after = Level(broker, sockets, rest)
    report(f"after {seconds:g} s of load: {after}, at most {peak / (1 << 20):.1f} MiB between")
    report("lives: " + ", ".join(f"{name} {count}" for name, count in attack.lives.items()))
    for pair in good:
        faults += pair.finish()
        report(
            f"{pair.name}: QoS {pair.qos}, {len(pair.acknowledged)} acknowledged, {pair.refused} refused,"
            f" {len(pair.received)} received, {pair.repeated} repeated, {pair.reconnections} reconnections"
        )
    if after.resident > 1.1 * before.resident + slack:
        faults.append(f"resident memory: {before} before, {after} after")
    if after.files > before.files:
        faults.append(f"file descriptors: {before} before, {after} after: {proc.open_files(broker.pid)}")
    return faults
