"""Clients that vanish, flood, stall, drip and lie. Each function is one client's life; it may take some seconds. `target` is
a TCP port of this machine or the path of a Unix socket."""

import random
import socket
import struct
import time

from harness import raw_mqtt
from harness.corpus import Mutator



def _open(target, **options):
    plain = socket.socket(socket.AF_UNIX if isinstance(target, str) else socket.AF_INET)
    for name, value in options.items():
        plain.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    plain.settimeout(5)
    plain.connect(target if isinstance(target, str) else ("127.0.0.1", target))
    return plain


def _reset(plain):
    """Away without a word, as a device whose power went."""
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    plain.close()


def _connect(target, name, version="5.0", clean=True, expiry=None, will=None, **options):
    plain = _open(target, **options)
    plain.sendall(raw_mqtt.connect_packet(version, name, clean=clean, session_expiry=expiry, will=will))
    return plain


def _name(kind):
    return f"bad-{kind}-{random.randrange(200)}"


def vanish(target):
    client = _connect(target, _name("vanish"), random.choice(["3.1.1", "5.0"]), will=("bad/will", "gone"))
    client.sendall(raw_mqtt.subscribe_packet("5.0", 1, "bad/#", 1) if random.random() < 0.5 else b"")
    time.sleep(random.random())
    _reset(client)


def flood(target):
    client = _connect(target, _name("flood"), "3.1.1")
    payload = random.randbytes(random.choice([10, 1_000, 50_000]))
    batch = b"".join(
        raw_mqtt.publish_packet("3.1.1", f"bad/flood/{n % 10}", payload, qos=n % 2, identifier=n + 1) for n in range(20)
    )
    end = time.monotonic() + 2
    while time.monotonic() < end:
        client.sendall(batch)
        client.recv(65536)
    _reset(client)


def stall(target):
    """Subscribes to what others flood and never reads."""
    client = _connect(target, _name("stall"), SO_RCVBUF=4096)
    client.sendall(raw_mqtt.subscribe_packet("5.0", 1, "bad/flood/#", random.randrange(3)))
    time.sleep(random.uniform(1, 15))
    _reset(client) if random.random() < 0.5 else client.close()


def stall_with_session(target):
    """As before, and leaves a session behind whose queue fills."""
    client = _connect(target, _name("session"), clean=False, expiry=random.randint(1, 5), SO_RCVBUF=4096)
    client.sendall(raw_mqtt.subscribe_packet("5.0", 1, "bad/flood/#", random.randrange(1, 3)))
    time.sleep(random.uniform(0, 5))
    _reset(client)


def come_and_go(target):
    for _ in range(50):
        client = _connect(target, _name("brief"), random.choice(["3.1.1", "5.0"]))
        client.recv(100)
        client.sendall(raw_mqtt.packet(raw_mqtt.DISCONNECT, 0))
        client.close()


def take_over(target):
    """The same identifier again and again, without an end of the one before."""
    clients = []
    for _ in range(20):
        clients.append(_connect(target, "bad-takeover", clean=random.random() < 0.5, expiry=3))
        clients[-1].sendall(raw_mqtt.subscribe_packet("5.0", 1, f"bad/{random.randrange(20)}/#", 2))
    for client in clients:
        client.close()


def garbage(target):
    mutator = Mutator(random.Random(random.randrange(1 << 40)))
    for _ in range(20):
        client = _open(target)
        for piece in mutator.pieces(mutator.conversation()):
            client.sendall(piece)
        _reset(client)


def say_nothing(target):
    """A connection without CONNECT, until the broker has had enough of it."""
    client = _open(target)
    client.sendall(b"\x10"[: random.randrange(2)])
    client.settimeout(15)
    client.recv(1)
    client.close()


def huge(target):
    client = _connect(target, _name("huge"))
    if random.random() < 0.5:
        size = random.choice([100_000, 1_000_000, 1 << 20, 5_000_000])
        client.sendall(raw_mqtt.publish_packet("5.0", "bad/huge", b"x" * size, qos=1, identifier=1))
    else:
        # Announces 256 MiB and sends some of it.
        client.sendall(b"\x30\xff\xff\xff\x7f\x00\x01a\x00" + b"x" * random.randrange(300_000))
    client.recv(1000)
    client.close()


def drip(target):
    client = _connect(target, _name("drip"))
    for byte in raw_mqtt.publish_packet("5.0", "bad/drip", b"x" * 100, qos=1, identifier=1):
        client.sendall(bytes([byte]))
        time.sleep(0.02)
    if random.random() < 0.5:
        # Half of a large packet, then nothing more.
        client.sendall(raw_mqtt.publish_packet("5.0", "bad/drip", b"x" * 900_000)[:500_000])
        time.sleep(random.uniform(0, 5))
    _reset(client)


def retain(target):
    client = _connect(target, _name("retain"))
    for _ in range(100):
        payload = random.randbytes(random.choice([0, 0, 10, 5_000]))
        client.sendall(raw_mqtt.publish_packet("5.0", f"bad/retained/{random.randrange(300)}", payload, retain=True))
    client.sendall(raw_mqtt.subscribe_packet("5.0", 1, "bad/retained/#", 1))
    client.recv(65536)
    client.close()


def never_acknowledge(target):
    client = _connect(target, _name("silent"))
    client.sendall(raw_mqtt.subscribe_packet("5.0", 1, "bad/flood/#", 2))
    end = time.monotonic() + random.uniform(1, 8)
    while time.monotonic() < end:
        client.recv(65536)
    client.sendall(b"".join(raw_mqtt.publish_packet("5.0", "bad/x", b"2", qos=2, identifier=n) for n in range(1, 1500)))
    client.close()


def subscribe_much(target):
    client = _connect(target, _name("many"))
    for number in range(1, 1100):
        client.sendall(raw_mqtt.subscribe_packet("5.0", number, f"bad/{random.randrange(5000)}/+/{number}", 1))
    client.recv(65536)
    client.close()


ALL = [
    vanish, flood, stall, stall_with_session, come_and_go, take_over, garbage, say_nothing, huge, drip, retain,
    never_acknowledge, subscribe_much,
]


def clear_retained(port):
    """What hostile clients retained is theirs to take away: afterwards the broker holds nothing of them."""
    client = raw_mqtt.RawConnection(port)
    client.connect("5.0", "cleaner")
    client.send(raw_mqtt.subscribe_packet("5.0", 1, "#", 0))
    client.expect(raw_mqtt.SUBACK)
    client.send(raw_mqtt.packet(raw_mqtt.PINGREQ, 0))
    while (packet := client.read()).type != raw_mqtt.PINGRESP:
        length = struct.unpack(">H", packet.body[:2])[0]
        if packet.type == raw_mqtt.PUBLISH and packet.flags & 1:
            client.send(raw_mqtt.publish_packet("5.0", packet.body[2 : 2 + length].decode(), b"", retain=True))
    client.close()
