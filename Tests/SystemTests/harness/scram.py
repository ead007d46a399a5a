"""A client of MQTT 5.0's enhanced authentication with SCRAM-SHA-256 (RFC 5802, RFC 7677), byte by byte."""

import base64
import hashlib
import hmac
import os
import struct

from . import raw_mqtt
from .raw_mqtt import AUTH, text, variable

METHOD = "SCRAM-SHA-256"


def _code(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


class Scram:
    """The client's side of one exchange."""

    def __init__(self, user, password):
        self._password = password.encode()
        self._first = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={base64.b64encode(os.urandom(18)).decode()}"

    def first(self):
        return b"n,," + self._first.encode()

    def final(self, server_first):
        server = server_first.decode()
        fields = dict(field.split("=", 1) for field in server.split(","))
        assert fields["r"].startswith(self._first.split("r=", 1)[1])
        salted = hashlib.pbkdf2_hmac("sha256", self._password, base64.b64decode(fields["s"]), int(fields["i"]))
        without_proof = f"c=biws,r={fields['r']}"
        message = f"{self._first},{server},{without_proof}".encode()
        key = _code(salted, b"Client Key")
        signature = _code(hashlib.sha256(key).digest(), message)
        self._server_signature = _code(_code(salted, b"Server Key"), message)
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
        return f"{without_proof},p={proof}".encode()

    def is_right(self, server_final):
        """Whether the server knows the password as well."""
        return server_final == b"v=" + base64.b64encode(self._server_signature)


def connect_packet(client_identifier, data, method=METHOD, keep_alive=60):
    properties = b"\x15" + text(method) + b"\x16" + text(data)
    body = text("MQTT") + bytes([5, 2]) + struct.pack(">H", keep_alive)
    body += variable(len(properties)) + properties + text(client_identifier)
    return raw_mqtt.packet(raw_mqtt.CONNECT, 0, body)


def auth_packet(reason, data, method=METHOD):
    properties = b"\x15" + text(method) + b"\x16" + text(data)
    return raw_mqtt.packet(AUTH, 0, bytes([reason]) + variable(len(properties)) + properties)


def properties_of(body):
    """The properties in the body of a CONNACK or AUTH behind `skip` bytes: those with text or bytes, by identifier."""
    length, at, shift = 0, 0, 0
    while True:
        digit = body[at]
        length |= (digit & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if digit < 0x80:
            break
    end, found = at + length, {}
    fixed = {0x11: 4, 0x13: 2, 0x17: 1, 0x19: 1, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1}
    while at < end:
        kind, at = body[at], at + 1
        if kind in fixed:
            at += fixed[kind]
            continue
        for _ in range(2 if kind == 0x26 else 1):
            count = struct.unpack_from(">H", body, at)[0]
            found[kind] = body[at + 2 : at + 2 + count]
            at += 2 + count
    return found
