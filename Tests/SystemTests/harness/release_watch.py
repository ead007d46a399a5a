"""What an upstream does with QoS 2 messages that it has released."""

import struct

from .raw_mqtt import PUBLISH, PUBREL


class ReleaseWatch:
    """The `watch` of a TcpProxy: finds messages that the upstream sends again although it has sent their PUBREL.

    [MQTT-4.3.3-6] forbids that, for whoever has had the PUBREL can only take the PUBLISH for a new message. mosquitto 2.0.11 does so
    when a connection ends while it is sending PUBRELs again: those that it had not come to are PUBLISHes in the next one.
    """

    def __init__(self, version):
        self._version = version
        self._link = None
        self._rest = b""
        #: By packet identifier: the payload, and whether it was released.
        self._messages = {}
        #: Payloads, one for each time.
        self.sent_again = []

    def __call__(self, link, comes_from_target, data):
        if not comes_from_target:
            return
        if link is not self._link:
            self._link, self._rest = link, b""
        self._rest += data
        while packet := self._take():
            self._see(*packet)

    def _take(self):
        """The next whole packet's first byte and body; None if there is none."""
        length = 0
        for at, digit in enumerate(self._rest[1:5], 1):
            length |= (digit & 0x7F) << 7 * (at - 1)
            if digit < 0x80:
                break
        else:
            return None
        end = at + 1 + length
        if len(self._rest) < end:
            return None
        packet = self._rest[0], self._rest[at + 1 : end]
        self._rest = self._rest[end:]
        return packet

    def _see(self, head, body):
        if head >> 4 == PUBREL:
            (identifier,) = struct.unpack_from(">H", body)
            payload, _ = self._messages.get(identifier, (None, True))
            self._messages[identifier] = (payload, True)
        elif head >> 4 == PUBLISH and head >> 1 & 3 == 2:
            at = 2 + struct.unpack_from(">H", body)[0]
            (identifier,) = struct.unpack_from(">H", body, at)
            # Without properties.
            payload = body[at + (3 if self._version == "5.0" else 2) :].decode()
            if self._messages.get(identifier) == (payload, True):
                self.sent_again.append(payload)
            self._messages[identifier] = (payload, False)
