"""What a broker still has after kill -9: one scenario for each thing that it has acknowledged.

A scenario prepares a broker, has it acknowledge things, kills it 0.3 s after the last acknowledgement, starts it again and
returns how many of how many are there.
"""

import time

from . import raw_mqtt
from .raw_mqtt import RawConnection, acknowledgement, publish_packet, subscribe_packet

COUNT = 500
#: As many as every broker takes without PUBREL.
COUNT_NOT_RELEASED = 20
VERSION = "3.1.1"
PAUSE = 0.3


class Session(RawConnection):
    """A client with a session that outlives its connections."""

    def __init__(self, port, identifier, clean=False):
        super().__init__(port)
        self.session_present = self.connect(VERSION, identifier, clean=clean)

    def subscribe(self, *filters, qos=1):
        for identifier, topic_filter in enumerate(filters, 1):
            self.send(subscribe_packet(VERSION, identifier, topic_filter, qos))
        for _ in filters:
            suback = self._next(raw_mqtt.SUBACK)
            assert suback.body[2:] == bytes([qos]), f"a subscription was refused: {suback}"

    def publish(self, messages, qos=1, retain=False, release=True):
        """Publishes (topic, payload) pairs, not more than 20 unacknowledged, and returns once all are acknowledged."""
        acknowledged, done = (raw_mqtt.PUBACK, raw_mqtt.PUBACK) if qos == 1 else (raw_mqtt.PUBREC, raw_mqtt.PUBCOMP)
        for start in range(0, len(messages), 20):
            burst = list(enumerate(messages[start : start + 20], start + 1))
            self.send(
                b"".join(
                    publish_packet(VERSION, topic, payload, qos=qos, identifier=identifier, retain=retain)
                    for identifier, (topic, payload) in burst
                )
            )
            for _ in burst:
                self._next(acknowledged)
            if qos == 2 and release:
                self.send(b"".join(acknowledgement(raw_mqtt.PUBREL, identifier) for identifier, _ in burst))
                for _ in burst:
                    self._next(done)

    def receive(self, count, acknowledge=True, patience=2.0):
        """Payloads of up to `count` messages, in the order of arrival; fewer when nothing comes for `patience` seconds."""
        self._socket.settimeout(patience)
        payloads = []
        try:
            while len(payloads) < count:
                packet = self.read()
                if packet is None:
                    break
                if packet.type == raw_mqtt.PUBREL:
                    self.send(acknowledgement(raw_mqtt.PUBCOMP, int.from_bytes(packet.body[:2])))
                if packet.type != raw_mqtt.PUBLISH:
                    continue
                qos = packet.flags >> 1 & 3
                at = 2 + int.from_bytes(packet.body[:2])
                identifier = int.from_bytes(packet.body[at : at + 2]) if qos else 0
                payloads.append(packet.body[at + 2 if qos else at :])
                if qos and acknowledge:
                    self.send(acknowledgement(raw_mqtt.PUBACK if qos == 1 else raw_mqtt.PUBREC, identifier))
        except TimeoutError:
            pass
        return payloads

    def _next(self, type):
        """The next packet of a type; messages before it are passed over."""
        while True:
            packet = self.read()
            assert packet is not None, f"the connection ended before packet type {type}"
            if packet.type == type:
                return packet


def _numbers(topic, count=COUNT):
    return [(topic, str(number).encode()) for number in range(count)]


def _crash(broker):
    time.sleep(PAUSE)
    broker.crash()
    broker.start()


def queued(broker, qos):
    """Messages for a persistent session that is away."""
    Session(broker.port, "away").subscribe("q/t", qos=qos)
    with Session(broker.port, "away"):
        pass
    Session(broker.port, "publisher", clean=True).publish(_numbers("q/t"), qos)
    _crash(broker)
    received = Session(broker.port, "away").receive(COUNT)
    return len(set(received)) if received == sorted(received, key=int) else "out of order", COUNT


def in_flight(broker):
    """Messages that a connected persistent session was sent and has not acknowledged, and those behind them."""
    here = Session(broker.port, "here")
    here.subscribe("f/t")
    Session(broker.port, "publisher", clean=True).publish(_numbers("f/t"))
    here.receive(20, acknowledge=False)
    _crash(broker)
    return len(set(Session(broker.port, "here").receive(COUNT))), COUNT


def not_released(broker):
    """Packet identifiers of QoS 2 messages whose PUBREC was sent: sent again, none may be delivered twice."""
    Session(broker.port, "away").subscribe("r/t", qos=2)
    publisher = Session(broker.port, "releasing")
    messages = _numbers("r/t", COUNT_NOT_RELEASED)
    publisher.publish(messages, qos=2, release=False)
    _crash(broker)
    again = Session(broker.port, "releasing")
    if not again.session_present:
        return 0, COUNT_NOT_RELEASED
    again.publish(messages, qos=2)
    received = Session(broker.port, "away").receive(2 * COUNT_NOT_RELEASED)
    twice = len(received) - len(set(received))
    return len(set(received)) if twice == 0 else f"{twice} twice", COUNT_NOT_RELEASED


def retained(broker):
    """Retained messages."""
    messages = [(f"k/{number}", str(number).encode()) for number in range(COUNT)]
    Session(broker.port, "publisher", clean=True).publish(messages, retain=True)
    _crash(broker)
    reader = Session(broker.port, "reader", clean=True)
    reader.send(subscribe_packet(VERSION, 1, "k/#", 1))
    return len(set(reader.receive(COUNT))), COUNT


def subscriptions(broker):
    """Subscriptions of a persistent session whose SUBACK was sent."""
    topics = [f"s/{number}" for number in range(COUNT)]
    Session(broker.port, "subscribed").subscribe(*topics)
    _crash(broker)
    with Session(broker.port, "subscribed") as session:
        if not session.session_present:
            return 0, COUNT
    Session(broker.port, "publisher", clean=True).publish([(topic, topic.encode()) for topic in topics])
    return len(set(Session(broker.port, "subscribed").receive(COUNT))), COUNT


#: What is acknowledged, and how it is looked for.
SCENARIOS = {
    "queued, QoS 1 (PUBACK)": lambda broker: queued(broker, 1),
    "queued, QoS 2 (PUBCOMP)": lambda broker: queued(broker, 2),
    "in flight, QoS 1": in_flight,
    "not released, QoS 2 (PUBREC)": not_released,
    "retained": retained,
    "subscriptions (SUBACK)": subscriptions,
}
