"""SIGTERM: clients are told, what is acknowledged stays, and it takes no longer than it may."""

import socket
import time

import pytest

from harness import raw_mqtt
from harness.broker import Martlet

pytestmark = pytest.mark.martlet_only


@pytest.fixture
def box(tmp_path, keep):
    return keep(Martlet(tmp_path / "box")).start()


def test_an_mqtt_5_client_is_told_that_the_server_shuts_down(box, connect):
    clients = [connect(f"c{n}", "5.0", at=box) for n in range(5)]
    old = connect("old", "3.1.1", at=box)
    assert box.terminate() == 0
    for client in clients:
        assert client.wait_until_disconnected() == 0x8B
    old.wait_until_disconnected()


def test_many_clients_are_all_told(box):
    connections = []
    for number in range(1000):
        connection = socket.create_connection(("127.0.0.1", box.port), timeout=20)
        connection.sendall(raw_mqtt.connect_packet("5.0", f"many-{number}"))
        connections.append(connection)
    for connection in connections:
        assert connection.recv(4096)[0] == 0x20
    began = time.monotonic()
    assert box.terminate() == 0
    assert time.monotonic() - began < 10
    for connection in connections:
        received = b""
        while part := connection.recv(4096):
            received += part
        assert received[0] == 0xE0 and received[2] == 0x8B
        connection.close()


def test_clients_that_do_not_read_do_not_hold_it_up(box, connect):
    stuck = socket.create_connection(("127.0.0.1", box.port), timeout=20)
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.sendall(raw_mqtt.connect_packet("3.1.1", "stuck"))
    stuck.recv(4)
    stuck.sendall(b"\x82\x06\x00\x01\x00\x01a\x00")
    stuck.recv(5)
    publisher = connect(at=box)
    for _ in range(200):
        publisher.publish("a", bytes(60_000))
    publisher.publish("b", b"", 1)
    began = time.monotonic()
    assert box.terminate() == 0
    assert time.monotonic() - began < 10
    stuck.close()


def test_what_was_acknowledged_is_there_after_the_restart(box, connect):
    away = connect("away", at=box, persistent=True)
    away.subscribe("a", 1)
    away.disconnect()
    publisher = connect(at=box)
    for number in range(500):
        publisher.publish("a", str(number), 1)
    assert box.terminate() == 0
    box.start()
    back = connect("away", at=box, persistent=True)
    assert [message.text for message in back.receive_many(500)] == [str(number) for number in range(500)]
