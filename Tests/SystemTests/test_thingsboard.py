"""The bridge as a gateway of ThingsBoard: a client of mosquitto does what ThingsBoard does with the gateway API."""

import json

import pytest

from harness.modbus import Device, ModbusTcp, meter
from harness.mqtt_client import Client
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only


class ThingsBoard:
    """Takes what gateways say, refuses what ThingsBoard would refuse, and calls methods of devices."""

    def __init__(self, port):
        self.client = Client(port, identifier="thingsboard")
        self.connected = set()
        self._call = 0

    def start(self):
        self.client.connect()
        self.client.subscribe("v1/#", 1)
        return self

    def stop(self):
        self.client.disconnect()

    def next(self):
        """The next message of the gateway: its topic and its payload."""
        while True:
            message = self.client.receive()
            body = json.loads(message.payload)
            # What this server itself has published.
            if message.topic == "v1/gateway/rpc" and "method" in body.get("data", {}) or "shared" in body.get("data", {}):
                continue
            if message.topic == "v1/gateway/connect":
                self.connected.add(body["device"])
            elif message.topic == "v1/gateway/disconnect":
                self.connected.discard(body["device"])
            elif message.topic in ("v1/gateway/telemetry", "v1/gateway/attributes"):
                self._check(message.topic, body)
            return message.topic, body

    def _check(self, topic, body):
        assert body
        for device, values in body.items():
            assert device in self.connected, f"{device} is not connected"
            for part in values if topic.endswith("telemetry") else [{"values": values}]:
                assert None not in part["values"].values(), "ThingsBoard refuses null"

    def until(self, topic, condition=lambda body: True):
        while True:
            found, body = self.next()
            if found == topic and condition(body):
                return body

    def telemetry(self, device, condition):
        """The next values of a device that fulfil `condition`, with their time."""
        while True:
            body = self.until("v1/gateway/telemetry", lambda body: device in body)
            for part in body[device]:
                if condition(part["values"]):
                    return part["ts"], part["values"]

    def call(self, device, method, params):
        self._call += 1
        call = {"device": device, "data": {"id": self._call, "method": method, "params": params}}
        self.client.publish("v1/gateway/rpc", json.dumps(call), 1)
        return self.until("v1/gateway/rpc", lambda body: body["id"] == self._call)["data"]


def configuration(port, server):
    return f"""{meter(server)}
[[bridge]]
name = "thingsboard"
host = "127.0.0.1"
port = {port}
client-identifier = "box-1"
max-back-off = "1s"
  [[bridge.forward]]
  filter = "/sys/#"
  [bridge.thingsboard]
  token-file = "token"
"""


def test_values_calls_and_attributes_of_a_device(martlet, mosquitto, keep, tmp_path):
    upstream = mosquitto()
    board = keep(ThingsBoard(upstream.port)).start()
    device = Device()
    device.holding[0] = 20
    server = keep(ModbusTcp({1: device})).start()
    (tmp_path / "martlet").mkdir()
    (tmp_path / "martlet" / "token").write_text("A1_TOKEN\n")
    box = martlet(configuration(upstream.port, server))

    assert board.next() == ("v1/gateway/connect", {"device": "meter/m1", "type": "meter"})
    eventually(lambda: "u'A1_TOKEN'" in upstream.log(), "the token as the bridge's user")
    board.telemetry("meter/m1", lambda values: values.get("setpoint") == 20)

    assert board.call("meter/m1", "set", {"setpoint": 42}) == {"success": True}
    assert device.holding[0] == 42
    board.telemetry("meter/m1", lambda values: values.get("setpoint") == 42)
    assert board.call("meter/m1", "get", ["setpoint"]) == {"setpoint": 42}
    assert board.call("meter/m1", "setpoint", 43) == {"success": True}
    assert "cannot be written" in board.call("meter/m1", "set", {"temp": 1})["error"]
    assert "no device" in board.call("meter/m9", "set", {"setpoint": 1})["error"]

    board.client.publish("v1/gateway/attributes", json.dumps({"device": "meter/m1", "data": {"setpoint": 44, "shared": True}}), 1)
    eventually(lambda: device.holding[0] == 44, "the shared attribute in the register")

    server.stop()
    assert board.until("v1/gateway/disconnect") == {"device": "meter/m1"}
    server.start()
    board.until("v1/gateway/connect")

    # A device of its own, with a service, learned from what it says.
    mine = keep(Client(box.port, identifier="pump")).connect()
    mine.subscribe("/sys/pump/p1/thing/service/+", 1)
    post = {"id": "1", "params": {"measurepoints": {"on": True}, "time": 1_700_000_000_000}}
    mine.publish("/sys/pump/p1/thing/measurepoint/post", json.dumps(post), 1)
    assert board.telemetry("pump/p1", lambda values: "on" in values) == (1_700_000_000_000, {"on": True})
    board.client.publish(
        "v1/gateway/rpc", json.dumps({"device": "pump/p1", "data": {"id": 99, "method": "start", "params": {"rpm": 900}}}), 1
    )
    command = json.loads(mine.receive_where(lambda message: message.topic.endswith("/service/start")).payload)
    assert command["method"] == "thing.service.start" and command["params"] == {"rpm": 900}
    answer = {"id": command["id"], "code": 200, "data": {"rpm": 899}}
    mine.publish("/sys/pump/p1/thing/service/start_reply", json.dumps(answer), 1)
    assert board.until("v1/gateway/rpc", lambda body: body["id"] == 99)["data"] == {"rpm": 899}


def test_an_outage_loses_nothing_and_keeps_the_times(martlet, mosquitto, keep, tmp_path):
    upstream = mosquitto()
    server = keep(ModbusTcp({1: Device()})).start()
    (tmp_path / "martlet").mkdir()
    (tmp_path / "martlet" / "token").write_text("A1_TOKEN")
    box = martlet(configuration(upstream.port, server))
    board = keep(ThingsBoard(upstream.port)).start()
    mine = keep(Client(box.port, identifier="counter")).connect()
    eventually(lambda: "connected" in box.log(), "the bridge's connection")
    upstream.crash()
    for number in range(100):
        post = {"id": "1", "params": {"measurepoints": {"n": number}, "time": 1_700_000_000_000 + number}}
        mine.publish("/sys/counter/c1/thing/measurepoint/post", json.dumps(post), 1)
    upstream.start()
    board = keep(ThingsBoard(upstream.port)).start()
    board.connected |= {"counter/c1", "meter/m1"}
    seen = {}
    while len(seen) < 100:
        for part in board.until("v1/gateway/telemetry", lambda body: "counter/c1" in body)["counter/c1"]:
            seen[part["values"]["n"]] = part["ts"]
    assert seen == {number: 1_700_000_000_000 + number for number in range(100)}
