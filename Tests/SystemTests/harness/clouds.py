"""The platforms that a bridge's forms speak to, played on top of a mosquitto: EnOS, Azure IoT Hub and AWS IoT Core.

mosquitto carries the messages; what the platform would check, answer or ask is done here by a client of it. CONNECT, which
mosquitto keeps to itself, is read on its way by `Line`.
"""

import base64
import gzip
import hashlib
import hmac
import json
import queue
import struct
import threading
import urllib.parse
from dataclasses import dataclass

from .mqtt_client import Client
from .tcp_proxy import TcpProxy
from .waiting import DEFAULT_TIMEOUT, eventually


@dataclass
class Connect:
    level: int
    clean: bool
    client: str
    user: str | None
    password: bytes | None


def parse_connect(data):
    """The fields of a CONNECT of MQTT 3.1.1 without a will."""
    at = 1
    while data[at] & 0x80:
        at += 1
    at += 1

    def field():
        nonlocal at
        (length,) = struct.unpack_from(">H", data, at)
        at += 2 + length
        return data[at - length : at]

    assert field() == b"MQTT"
    level, flags = data[at], data[at + 1]
    at += 4
    client = field().decode()
    user = field().decode() if flags & 0x80 else None
    password = field() if flags & 0x40 else None
    return Connect(level, bool(flags & 2), client, user, password)


class Line(TcpProxy):
    """The line to the platform; keeps each CONNECT that goes over it in `connects`."""

    def __init__(self, *targets):
        super().__init__(*targets)
        self.connects = []

    def _passing(self, data, towards):
        # A bridge sends its CONNECT first and waits for the answer, so that it comes by itself.
        if towards == "target" and data[0] == 0x10:
            self.connects.append(parse_connect(data))
        return super()._passing(data, towards)

    def connect(self, number=0):
        """The CONNECT with that number."""
        eventually(lambda: len(self.connects) > number, f"connection {number + 1}")
        return self.connects[number]


class Platform:
    """A client of the mosquitto that answers as a platform does, on a thread of its own."""

    def __init__(self, port, *filters):
        self._client = Client(port, "3.1.1", "platform").connect()
        self._seen = queue.Queue()
        #: Mistakes of the box, for `check`.
        self.mistakes = []
        for topic_filter in filters:
            self._client.subscribe(topic_filter, 1)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while (message := self._client.messages.get()) is not None:
            try:
                self.take(message)
            except Exception as mistake:  # pylint: disable=broad-except
                self.mistakes.append(f"{message.topic} {message.payload[:200]}: {mistake!r}")

    def take(self, message):
        self._seen.put(message)

    def send(self, topic, payload, qos=1):
        """Without waiting for the acknowledgement, so that it may be called while a message is taken."""
        self._client.start_publish(topic, json.dumps(payload) if isinstance(payload, (dict, list)) else payload, qos)

    def receive(self, condition=lambda message: True, timeout=DEFAULT_TIMEOUT):
        """The next message that fulfils `condition`; those before it are dropped."""
        while True:
            try:
                message = self._seen.get(timeout=timeout)
            except queue.Empty:
                raise AssertionError(f"nothing came to the platform for {timeout:g} s; {self.mistakes}") from None
            if condition(message):
                return message

    def receive_at(self, topic, timeout=DEFAULT_TIMEOUT):
        return self.receive(lambda message: message.topic == topic, timeout)

    def close(self):
        self._client.messages.put(None)
        self._thread.join(DEFAULT_TIMEOUT)
        self._client.drop()


def enos_sign(client, product, device, timestamp, secret):
    text = f"clientId{client}deviceKey{device}productKey{product}timestamp{timestamp}{secret}"
    return hashlib.sha256(text.encode()).hexdigest().upper()


class EnOS(Platform):
    """The platform: checks the sub-devices' logins, answers posts, and keeps what was posted.

    A post of a device that is not logged in is answered with 1009, and not kept.
    """

    def __init__(self, port, gateway, secrets, compressed=False):
        self.gateway = gateway
        self._secrets = secrets
        self._compressed = compressed
        self.online = set()
        #: (product/device, verb, points, time) in the order of their coming; the verb is post or resume.
        self.posts = []
        super().__init__(port, "/sys/#", "/ext/session/#")

    def take(self, message):
        _, kind, *rest = message.topic.split("/")
        if message.topic.endswith("_reply") and "/service/" not in message.topic and "/activate/" not in message.topic:
            return
        payload = message.payload
        if self._compressed and payload[:2] == b"\x1f\x8b":
            payload = gzip.decompress(payload)
        if kind == "ext" and message.topic.endswith("/combine/login/batch"):
            self._login(message.topic, json.loads(payload))
        elif kind == "ext" and message.topic.endswith("/combine/login"):
            self._login_alone(message.topic, json.loads(payload))
        elif "/measurepoint/" in message.topic and "/service/" not in message.topic:
            self._post(f"{rest[0]}/{rest[1]}", message.topic, json.loads(payload))
        message.payload = payload
        self._seen.put(message)

    def answer(self, topic, body):
        text = json.dumps(body).encode()
        self.send(topic, gzip.compress(text) if self._compressed else text)

    def _is_right(self, client, product, device, timestamp, sign):
        secret = self._secrets.get(f"{product}/{device}")
        return secret is not None and sign.upper() == enos_sign(client, product, device, timestamp, secret)

    def _login(self, topic, body):
        assert body["method"] == "combine.login.batch"
        params, good, bad = body["params"], [], []
        for device in params["subDevices"]:
            keys = {"productKey": device["productKey"], "deviceKey": device["deviceKey"]}
            right = self._is_right(params["clientId"], *keys.values(), params["timestamp"], device["sign"])
            (good if right else bad).append(keys)
        self.online.update(f"{d['productKey']}/{d['deviceKey']}" for d in good)
        data = {"loginedSubDevices": good, "failedSubDevices": bad}
        self.answer(f"{topic}_reply", {"id": body["id"], "code": 742 if bad else 200, "data": data})

    def _login_alone(self, topic, body):
        assert body["method"] == "combine.login"
        p = body["params"]
        right = self._is_right(p["clientId"], p["productKey"], p["deviceKey"], p["timestamp"], p["sign"])
        if right:
            self.online.add(f"{p['productKey']}/{p['deviceKey']}")
        self.answer(f"{topic}_reply", {"id": body["id"], "code": 200 if right else 742, "data": {}})

    def _post(self, device, topic, body):
        tail = topic.split("/", 4)[4]
        assert body["method"] == tail.replace("/", "."), "the method belongs to another topic"
        verb = tail.split("/")[2]
        if tail.endswith("/batch"):
            assert device == self.gateway and body["allowOfflineSubDevice"] is True
            for item in body["params"]:
                self.posts.append((f"{item['productKey']}/{item['deviceKey']}", verb, item["measurepoints"], item["time"]))
        elif device != self.gateway and device not in self.online:
            self.answer(f"{topic}_reply", {"id": body["id"], "code": 1009, "data": {}, "message": "not logged in"})
            return
        else:
            self.posts.append((device, verb, body["params"]["measurepoints"], body["params"]["time"]))
        self.answer(f"{topic}_reply", {"id": body["id"], "code": 200, "data": {}})

    def activate(self, secret):
        """Gives the gateway its own secret, as the platform does once, and waits for the answer."""
        product, device = self.gateway.split("/")
        topic = f"/ext/session/{self.gateway}/thing/activate/info"
        params = {"assetId": "a1", "productKey": product, "deviceKey": device, "deviceSecret": secret}
        self.send(topic, {"id": "1", "version": "1.0", "method": "thing.activate.info", "params": params})
        assert json.loads(self.receive_at(f"{topic}_reply").payload) == {"id": "1", "code": 200, "data": {}, "message": ""}

    def wait_for_posts(self, count, timeout=DEFAULT_TIMEOUT):
        eventually(lambda: len(self.posts) >= count, f"{count} posts, of which {len(self.posts)} came", timeout)
        return self.posts


def azure_token_is_right(token, resource, key):
    """Whether a shared access signature is what the hub would make of it. Returns its end."""
    kind, _, fields = token.partition(" ")
    assert kind == "SharedAccessSignature"
    fields = dict(pair.split("=", 1) for pair in fields.split("&"))
    encoded = urllib.parse.quote(resource, safe="")
    assert fields["sr"] == encoded
    made = hmac.new(base64.b64decode(key), f"{encoded}\n{fields['se']}".encode(), hashlib.sha256).digest()
    assert urllib.parse.unquote(fields["sig"]) == base64.b64encode(made).decode()
    return int(fields["se"])


class AzureHub(Platform):
    """The hub's end of one device: its twin, its methods and its events."""

    def __init__(self, port, device):
        self.device = device
        self.desired = {"$version": 1}
        self.reported = {"$version": 1}
        super().__init__(port, f"devices/{device}/messages/events/#", "$iothub/twin/GET/#", "$iothub/twin/PATCH/properties/reported/#", "$iothub/methods/res/#")

    def take(self, message):
        if message.topic.startswith("$iothub/twin/GET/"):
            request = message.topic.split("$rid=")[1]
            self.send(f"$iothub/twin/res/200/?$rid={request}", {"desired": self.desired, "reported": self.reported})
        elif message.topic.startswith("$iothub/twin/PATCH/properties/reported/"):
            request = message.topic.split("$rid=")[1]
            merge(self.reported, json.loads(message.payload))
            self.reported["$version"] += 1
            self.send(f"$iothub/twin/res/204/?$rid={request}&$version={self.reported['$version']}", b"")
        self._seen.put(message)

    def desire(self, change):
        merge(self.desired, change)
        self.desired["$version"] += 1
        version = self.desired["$version"]
        self.send(f"$iothub/twin/PATCH/properties/desired/?$version={version}", {**change, "$version": version})

    def call(self, method, payload, request="7"):
        """Calls a direct method. Returns its status and the answer."""
        self.send(f"$iothub/methods/POST/{method}/?$rid={request}", payload)
        message = self.receive(lambda m: m.topic.startswith("$iothub/methods/res/") and m.topic.endswith(f"?$rid={request}"))
        return int(message.topic.split("/")[3]), json.loads(message.payload)

    def event(self):
        """The next event: its properties and its payload."""
        message = self.receive(lambda m: m.topic.startswith("devices/"))
        bag = message.topic.rsplit("/", 1)[1]
        return dict(urllib.parse.parse_qsl(bag, strict_parsing=True)), json.loads(message.payload)


class AWSThing(Platform):
    """The service's end of one thing: its classic shadow and its topics."""

    def __init__(self, port, thing):
        self._shadow = f"$aws/things/{thing}/shadow"
        self.desired, self.reported, self.version = {}, {}, 1
        super().__init__(port, "dt/#", f"{self._shadow}/get", f"{self._shadow}/update", f"$aws/things/{thing}/jobs/+/update")

    def take(self, message):
        if message.topic == f"{self._shadow}/get":
            state = {"desired": self.desired, "reported": self.reported}
            self.send(f"{self._shadow}/get/accepted", {"state": state, "version": self.version})
        elif message.topic == f"{self._shadow}/update":
            merge(self.reported, json.loads(message.payload)["state"]["reported"])
            self._changed()
        self._seen.put(message)

    def desire(self, change):
        merge(self.desired, change)
        self._changed()

    def _changed(self):
        self.version += 1
        delta = difference(self.desired, self.reported)
        if delta:
            self.send(f"{self._shadow}/update/delta", {"version": self.version, "state": delta})


def merge(document, change):
    """As both clouds merge a change: null takes away."""
    for name, value in change.items():
        if value is None:
            document.pop(name, None)
        elif isinstance(value, dict):
            merge(document.setdefault(name, {}), value)
        else:
            document[name] = value


def difference(desired, reported):
    result = {}
    for name, value in desired.items():
        if isinstance(value, dict):
            if inner := difference(value, reported.get(name) or {}):
                result[name] = inner
        elif reported.get(name) != value:
            result[name] = value
    return result
