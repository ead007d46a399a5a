"""A paho-mqtt client whose every step waits for the broker's answer."""

import itertools
import queue
import threading
from dataclasses import dataclass

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from .waiting import DEFAULT_TIMEOUT

_PROTOCOLS = {"3.1": paho.MQTTv31, "3.1.1": paho.MQTTv311, "5.0": paho.MQTTv5}
_markers = itertools.count(1)


def properties(packet, **values):
    """Properties of a packet type, named as in the standard: `properties("PUBLISH", MessageExpiryInterval=5)`."""
    result = Properties(getattr(PacketTypes, packet))
    for name, value in values.items():
        setattr(result, name, value)
    return result


@dataclass
class Message:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    duplicate: bool
    identifier: int
    properties: object

    @property
    def text(self):
        return self.payload.decode()


class Client:
    """One MQTT client. It does not reconnect by itself, so that a test sees each connection that it makes.

    `persistent` asks for a session that outlives the connection: clean session 0, or with 5.0 clean start 0 and an
    expiry of an hour unless `connect_properties` says otherwise. `transport` is paho's: tcp, websockets, or unix, where
    `host` is the socket's path; `tls` an ssl.SSLContext.
    """

    def __init__(
        self,
        port,
        version="3.1.1",
        identifier="",
        *,
        persistent=False,
        keep_alive=60,
        will=None,
        will_properties=None,
        connect_properties=None,
        manual_acknowledgement=False,
        user=None,
        password=None,
        max_inflight=20,
        host="127.0.0.1",
        transport="tcp",
        websocket_path="/mqtt",
        tls=None,
    ):
        self.version = version
        self.identifier = identifier
        self._host = host
        # paho wants one for a Unix socket too.
        self._port = port or 1
        self._persistent = persistent
        self._keep_alive = keep_alive
        self._connect_properties = connect_properties
        self.messages = queue.Queue()
        self._answers = {}
        self._answered = threading.Condition()
        self._connected = queue.Queue()
        self._disconnected = threading.Event()
        self.disconnect_reason = None
        clean = {} if version == "5.0" else {"clean_session": not persistent}
        self._paho = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=identifier,
            protocol=_PROTOCOLS[version],
            reconnect_on_failure=False,
            manual_ack=manual_acknowledgement,
            transport=transport,
            **clean,
        )
        self._paho.max_inflight_messages_set(max_inflight)
        if transport == "websockets":
            self._paho.ws_set_options(path=websocket_path)
        if tls is not None:
            self._paho.tls_set_context(tls)
        if user is not None:
            self._paho.username_pw_set(user, password)
        if will:
            self._paho.will_set(*will, properties=will_properties)
        self._paho.on_connect = lambda _c, _u, flags, reason, props: self._connected.put((flags, reason, props))
        self._paho.on_connect_fail = lambda *_: self._connected.put(None)
        self._paho.on_disconnect = self._on_disconnect
        self._paho.on_message = self._on_message
        self._paho.on_subscribe = lambda _c, _u, mid, reasons, _p: self._answer(mid, reasons)
        self._paho.on_unsubscribe = lambda _c, _u, mid, reasons, _p: self._answer(mid, reasons)
        self._paho.on_publish = lambda _c, _u, mid, reason, _p: self._answer(mid, reason)

    # Connecting

    def connect(self, *, expected=0, clean_start=None):
        """Connects and waits for the CONNACK, whose reason code has to be `expected`."""
        options = {}
        if self.version == "5.0":
            options["clean_start"] = not self._persistent if clean_start is None else clean_start
            options["properties"] = self._connect_properties
            if self._persistent and self._connect_properties is None:
                options["properties"] = properties("CONNECT", SessionExpiryInterval=3600)
        self._disconnected.clear()
        self._paho.connect(self._host, self._port, self._keep_alive, **options)
        self._paho.loop_start()
        answer = self._connected.get(timeout=DEFAULT_TIMEOUT)
        assert answer is not None, "the connection ended before its CONNACK"
        self.connect_flags, self.connect_reason, self.connect_answer = answer
        self.session_present = self.connect_flags.session_present
        assert self.connect_reason.value == expected, f"CONNECT was answered by {self.connect_reason}"
        return self

    @property
    def socket(self):
        return self._paho.socket()

    def disconnect(self, reason=None, disconnect_properties=None):
        """A DISCONNECT, so that the broker does not publish the will."""
        self._paho.disconnect(reason, disconnect_properties)
        self._paho.loop_stop()

    def drop(self):
        """Ends the TCP connection without a DISCONNECT, as a broken line does."""
        socket = self._paho.socket()
        if socket is not None:
            # A WebSocket of paho's is not a socket, but has one.
            socket = getattr(socket, "_socket", socket)
            try:
                socket.shutdown(2)
            except OSError:
                pass
        self._paho.loop_stop()

    def wait_until_disconnected(self, timeout=DEFAULT_TIMEOUT):
        """Waits until the broker ends the connection. Returns the reason code."""
        assert self._disconnected.wait(timeout), f"the broker did not end the connection of {self.identifier!r}"
        return self.disconnect_reason

    @property
    def is_connected(self):
        return self._paho.is_connected()

    # Subscribing and publishing

    def subscribe(self, topic_filter, qos=0, *, subscription_identifier=None, **options):
        """Subscribes and waits for the SUBACK. Returns the code. Options are those of paho's SubscribeOptions."""
        if self.version == "5.0":
            props = None
            if subscription_identifier is not None:
                props = properties("SUBSCRIBE", SubscriptionIdentifier=subscription_identifier)
            _, mid = self._paho.subscribe(topic_filter, options=SubscribeOptions(qos, **options), properties=props)
        else:
            _, mid = self._paho.subscribe(topic_filter, qos)
        return self._await(mid, f"a SUBACK for {topic_filter}")[0].value

    def unsubscribe(self, topic_filter):
        _, mid = self._paho.unsubscribe(topic_filter)
        self._await(mid, f"an UNSUBACK for {topic_filter}")

    def publish(self, topic, payload=b"", qos=0, retain=False, **publish_properties):
        """Publishes, and waits until the broker has taken the message over. Returns the reason code if there is one."""
        return self.wait_published(self.start_publish(topic, payload, qos, retain, **publish_properties))

    def start_publish(self, topic, payload=b"", qos=0, retain=False, **publish_properties):
        """Publishes without waiting for the acknowledgement."""
        props = properties("PUBLISH", **publish_properties) if publish_properties else None
        return self._paho.publish(topic, payload, qos, retain, props).mid

    def wait_published(self, mid):
        return self._await(mid, f"the acknowledgement of message {mid}")

    def acknowledge(self, message):
        """Only with `manual_acknowledgement`."""
        self._paho.ack(message.identifier, message.qos)

    # Receiving

    def receive(self, timeout=DEFAULT_TIMEOUT):
        """The next message; fails when none comes."""
        try:
            return self.messages.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"{self.identifier!r} received nothing for {timeout:g} s") from None

    def receive_many(self, count, timeout=DEFAULT_TIMEOUT):
        return [self.receive(timeout) for _ in range(count)]

    def receive_where(self, condition, timeout=DEFAULT_TIMEOUT):
        """The next message that fulfils `condition`; those before it are dropped."""
        while True:
            message = self.receive(timeout)
            if condition(message):
                return message

    def everything_before_a_marker(self, publisher=None, qos=1):
        """Publishes a marker through `publisher` and returns all that this client receives before it. What the broker
        was going to deliver for earlier messages of `publisher` is among it, so that an absence can be asserted
        without waiting some time for it."""
        marker = f"marker/{next(_markers)}-{self.identifier}"
        self.subscribe(marker, qos)
        (publisher or self).publish(marker, b"", qos)
        received = []
        while (message := self.receive()).topic != marker:
            received.append(message)
        return received

    # Callbacks, on paho's thread

    def _on_message(self, _client, _user, m):
        self.messages.put(Message(m.topic, m.payload, m.qos, m.retain, m.dup, m.mid, m.properties))

    def _on_disconnect(self, _client, _user, _flags, reason, _props):
        self.disconnect_reason = reason
        self._connected.put(None) if self._connected.empty() and not self._paho.is_connected() else None
        self._disconnected.set()

    def _answer(self, mid, value):
        with self._answered:
            self._answers[mid] = value
            self._answered.notify_all()

    def _await(self, mid, what):
        with self._answered:
            assert self._answered.wait_for(lambda: mid in self._answers, DEFAULT_TIMEOUT), f"{what} did not come"
            return self._answers.pop(mid)
