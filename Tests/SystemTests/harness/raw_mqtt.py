"""MQTT byte by byte, for what a well-behaved client library would never send, or hides."""

import socket
import struct
from dataclasses import dataclass

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(8, 16)

LEVELS = {"3.1": 3, "3.1.1": 4, "5.0": 5}


@dataclass
class Packet:
    type: int
    flags: int
    body: bytes


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data


def variable(number):
    out = bytearray()
    while True:
        number, digit = divmod(number, 128)
        out.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(out)


def packet(type, flags, body=b""):
    return bytes([type << 4 | flags]) + variable(len(body)) + body


def connect_packet(
    version, client_identifier, *, clean=True, keep_alive=60, session_expiry=None, will=None, properties=b""
):
    """`will` is (topic, payload), at QoS 1; `properties` are encoded, without their length."""
    flags = (0x02 if clean else 0) | (0x04 | 0x08 if will else 0)
    name = "MQIsdp" if version == "3.1" else "MQTT"
    body = text(name) + bytes([LEVELS[version], flags]) + struct.pack(">H", keep_alive)
    if version == "5.0":
        if session_expiry is not None:
            properties += b"\x11" + struct.pack(">I", session_expiry)
        body += variable(len(properties)) + properties
    body += text(client_identifier)
    if will:
        body += (b"\x00" if version == "5.0" else b"") + text(will[0]) + text(will[1])
    return packet(CONNECT, 0, body)


def publish_packet(version, topic, payload, *, qos=0, identifier=0, duplicate=False, retain=False):
    body = text(topic) + (struct.pack(">H", identifier) if qos else b"")
    body += (b"\x00" if version == "5.0" else b"") + payload
    return packet(PUBLISH, (8 if duplicate else 0) | qos << 1 | retain, body)


def subscribe_packet(version, identifier, topic_filter, qos):
    properties = b"\x00" if version == "5.0" else b""
    return packet(SUBSCRIBE, 2, struct.pack(">H", identifier) + properties + text(topic_filter) + bytes([qos]))


def acknowledgement(type, identifier):
    return packet(type, 2 if type == PUBREL else 0, struct.pack(">H", identifier))


class RawConnection:
    """A TCP connection to a broker that sends what it is told and gives back whole packets."""

    def __init__(self, port, timeout=20):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        self._socket.sendall(data)

    def read(self):
        """The next packet, or None when the peer has closed the connection."""
        head = self._exactly(1)
        if head is None:
            return None
        length, shift = 0, 0
        while True:
            digit = self._exactly(1)
            if digit is None:
                return None
            length |= (digit[0] & 0x7F) << shift
            shift += 7
            if digit[0] < 0x80:
                break
        body = self._exactly(length)
        return None if body is None else Packet(head[0] >> 4, head[0] & 15, body)

    def read_until_closed(self):
        """Every packet until the peer closes the connection; fails with a timeout when it does not."""
        packets = []
        while (one := self.read()) is not None:
            packets.append(one)
        return packets

    def connect(self, version, client_identifier, **options):
        """CONNECT; returns whether the session was present."""
        self.send(connect_packet(version, client_identifier, **options))
        answer = self.read()
        assert answer and answer.type == CONNACK and answer.body[1] == 0, f"CONNECT was answered by {answer}"
        return answer.body[0] == 1

    def expect(self, type):
        answer = self.read()
        assert answer is not None and answer.type == type, f"expected packet type {type}, got {answer}"
        return answer

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            try:
                more = self._socket.recv(count - len(data))
            except ConnectionError:
                return None
            if not more:
                return None
            data += more
        return data
