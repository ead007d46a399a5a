"""Every way to reach the broker: TCP, TLS, WebSocket, secure WebSocket, Unix socket; and what goes wrong on each."""

import os
import random
import socket
import stat
from types import SimpleNamespace

import pytest

from harness import raw_mqtt
from harness.broker import Martlet, run_martlet
from harness.certificates import Authority
from harness.mqtt_client import Client
from harness.ports import free_port
from harness.raw_mqtt import RawConnection
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only

WAYS = ["tcp", "tls", "mutual-tls", "websocket", "secure-websocket", "unix"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def box(tmp_path_factory, authority):
    """One broker with a listener of each kind."""
    directory = tmp_path_factory.mktemp("ways")
    server = authority.issue("server", host="box.test")
    client = authority.issue("pump-7")
    path = directory / "mqtt.sock"
    ports = {way: free_port() for way in WAYS}
    tls = f'certificate-file = "{server.file}"\nkey-file = "{server.key}"\n'
    clients = f'client-certificate = "required"\nclient-ca-file = "{authority.file}"\n'
    websocket = 'transport = "websocket"\n'

    def listener(way, keys):
        return f'[[listener]]\nname = "{way}"\n{keys}' + (f"port = {ports[way]}\n" if way != "unix" else "")

    configuration = "\n".join(
        [
            listener("tls", tls),
            listener("mutual-tls", tls + clients),
            listener("websocket", websocket),
            listener("secure-websocket", websocket + tls),
            listener("unix", f'transport = "unix"\npath = "{path}"\n'),
        ]
    )
    broker = Martlet(directory / "box", configuration, log_level="debug").start()
    ports["tcp"] = broker.port
    trusting = authority.client_context()
    ways = {
        "tcp": {},
        "tls": {"tls": trusting},
        "mutual-tls": {"tls": authority.client_context(client)},
        "websocket": {"transport": "websockets"},
        "secure-websocket": {"transport": "websockets", "tls": trusting},
        "unix": {"transport": "unix", "host": str(path)},
    }
    yield SimpleNamespace(broker=broker, ports=ports, ways=ways, path=path)
    assert broker.is_alive(), "the broker did not survive this file"
    broker.forget()


@pytest.fixture
def connect_by(box, keep, root):
    """`connect_by("tls", "name")` gives a connected client."""

    def connect_one(way, name, version="5.0", **options):
        return keep(Client(box.ports[way], version, f"{root}-{name}", **box.ways[way], **options)).connect()

    return connect_one


@pytest.mark.parametrize("way", WAYS)
def test_messages_of_every_size_and_quality_cross_in_both_directions(connect_by, root, way, version):
    here, there = connect_by(way, "here", version), connect_by("tcp", "there", version)
    here.subscribe(f"{root}/in", 2)
    there.subscribe(f"{root}/out", 2)
    for size in (0, 1, 125, 126, 70_000, 900_000):
        for qos in (0, 1, 2):
            payload = os.urandom(size)
            there.publish(f"{root}/in", payload, qos)
            assert here.receive().payload == payload
            here.publish(f"{root}/out", payload, qos)
            assert there.receive().payload == payload


@pytest.mark.parametrize("way", WAYS)
def test_a_burst_arrives_whole_and_in_order(connect_by, root, way):
    client = connect_by(way, "client")
    client.subscribe(f"{root}/a", 1)
    for number in range(2000):
        client.start_publish(f"{root}/a", f"{number}".encode() * 50, 1)
    assert [message.payload for message in client.receive_many(2000)] == [f"{n}".encode() * 50 for n in range(2000)]


@pytest.mark.parametrize("way", WAYS)
def test_a_connection_that_breaks_publishes_its_will(connect_by, root, way):
    witness = connect_by("tcp", "witness")
    witness.subscribe(f"{root}/gone", 1)
    connect_by(way, "mortal", will=(f"{root}/gone", b"x", 1)).drop()
    assert witness.receive().payload == b"x"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: box\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600),
        10 * raw_mqtt.packet(raw_mqtt.PINGREQ, 0),
        bytes(3000),
        b"\xff" * 3000,
        b"",
    ],
    ids=["http", "tls", "mqtt", "zeros", "ones", "nothing"],
)
def test_garbage_ends_its_own_connection_and_no_other(box, connect_by, root, way, garbage):
    client = connect_by(way, "client")
    if way == "unix":
        stranger = socket.socket(socket.AF_UNIX)
        stranger.connect(str(box.path))
    else:
        stranger = socket.create_connection(("127.0.0.1", box.ports[way]))
    with stranger:
        stranger.settimeout(20)
        stranger.sendall(garbage)
        if garbage:
            try:
                while stranger.recv(4096):
                    pass
            except ConnectionError:
                pass
    client.subscribe(f"{root}/alive", 1)
    client.publish(f"{root}/alive", b"x", 1)
    assert client.receive().payload == b"x"


OPENING = (
    b"GET /mqtt HTTP/1.1\r\nHost: box\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)


def websocket_frame(opcode, payload, mask):
    length = len(payload)
    head = bytes([0x80 | opcode]) + (bytes([0x80 | length]) if length < 126 else b"\xfe" + length.to_bytes(2))
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def conversation(way, chance):
    """What a client says on this way."""
    version = chance.choice(["3.1.1", "5.0"])
    packets = raw_mqtt.connect_packet(version, f"damaged-{chance.randrange(5)}", will=chance.choice([None, ("a", "x")]))
    for _ in range(chance.randrange(6)):
        qos = chance.randrange(3)
        payload = chance.randbytes(chance.choice([0, 10, 300, 10_000]))
        packets += chance.choice(
            [
                raw_mqtt.subscribe_packet(version, 1, chance.choice(["#", "a/+", "$share/g/a"]), qos),
                raw_mqtt.publish_packet(version, "a/b", payload, qos=qos, identifier=7 if qos else 0),
                raw_mqtt.packet(raw_mqtt.PINGREQ, 0),
            ]
        )
    if "websocket" not in way:
        return packets
    said = OPENING
    while packets:
        count = chance.randrange(1, 3000)
        # Text, CLOSE and PING now and then.
        said += websocket_frame(chance.choices([2, 1, 8, 9], [97, 1, 1, 1])[0], packets[:count], chance.randbytes(4))
        packets = packets[count:]
    return said


def damaged(data, chance):
    """The bytes with up to three of them changed, lost or added."""
    data = bytearray(data)
    for _ in range(chance.randrange(4)):
        place = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                data[place] = chance.randrange(256)
            case 1:
                del data[place : place + chance.randrange(1, 5)]
            case 2:
                data[place:place] = chance.randbytes(chance.randrange(1, 5))
    return bytes(data)


@pytest.mark.parametrize("way", WAYS)
def test_damaged_conversations_leave_nothing_behind(box, connect_by, root, way):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    client = connect_by(way, "client")
    descriptors = len(os.listdir(f"/proc/{box.broker.pid}/fd"))
    for _ in range(200):
        stranger = socket.socket(socket.AF_UNIX if way == "unix" else socket.AF_INET)
        stranger.connect(str(box.path) if way == "unix" else ("127.0.0.1", box.ports[way]))
        stranger.settimeout(20)
        try:
            if tls := box.ways[way].get("tls"):
                stranger = tls.wrap_socket(stranger, server_hostname="127.0.0.1")
            said = damaged(conversation(way, chance), chance)
            while said:
                count = chance.choice([1, 100, 5000, 100_000])
                stranger.sendall(said[:count])
                said = said[count:]
        except OSError:
            # The broker has ended it.
            pass
        finally:
            stranger.close()
    eventually(lambda: len(os.listdir(f"/proc/{box.broker.pid}/fd")) <= descriptors, "the descriptors to be closed")
    client.subscribe(f"{root}/alive", 1)
    client.publish(f"{root}/alive", b"x", 1)
    assert client.receive().payload == b"x"


# WebSocket


@pytest.mark.parametrize(
    "line, status",
    [("GET /elsewhere HTTP/1.1", 404), ("POST /mqtt HTTP/1.1", 405), ("GET /mqtt HTTP/1.1", 426), ("GET", 400)],
)
def test_other_requests_of_http_get_an_answer(box, line, status):
    with socket.create_connection(("127.0.0.1", box.ports["websocket"]), 20) as connection:
        connection.sendall(f"{line}\r\nHost: box\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


# Unix socket


def test_a_unix_socket_has_its_mode_and_goes_with_the_broker(tmp_path, keep):
    path = tmp_path / "a.sock"
    unix = f'[[listener]]\nname = "unix"\ntransport = "unix"\npath = "{path}"\nsocket-mode = "0600"\n'
    broker = keep(Martlet(tmp_path / "box", unix)).start()
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    assert broker.terminate() == 0
    assert not path.exists()


def test_a_unix_socket_that_a_crash_left_behind_is_replaced(tmp_path, keep):
    path = tmp_path / "a.sock"
    broker = keep(Martlet(tmp_path / "box", f'[[listener]]\nname = "unix"\ntransport = "unix"\npath = "{path}"\n')).start()
    broker.crash()
    assert path.exists()
    broker.start()
    keep(Client(0, "5.0", "client", transport="unix", host=str(path))).connect()


def test_a_unix_socket_in_use_is_not_taken_over(tmp_path, keep):
    path = tmp_path / "a.sock"
    unix = f'[[listener]]\nname = "unix"\ntransport = "unix"\npath = "{path}"\n'
    keep(Martlet(tmp_path / "one", unix)).start()
    second = Martlet(tmp_path / "two", unix)
    done = run_martlet("run", second.file)
    assert done.returncode != 0 and f"{path} is in use by another program" in done.stderr
    keep(Client(0, "5.0", "client", transport="unix", host=str(path))).connect()


def test_another_kind_of_file_is_not_removed_for_a_unix_socket(tmp_path):
    path = tmp_path / "a.sock"
    path.write_text("precious")
    broker = Martlet(tmp_path / "box", f'[[listener]]\nname = "unix"\ntransport = "unix"\npath = "{path}"\n')
    done = run_martlet("run", broker.file)
    assert done.returncode != 0 and "is not a socket" in done.stderr
    assert path.read_text() == "precious"


# Limits and prefix


def test_a_connection_above_the_listeners_limit_is_closed_until_there_is_room(tmp_path, keep):
    port = free_port()
    broker = keep(Martlet(tmp_path / "box", f'[[listener]]\nname = "small"\nport = {port}\nmax-connections = 2\n')).start()
    first = keep(Client(port, "5.0", "first")).connect()
    keep(Client(port, "5.0", "second")).connect()
    with RawConnection(port) as third:
        assert third.read() is None
    # The other listener has room.
    keep(Client(broker.port, "5.0", "elsewhere")).connect()
    first.disconnect()

    def has_room():
        with RawConnection(port) as connection:
            try:
                connection.send(raw_mqtt.connect_packet("5.0", "third"))
            except ConnectionError:
                return False
            return connection.read() is not None

    eventually(has_room, "room for another connection")


def test_a_connection_without_connect_is_closed_in_the_listeners_time(tmp_path, keep):
    ports = [free_port(), free_port()]
    keep(
        Martlet(
            tmp_path / "box",
            f'[[listener]]\nname = "quick"\nport = {ports[0]}\nconnect-timeout = "1s"\n'
            f'[[listener]]\nname = "web"\ntransport = "websocket"\nport = {ports[1]}\nconnect-timeout = "1s"\n',
        )
    ).start()
    for port in ports:
        with RawConnection(port, timeout=8) as connection:
            assert connection.read() is None


def test_a_listeners_packet_limit_is_lower_than_the_brokers(tmp_path, keep):
    port = free_port()
    keep(Martlet(tmp_path / "box", f'[[listener]]\nname = "small"\nport = {port}\nmax-packet-size = "2KiB"\n')).start()
    client = keep(Client(port, "5.0", "client")).connect()
    assert client.connect_answer.MaximumPacketSize == 2048
    with RawConnection(port) as connection:
        connection.connect("5.0", "large")
        connection.send(raw_mqtt.publish_packet("5.0", "a", b"x" * 3000))
        assert [(answer.type, answer.body[0]) for answer in connection.read_until_closed()] == [(raw_mqtt.DISCONNECT, 0x95)]


def test_clients_of_a_listener_with_a_prefix_live_below_it(tmp_path, keep, version):
    port = free_port()
    broker = keep(Martlet(tmp_path / "box", f'[[listener]]\nname = "field"\nport = {port}\ntopic-prefix = "site/7"\n')).start()
    inside = keep(Client(port, version, "inside")).connect()
    outside = keep(Client(broker.port, version, "outside")).connect()
    inside.subscribe("a/#", 1)
    outside.subscribe("#", 1)
    inside.publish("a/b", b"1", 1, retain=True)
    assert inside.receive().topic == "a/b"
    assert outside.receive().topic == "site/7/a/b"
    outside.publish("site/7/a/c", b"2", 1)
    assert inside.receive().topic == "a/c"
    late = keep(Client(port, version, "late")).connect()
    late.subscribe("#", 1)
    message = late.receive()
    assert (message.topic, message.payload, message.retain) == ("a/b", b"1", True)
