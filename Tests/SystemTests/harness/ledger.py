"""Publishers and subscribers that go on through crashes of the broker, and remember what they were promised."""

import threading
import time

from . import raw_mqtt
from .raw_mqtt import RawConnection, acknowledgement, publish_packet, subscribe_packet

VERSION = "3.1.1"


class Peer(threading.Thread):
    """A client with a persistent session that connects again whenever its connection ends, until `stop`."""

    def __init__(self, port, name):
        super().__init__(daemon=True)
        self.identifier = name
        self.failure = None
        self._port = port
        self._stopping = threading.Event()
        self._knew_session = False

    def run(self):
        try:
            while not self._stopping.is_set():
                try:
                    self._connect()
                except OSError:
                    time.sleep(0.005)
        except AssertionError as failure:
            self.failure = failure

    def stop(self):
        self._stopping.set()
        self.join(30)

    def _connect(self):
        with RawConnection(self._port, timeout=1) as connection:
            connection.send(raw_mqtt.connect_packet(VERSION, self.identifier, clean=False))
            answer = connection.read()
            if answer is None:
                return
            assert answer.type == raw_mqtt.CONNACK and answer.body[1] == 0, f"CONNECT was answered by {answer}"
            self._talk(connection, session_present=answer.body[0] == 1)

    def _read(self, connection):
        """The next packet; None once the connection has ended, or nothing came and the peer is to stop."""
        while True:
            try:
                return connection.read()
            except TimeoutError:
                if self._stopping.is_set():
                    return None


class Publisher(Peer):
    """Publishes numbers, up to 20 unacknowledged; what a lost connection left open is sent again in the next one.

    With `rate` no more than that many a second, and with `size` payloads of at least so many bytes.
    """

    def __init__(self, port, name, topic, qos, *, rate=None, size=0):
        super().__init__(port, name)
        self.qos = qos
        self.acknowledged = []
        #: How many times a message was sent again.
        self.repeated = 0
        self._topic = topic
        self._rate = rate
        self._size = size
        self._next = 0
        #: By packet identifier, in order: the number, and whether PUBREC has come.
        self._open = {}
        self._finishing = threading.Event()

    @property
    def is_finished(self):
        return self._finishing.is_set() and not self._open

    def finish(self):
        """Nothing new from here on."""
        self._finishing.set()

    def _publish(self, connection, identifier, duplicate):
        payload = f"{self.identifier} {self._open[identifier][0]} ".encode().ljust(self._size, b".")
        self.repeated += duplicate
        connection.send(
            publish_packet(VERSION, self._topic, payload, qos=self.qos, identifier=identifier, duplicate=duplicate)
        )

    def _talk(self, connection, session_present):
        promised = any(released for _, released in self._open.values())
        assert session_present or not promised, f"{self.identifier}: PUBREC was sent, and the session is gone"
        for identifier, (_, released) in list(self._open.items()):
            if released:
                connection.send(acknowledgement(raw_mqtt.PUBREL, identifier))
            else:
                self._publish(connection, identifier, duplicate=True)
        # What was not published in time, because there was no connection, is not made up for.
        start = time.monotonic() - self._next / self._rate if self._rate else 0
        while not self._stopping.is_set():
            while len(self._open) < 20 and not self._finishing.is_set():
                if self._rate and (early := start + self._next / self._rate - time.monotonic()) > 0:
                    if self._open:
                        break
                    time.sleep(early)
                identifier = self._next % 65535 + 1
                self._open[identifier] = (self._next, False)
                self._next += 1
                self._publish(connection, identifier, duplicate=False)
            if not self._open:
                return
            packet = self._read(connection)
            if packet is None:
                return
            self._answered(connection, packet)

    def _answered(self, connection, packet):
        identifier = int.from_bytes(packet.body[:2])
        number, _ = self._open.get(identifier, (None, None))
        if packet.type == raw_mqtt.PUBREC and number is not None:
            self._open[identifier] = (number, True)
            connection.send(acknowledgement(raw_mqtt.PUBREL, identifier))
        elif packet.type in (raw_mqtt.PUBACK, raw_mqtt.PUBCOMP) and number is not None:
            self.acknowledged.append(number)
            del self._open[identifier]


class Subscriber(Peer):
    """Acknowledges what it gets; of QoS 2 it keeps the packet identifiers that are not released, as a receiver must."""

    def __init__(self, port, name, topic_filter, qos=2):
        super().__init__(port, name)
        self.received = []
        self.is_subscribed = threading.Event()
        self._filter = topic_filter
        self._qos = qos
        self._unreleased = set()

    def _talk(self, connection, session_present):
        if not session_present:
            assert not self.is_subscribed.is_set(), f"{self.identifier}: SUBACK was sent, and the session is gone"
            connection.send(subscribe_packet(VERSION, 1, self._filter, self._qos))
        while not self._stopping.is_set():
            packet = self._read(connection)
            if packet is None:
                return
            if packet.type == raw_mqtt.SUBACK:
                self.is_subscribed.set()
            elif packet.type == raw_mqtt.PUBREL:
                identifier = int.from_bytes(packet.body[:2])
                self._unreleased.discard(identifier)
                connection.send(acknowledgement(raw_mqtt.PUBCOMP, identifier))
            elif packet.type == raw_mqtt.PUBLISH:
                self._take(connection, packet)

    def _take(self, connection, packet):
        qos = packet.flags >> 1 & 3
        at = 2 + int.from_bytes(packet.body[:2])
        identifier = int.from_bytes(packet.body[at : at + 2])
        if qos == 1 or identifier not in self._unreleased:
            self.received.append(packet.body[at + 2 :].decode())
        if qos == 2:
            self._unreleased.add(identifier)
        connection.send(acknowledgement(raw_mqtt.PUBACK if qos == 1 else raw_mqtt.PUBREC, identifier))
