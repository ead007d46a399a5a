"""The clients that must not notice anything: numbered messages, and an account of each."""

import struct
import threading
import time

from harness.raw_mqtt import (
    DISCONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, RawConnection, acknowledgement,
    publish_packet, subscribe_packet,
)
from harness.raw_mqtt import packet as raw_packet

QUOTA_EXCEEDED = 0x97


class Pair:
    """A publisher and a subscriber of a topic of their own, each with a session and both reconnecting now and then. What
    the broker acknowledged has to arrive, in order, and with QoS 2 once. It refuses nothing of them, however much others have
    waiting for the disk or in memory."""

    WINDOW = 20

    def __init__(self, number, port, qos, rate, random):
        self.name = f"good-{number}"
        self.topic = f"good/{number}"
        self.port, self.qos, self.rate, self.random = port, qos, rate, random
        self.stopping = threading.Event()
        self.draining = threading.Event()
        self.acknowledged = set()
        self.refused = 0
        self.faults = []
        self.received = set()
        self.repeated = 0
        self.reconnections = 0
        self._last = 0
        self._pinged = [time.monotonic()] * 2
        self._subscribed, self._connected = threading.Event(), threading.Event()
        self._held = set()
        self.threads = [threading.Thread(target=self._guard, args=(run,), daemon=True) for run in (self._publish, self._subscribe)]

    def start(self):
        """Returns when both are connected."""
        self.threads[1].start()
        assert self._subscribed.wait(20), f"{self.name} could not subscribe"
        self.threads[0].start()
        assert self._connected.wait(20), f"{self.name} could not connect"

    def finish(self):
        """Ends both, when all that was acknowledged has arrived or 30 s are over. Returns what went wrong."""
        self.draining.set()
        self.threads[0].join(60)
        deadline = time.monotonic() + 30
        while self.acknowledged - self.received and time.monotonic() < deadline and not self.faults:
            time.sleep(0.05)
        self.stopping.set()
        self.threads[1].join(20)
        if lost := self.acknowledged - self.received:
            self.faults.append(f"{self.name}: {len(self.acknowledged)} acknowledged, lost {sorted(lost)[:20]}")
        if self.refused:
            self.faults.append(f"{self.name}: {self.refused} refused, {len(self.acknowledged)} acknowledged")
        return self.faults

    def _guard(self, run):
        try:
            run()
        except Exception as error:  # the thread's end must not pass unnoticed
            self.faults.append(f"{self.name}: {run.__name__}: {error!r}")

    def _connect(self, name):
        connection = RawConnection(self.port, timeout=30)
        connection.connect("5.0", name, clean=False, session_expiry=3600, keep_alive=60)
        return connection

    def _publish(self):
        connection = self._connect(f"{self.name}-pub")
        self._connected.set()
        next_number, last, pending = 1, 0, []
        next_time = time.monotonic()
        while not (self.draining.is_set() and not pending):
            if not self.draining.is_set() and len(pending) < self.WINDOW and time.monotonic() >= next_time:
                next_time = max(next_time + 1 / self.rate, time.monotonic() - 1)
                pending.append(next_number)
                self._send(connection, next_number)
                next_number += 1
            elif pending:
                packet = connection.read()
                assert packet is not None, "the broker closed a good publisher"
                if packet.type == PINGRESP:
                    continue
                identifier = struct.unpack(">H", packet.body[:2])[0]
                number = next((n for n in pending if n % 65535 + 1 == identifier), None)
                assert packet.type in (PUBACK, PUBREC, PUBCOMP), f"packet type {packet.type}"
                code = packet.body[2] if len(packet.body) > 2 else 0
                assert code in (0, QUOTA_EXCEEDED), f"packet type {packet.type} with reason {code}"
                if code == QUOTA_EXCEEDED:
                    self.refused += 1
                    pending.remove(number)
                    next_time = time.monotonic() + 0.5
                    continue
                if packet.type != PUBCOMP:
                    assert number > last, f"{number} acknowledged after {last}"
                    last = number
                    self.acknowledged.add(number)
                if packet.type == PUBREC:
                    connection.send(acknowledgement(PUBREL, identifier))
                else:
                    pending.remove(number)
            else:
                time.sleep(max(0, min(0.2, next_time - time.monotonic())))
            if time.monotonic() > self._pinged[0] + 20:
                self._ping(connection, 0)
            if not pending and self.random.random() < 0.0005 * 50 / self.rate:
                connection.close()
                self.reconnections += 1
                connection = self._connect(f"{self.name}-pub")
        connection.close()

    def _ping(self, connection, index):
        self._pinged[index] = time.monotonic()
        connection.send(raw_packet(PINGREQ, 0))

    def _send(self, connection, number):
        connection.send(publish_packet("5.0", self.topic, b"%d " % number + b"x" * 64, qos=self.qos, identifier=number % 65535 + 1))

    def _subscribe(self):
        connection = self._connect(f"{self.name}-sub")
        connection.send(subscribe_packet("5.0", 1, self.topic, self.qos))
        connection.expect(SUBACK)
        self._subscribed.set()
        connection._socket.settimeout(1)
        while not self.stopping.is_set():
            if time.monotonic() > self._pinged[1] + 20:
                self._ping(connection, 1)
            try:
                packet = connection.read()
            except TimeoutError:
                continue
            assert packet is not None and packet.type != DISCONNECT, f"the broker closed a good subscriber: {packet}"
            if packet.type == PUBLISH:
                self._take(connection, packet)
            elif packet.type == PUBREL:
                self._held.discard(packet.body[:2])
                connection.send(acknowledgement(PUBCOMP, struct.unpack(">H", packet.body[:2])[0]))
            if self.random.random() < 0.0005:
                connection.close()
                self.reconnections += 1
                connection = self._connect(f"{self.name}-sub")
                connection._socket.settimeout(1)
        connection.close()

    def _take(self, connection, packet):
        length = 2 + len(self.topic)
        identifier = packet.body[length : length + 2]
        number = int(packet.body[length + 3 :].split()[0])
        duplicate = bool(packet.flags & 8)
        if self.qos == 2:
            if identifier not in self._held:
                self._held.add(identifier)
                self._account(number, duplicate)
            connection.send(acknowledgement(PUBREC, struct.unpack(">H", identifier)[0]))
        else:
            self._account(number, duplicate)
            connection.send(acknowledgement(PUBACK, struct.unpack(">H", identifier)[0]))

    def _account(self, number, duplicate):
        if number > self._last:
            self._last = number
            self.received.add(number)
        elif self.qos == 1 and duplicate and number in self.received:
            self.repeated += 1
        else:
            self.faults.append(f"{self.name}: {number} after {self._last}")
