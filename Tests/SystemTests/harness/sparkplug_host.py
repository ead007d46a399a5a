"""A Sparkplug host application that holds an edge node to the rules of the specification."""

import json
import time
from dataclasses import dataclass, field

from .mqtt_client import Client
from .sparkplug import TYPES, Payload
from .waiting import DEFAULT_TIMEOUT

_NAMES = {number: name for name, number in TYPES.items()}
_SIGNED = {"Int8": 8, "Int16": 16, "Int32": 32, "Int64": 64}


@dataclass
class Value:
    """A metric as it came."""

    value: object
    #: Milliseconds.
    timestamp: int
    historical: bool
    #: The code; 192 if none is told.
    quality: int
    reason: str | None = None


@dataclass
class Event:
    """A message of the edge node."""

    type: str
    #: None for the node itself.
    device: str | None
    values: dict = field(default_factory=dict)
    #: Every metric in order, as (name, Value): one may be there several times.
    metrics: list = field(default_factory=list)
    bdseq: int | None = None


class SparkplugHost:
    """Subscribes to a group, tells its state, and checks each message of the one edge node there."""

    def __init__(self, port, group, node, identifier="scada", *, tells_state=True):
        self.state_topic = f"spBv1.0/STATE/{identifier}"
        self._group, self._node = group, node
        self._tells_state = tells_state
        will = (self.state_topic, self._state(False), 1, True) if tells_state else None
        self.client = Client(port, identifier=f"host-{identifier}", will=will)
        self._sequence = None
        self._bdseq = None
        self._born = set()
        # By (device, alias): name and type.
        self._aliases = {}

    def start(self):
        self.client.connect()
        self.client.subscribe(f"spBv1.0/{self._group}/#", 1)
        if self._tells_state:
            self.online()
        return self

    def online(self):
        self.client.publish(self.state_topic, self._state(True), 1, True)

    def offline(self):
        self.client.publish(self.state_topic, self._state(False), 1, True)

    def stop(self):
        self.client.disconnect()

    @staticmethod
    def _state(online):
        return json.dumps({"online": online, "timestamp": int(time.time() * 1000)})

    # Commands

    def rebirth(self):
        payload = Payload(timestamp=int(time.time() * 1000))
        payload.metrics.add(name="Node Control/Rebirth", datatype=TYPES["Boolean"], boolean_value=True)
        self.client.publish(f"spBv1.0/{self._group}/NCMD/{self._node}", payload.SerializeToString())

    def set(self, device, alias=None, **value):
        """`set("m1", 3, int_value=5)`; a metric is named by its alias, or by `name`."""
        payload = Payload(timestamp=int(time.time() * 1000))
        metric = payload.metrics.add(**value)
        if alias is not None:
            metric.alias = alias
        self.client.publish(f"spBv1.0/{self._group}/DCMD/{self._node}/{device}", payload.SerializeToString())

    def alias(self, device, name):
        return next(alias for (owner, alias), (known, _) in self._aliases.items() if owner == device and known == name)

    # Messages

    def next(self, timeout=DEFAULT_TIMEOUT):
        """The next message of the edge node, checked."""
        while True:
            message = self.client.receive(timeout)
            levels = message.topic.split("/")
            # Our own commands.
            if levels[2] not in ("NCMD", "DCMD"):
                return self._take(message, levels)

    def until(self, condition, timeout=DEFAULT_TIMEOUT):
        """All messages up to the first that fulfils `condition`, with that one last."""
        deadline = time.monotonic() + timeout
        events = []
        while True:
            left = deadline - time.monotonic()
            assert left > 0, f"no message fulfilled the condition within {timeout:g} s; the last ones: {events[-3:]}"
            events.append(self.next(left))
            if condition(events[-1]):
                return events

    def until_type(self, type, timeout=DEFAULT_TIMEOUT):
        return self.until(lambda event: event.type == type, timeout)[-1]

    def _take(self, message, levels):
        assert levels[:2] == ["spBv1.0", self._group] and levels[3] == self._node, message.topic
        type = levels[2]
        device = levels[4] if len(levels) == 5 else None
        assert (device is not None) == type.startswith("D"), message.topic
        assert not message.retain
        payload = Payload.FromString(message.payload)
        assert payload.HasField("timestamp")
        event = Event(type, device)
        if type == "NDEATH":
            self._take_death(payload, event)
            return event
        assert message.qos == 0, "births and data have QoS 0"
        self._count(payload, type)
        if type in ("NBIRTH", "DBIRTH"):
            self._take_birth(payload, event)
        else:
            assert device in self._born, f"{type} of {device} before its birth"
            if type == "DDEATH":
                self._born.remove(device)
            for metric in payload.metrics:
                assert not metric.HasField("name") and not metric.HasField("datatype")
                name, kind = self._aliases[device, metric.alias]
                self._note(event, name, kind, metric)
        return event

    def _count(self, payload, type):
        assert payload.HasField("seq")
        if type == "NBIRTH":
            assert payload.seq == 0
        else:
            assert self._sequence is not None, f"{type} before NBIRTH"
            assert payload.seq == (self._sequence + 1) % 256, f"{type}: {payload.seq} after {self._sequence}"
        self._sequence = payload.seq

    def _take_death(self, payload, event):
        assert not payload.HasField("seq")
        assert [metric.name for metric in payload.metrics] == ["bdSeq"]
        event.bdseq = payload.metrics[0].long_value
        # A death that does not belong to the last birth is none: the will of a connection that had no births.
        if event.bdseq == self._bdseq:
            self._born.clear()
            self._sequence = None

    def _take_birth(self, payload, event):
        if event.type == "NBIRTH":
            self._born.clear()
            self._aliases.clear()
            numbers = [metric.long_value for metric in payload.metrics if metric.name == "bdSeq"]
            assert len(numbers) == 1 and 0 <= numbers[0] <= 255
            event.bdseq = self._bdseq = numbers[0]
            rebirth = [metric for metric in payload.metrics if metric.name == "Node Control/Rebirth"]
            assert len(rebirth) == 1 and rebirth[0].boolean_value is False and not rebirth[0].HasField("alias")
        else:
            assert None in self._born, "DBIRTH before NBIRTH"
            for key in [key for key in self._aliases if key[0] == event.device]:
                del self._aliases[key]
        self._born.add(event.device)
        for metric in payload.metrics:
            assert metric.name and metric.HasField("datatype") and metric.HasField("timestamp")
            assert metric.is_null or metric.WhichOneof("value")
            if metric.HasField("alias"):
                assert metric.alias not in {alias for _, alias in self._aliases}, f"alias {metric.alias} twice"
                self._aliases[event.device, metric.alias] = (metric.name, _NAMES[metric.datatype])
            self._note(event, metric.name, _NAMES[metric.datatype], metric)

    @staticmethod
    def _note(event, name, kind, metric):
        assert metric.HasField("timestamp")
        value = None
        if not metric.is_null:
            value = getattr(metric, metric.WhichOneof("value"))
            if kind in _SIGNED and value >> (_SIGNED[kind] - 1):
                value -= 1 << _SIGNED[kind]
        told = dict(zip(metric.properties.keys, metric.properties.values))
        quality = told["Quality"].int_value if "Quality" in told else 192
        assert "Quality" not in told or told["Quality"].type == TYPES["Int32"]
        assert quality in (0, 192, 500)
        reason = told["Reason"].string_value if "Reason" in told else None
        event.values[name] = Value(value, metric.timestamp, metric.is_historical, quality, reason)
        event.metrics.append((name, event.values[name]))
