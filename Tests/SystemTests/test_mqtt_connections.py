"""Connections: keep-alive, packets that must not be sent, and one client's faults that stay its own."""

import os
import time

import pytest

from harness import raw_mqtt
from harness.broker import broker_under_test
from harness.mqtt_client import Client
from harness.raw_mqtt import RawConnection


def still_serves(client, root):
    """Whether a client that was there before gets its messages as ever."""
    client.subscribe(f"{root}/alive", 1)
    client.publish(f"{root}/alive", b"x", 1)
    return client.receive().payload == b"x"


def test_a_client_that_says_nothing_for_one_and_a_half_keep_alives_is_disconnected(broker, version, root):
    with RawConnection(broker.port) as connection:
        connection.connect(version, f"{root}-client", keep_alive=1)
        start = time.monotonic()
        connection.read_until_closed()
        assert 1.0 <= time.monotonic() - start


def test_pings_are_answered_and_keep_the_connection(broker, version, root):
    with RawConnection(broker.port) as connection:
        connection.connect(version, f"{root}-client", keep_alive=1)
        start = time.monotonic()
        while time.monotonic() < start + 2.5:
            connection.send(raw_mqtt.packet(raw_mqtt.PINGREQ, 0))
            connection.expect(raw_mqtt.PINGRESP)


def test_keep_alive_0_means_no_limit(broker, version, root):
    with RawConnection(broker.port) as connection, RawConnection(broker.port) as limited:
        connection.connect(version, f"{root}-client", keep_alive=0)
        limited.connect(version, f"{root}-limited", keep_alive=1)
        limited.read_until_closed()
        connection.send(raw_mqtt.packet(raw_mqtt.PINGREQ, 0))
        connection.expect(raw_mqtt.PINGRESP)


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\nHost: box\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", bytes(64), b"\xff" * 64],
    ids=["http", "tls", "zeros", "ones"],
)
def test_garbage_ends_its_own_connection_and_no_other(broker, connect, version, root, garbage):
    client = connect("client", version)
    with RawConnection(broker.port) as connection:
        connection.send(garbage)
        connection.read_until_closed()
    assert still_serves(client, root)


def test_garbage_after_connect_ends_its_own_connection_and_no_other(broker, connect, version, root):
    client = connect("client", version)
    for round in range(20):
        with RawConnection(broker.port) as connection:
            connection.connect(version, f"{root}-garbage-{round}")
            connection.send(b"\x00\x40" + os.urandom(200))
            connection.read_until_closed()
    assert still_serves(client, root)


def test_a_first_packet_other_than_connect_ends_the_connection(broker, version):
    with RawConnection(broker.port) as connection:
        connection.send(raw_mqtt.publish_packet(version, "a", b"x"))
        assert [packet.type for packet in connection.read_until_closed()] in ([], [raw_mqtt.DISCONNECT])


def test_a_second_connect_ends_the_connection(broker, version, root):
    with RawConnection(broker.port) as connection:
        connection.connect(version, f"{root}-client")
        connection.send(raw_mqtt.connect_packet(version, f"{root}-client"))
        assert [packet.type for packet in connection.read_until_closed()] in ([], [raw_mqtt.DISCONNECT])


@pytest.mark.parametrize("topic", ["a/+", "a/#", ""])
def test_a_publish_to_a_name_that_is_no_topic_ends_the_connection(broker, version, root, topic):
    with RawConnection(broker.port) as connection:
        connection.connect(version, f"{root}-client")
        connection.send(raw_mqtt.publish_packet(version, topic, b"x", qos=1, identifier=1))
        assert raw_mqtt.PUBACK not in [packet.type for packet in connection.read_until_closed()]


def test_an_unknown_protocol_level_is_refused(broker, root):
    with RawConnection(broker.port) as connection:
        packet = bytearray(raw_mqtt.connect_packet("3.1.1", f"{root}-client"))
        packet[8] = 9
        connection.send(packet)
        assert all(packet.type == raw_mqtt.CONNACK and packet.body[1] != 0 for packet in connection.read_until_closed())


def test_a_connect_without_identifier_and_with_a_kept_session_is_refused_in_version_3(broker):
    with RawConnection(broker.port) as connection:
        connection.send(raw_mqtt.connect_packet("3.1.1", "", clean=False))
        assert connection.expect(raw_mqtt.CONNACK).body == b"\x00\x02"


def test_a_client_without_identifier_may_connect_with_a_clean_session(broker, root):
    with RawConnection(broker.port) as connection:
        connection.connect("3.1.1", "")
        connection.send(raw_mqtt.packet(raw_mqtt.PINGREQ, 0))
        connection.expect(raw_mqtt.PINGRESP)


def test_packets_may_arrive_byte_by_byte_and_many_at_once(broker, version, root):
    with RawConnection(broker.port) as connection:
        for byte in raw_mqtt.connect_packet(version, f"{root}-client"):
            connection.send(bytes([byte]))
        connection.expect(raw_mqtt.CONNACK)
        many = b"".join(
            raw_mqtt.publish_packet(version, f"{root}/a", b"x", qos=1, identifier=identifier)
            for identifier in range(1, 51)
        )
        connection.send(many)
        answers = [connection.expect(raw_mqtt.PUBACK).body[:2] for _ in range(50)]
        assert [int.from_bytes(answer) for answer in answers] == list(range(1, 51))


def test_a_packet_over_the_limit_ends_its_own_connection_and_no_other(tmp_path, keep, version):
    broker = keep(broker_under_test(tmp_path / "small", max_packet_size=4096)).start()
    client = keep(Client(broker.port, version, "good")).connect()
    with RawConnection(broker.port) as connection:
        connection.connect(version, "large")
        connection.send(raw_mqtt.publish_packet(version, "a", b"x" * 5000, qos=1, identifier=1))
        answers = connection.read_until_closed()
    if version == "5.0":
        assert [(answer.type, answer.body[0]) for answer in answers] == [(raw_mqtt.DISCONNECT, 0x95)]
    else:
        assert answers == []
    assert still_serves(client, "good")


def test_a_packet_at_the_limit_passes(tmp_path, keep, version):
    broker = keep(broker_under_test(tmp_path / "small", max_packet_size=4096)).start()
    client = keep(Client(broker.port, version, "client")).connect()
    client.subscribe("a", 1)
    # Fixed header 3, topic 3, packet identifier 2, with 5.0 one byte of properties.
    payload = b"x" * (4096 - 8 - (version == "5.0"))
    client.publish("a", payload, 1)
    assert client.receive().payload == payload


def test_many_clients_come_and_go(broker, connect, version, root):
    client = connect("client", version)
    for round in range(5):
        connections = [RawConnection(broker.port) for _ in range(100)]
        for number, connection in enumerate(connections):
            connection.send(raw_mqtt.connect_packet(version, f"{root}-{round}-{number}"))
        for connection in connections:
            connection.expect(raw_mqtt.CONNACK)
        for connection in connections:
            connection.close()
    assert still_serves(client, root)
