"""Bridges to EnOS, Azure IoT Hub and AWS IoT Core: the real binary, a real mosquitto as the line's other end, and on top of
it clients that check and answer as these platforms do."""

import json
import time

import pytest

from harness.broker import run_martlet
from harness.clouds import AWSThing, AzureHub, EnOS, Line, azure_token_is_right, enos_sign
from harness.modbus import Device, ModbusTcp
from harness.posts import topic
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only

SECRETS = {"meter/m1": "s-m1", "meter/m2": "s-m2"}
AZURE_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def post(value, at):
    return json.dumps(
        {
            "id": "1",
            "version": "1.1",
            "method": "thing.measurepoint.post",
            "params": {"measurepoints": {"a": {"value": value, "quality": 9}}, "time": at},
        }
    )


def meter(line):
    """A bus with one device that has a writable point."""
    return f"""
[[product]]
key = "meter"
[[product.group]]
name = "g"
interval = "200ms"
[[product.point]]
identifier = "setpoint"
type = "INT"
area = "holding-register"
address = 0
group = "g"
writable = true
[[product.point]]
identifier = "fixed"
type = "INT"
area = "holding-register"
address = 1
group = "g"
[[bus]]
name = "line"
protocol = "modbus-tcp"
host = "127.0.0.1"
port = {line.port}
[[device]]
product = "meter"
key = "m1"
bus = "line"
unit-identifier = 1
"""


@pytest.fixture
def line(mosquitto, keep):
    """The line to the platform's mosquitto, open."""
    upstream = mosquitto()
    proxy = keep(Line(upstream.port)).open()
    proxy.upstream = upstream
    return proxy


@pytest.fixture
def bus(keep):
    device = Device()
    device.holding[0:2] = [42, 7]
    server = keep(ModbusTcp({1: device})).start()
    server.registers = device.holding
    return server


def wait_for_subscription(line, topic_filter):
    eventually(lambda: f" {topic_filter}\n" in line.upstream.log(), f"the subscription to {topic_filter}")


def bridge(line, table, identifier="box"):
    return f"""
[[bridge]]
name = "cloud"
host = "127.0.0.1"
port = {line.port}
client-identifier = "{identifier}"
reconnect-interval = "1s"
max-back-off = "1s"
  [[bridge.forward]]
  filter = "/sys/+/+/thing/#"
{table}
"""


# EnOS


@pytest.fixture
def enos(line, martlet, keep, tmp_path):
    """`enos(keys, secrets)` starts the platform and a box that is a gateway of it."""

    def start(keys="", secrets=SECRETS, configuration="", compressed=False):
        platform = keep(EnOS(line.upstream.port, "gateway/box", SECRETS, compressed))
        file = tmp_path / "enos.secrets"
        file.write_text("# the gateway\ns-box\n" + "".join(f"{name} {secret}\n" for name, secret in secrets.items()))
        file.chmod(0o600)
        table = f'[bridge.enos]\nproduct-key = "gateway"\ndevice-key = "box"\nsecret-file = "{file}"\n{keys}'
        platform.box = martlet(configuration + bridge(line, table))
        return platform

    return start


def test_enos_is_connected_to_with_a_signature(enos, line):
    enos()
    connect = line.connect()
    client, _, options = connect.client.partition("|")
    options = dict(pair.split("=") for pair in options.rstrip("|").split(","))
    assert (connect.level, connect.clean, client, connect.user) == (4, True, "box", "box&gateway")
    assert options["securemode"] == "2" and options["signmethod"] == "sha256"
    assert abs(int(options["timestamp"]) / 1000 - time.time()) < 60
    assert connect.password.decode() == enos_sign("box", "gateway", "box", options["timestamp"], "s-box")


def test_posts_go_to_enos_after_their_devices_have_logged_in(enos, connect, line):
    platform = enos()
    # What is published before there is a connection is history.
    wait_for_subscription(line, topic("gateway", "box", "service/+"))
    client = connect(at=platform.box)
    client.publish(topic("meter", "m1", "measurepoint/post"), post(1.5, 1_700_000_000_001), 1)
    client.publish(topic("meter", "m2", "measurepoint/post"), post(2.5, 1_700_000_000_002), 1)
    assert platform.wait_for_posts(2) == [
        ("meter/m1", "post", {"a": {"value": 1.5, "quality": 9}}, 1_700_000_000_001),
        ("meter/m2", "post", {"a": {"value": 2.5, "quality": 9}}, 1_700_000_000_002),
    ]
    assert platform.online == set(SECRETS) and not platform.mistakes


@pytest.mark.parametrize("keys", ["", "batch-size = 50"])
def test_what_an_outage_held_back_goes_to_enos_as_history_with_its_time(enos, connect, line, keys):
    platform = enos(keys)
    client = connect(at=platform.box)
    client.publish(topic("meter", "m1", "measurepoint/post"), post(0, 1_700_000_000_000), 1)
    platform.wait_for_posts(1)
    line.close()
    connections = len(line.connects)
    for number in range(1, 201):
        client.publish(topic("meter", "m1", "measurepoint/post"), post(number, 1_700_000_000_000 + number), 1)
    line.open()
    line.connect(connections)
    platform.wait_for_posts(2)
    client.publish(topic("meter", "m1", "measurepoint/post"), post(201, 1_700_000_000_201), 1)
    # The first comes again, then as history, if its PUBACK was lost with the connection: how each came first is what counts.
    verbs = {}

    def all_came():
        for _, verb, points, at in list(platform.posts):
            number = points["a"]["value"]
            assert at == 1_700_000_000_000 + number
            verbs.setdefault(number, verb)
        return verbs.keys() == set(range(202))

    eventually(all_came, "all posts")
    assert not platform.mistakes
    assert verbs[0] == "post" and verbs[201] == "post"
    assert [verbs[number] for number in range(2, 201)] == ["resume"] * 199, "what waited is history"


def test_what_was_lost_during_an_outage_is_an_event_of_the_gateway_at_enos(enos, connect, line):
    platform = enos()
    line.connect()
    line.close()
    client = connect(at=platform.box)
    for number in range(20):
        client.publish(topic("meter", "m1", "measurepoint/post"), post(number, 1_700_000_000_000 + number), 1)
    purged = run_martlet("cache", "purge", platform.box.file, "--yes")
    assert purged.stdout == "purged 20 messages\n", purged.stderr
    line.open()
    said = json.loads(platform.receive_at("/sys/gateway/box/thing/event/cacheLost/post").payload)
    assert said["method"] == "thing.event.cacheLost.post"
    lost = said["params"]["events"]
    assert (lost["bridge"], lost["priority"], lost["reason"], lost["messages"]) == ("cloud", 5, "purged", 20)
    assert lost["from"] <= lost["to"] <= said["params"]["time"]


def test_a_device_that_enos_refuses_posts_through_the_gateway(enos, connect):
    platform = enos(secrets={**SECRETS, "meter/m2": "wrong"})
    client = connect(at=platform.box)
    client.publish(topic("meter", "m2", "measurepoint/post"), post(2, 1_700_000_000_002), 1)
    client.publish(topic("meter", "m1", "measurepoint/post"), post(1, 1_700_000_000_001), 1)
    assert [(device, points["a"]["value"]) for device, _, points, _ in platform.wait_for_posts(2)] == [("meter/m2", 2), ("meter/m1", 1)]
    assert platform.online == {"meter/m1"} and not platform.mistakes
    eventually(lambda: "742 (the signature is wrong)" in platform.box.log(), "a line about the refusal")


def test_devices_log_in_again_after_a_lost_connection(enos, connect, line):
    platform = enos()
    eventually(lambda: platform.online == set(SECRETS), "the first logins")
    line.close()
    platform.online.clear()
    line.open()
    eventually(lambda: platform.online == set(SECRETS), "the second logins")


def test_enos_sets_a_point_of_a_bus(enos, bus, line):
    platform = enos(configuration=meter(bus))
    command = {"id": "81", "version": "1.0", "method": "thing.service.measurepoint.set", "params": {"setpoint": 55}}
    set_topic = topic("meter", "m1", "service/measurepoint/set")
    wait_for_subscription(line, set_topic)
    platform.send(set_topic, command)
    answer = json.loads(platform.receive_at(f"{set_topic}_reply").payload)
    assert (answer["id"], answer["code"]) == ("81", 200)
    assert bus.registers[0] == 55


def test_enos_asks_for_the_values_of_a_bus(enos, bus, line):
    platform = enos(configuration=meter(bus))
    get_topic = topic("meter", "m1", "service/measurepoint/get")
    wait_for_subscription(line, get_topic)
    platform.wait_for_posts(1)

    def ask(identifier, points):
        command = {"id": identifier, "version": "1.0", "method": "thing.service.measurepoint.get", "params": points}
        platform.send(get_topic, command)
        return json.loads(platform.receive_at(f"{get_topic}_reply").payload)

    assert ask("91", ["setpoint", "fixed"]) == {"id": "91", "code": 200, "data": {"setpoint": 42, "fixed": 7}, "message": ""}
    refused = ask("92", ["setpoint", "speed"])
    assert (refused["id"], refused["code"], refused["data"]) == ("92", 1204, {}) and "speed" in refused["message"]


def test_a_service_of_a_local_device_is_called_from_enos(enos, connect, line):
    platform = enos()
    device = connect(at=platform.box)
    service = topic("meter", "m1", "service/reset")
    device.subscribe(service, 1)
    wait_for_subscription(line, topic("meter", "m1", "service/+"))
    platform.send(service, {"id": 5, "version": "1.0", "params": {"deep": True}})
    assert json.loads(device.receive().payload) == {"id": 5, "version": "1.0", "params": {"deep": True}}
    device.publish(f"{service}_reply", json.dumps({"id": 5, "code": 2001, "data": {"x": 1}}), 1)
    assert json.loads(platform.receive_at(f"{service}_reply").payload) == {"id": 5, "code": 2001, "data": {"x": 1}}


def test_a_command_that_nobody_answers_is_answered_by_the_box(enos, line):
    platform = enos('command-timeout = "1s"')
    wait_for_subscription(line, topic("meter", "m2", "service/+"))
    service = topic("meter", "m2", "service/reset")
    platform.send(service, {"id": "6", "params": {}})
    assert json.loads(platform.receive_at(f"{service}_reply").payload)["code"] == 6305


def test_a_gateway_is_given_its_secret_once(enos, connect, line):
    platform = enos("activation = true")
    assert "|securemode=3," in line.connect().client
    wait_for_subscription(line, "/ext/session/gateway/box/thing/activate/info")
    platform.activate("own-secret")
    second = line.connect(1)
    timestamp = second.client.rstrip("|").rpartition("=")[2]
    assert "|securemode=2," in second.client
    assert second.password.decode() == enos_sign("box", "gateway", "box", timestamp, "own-secret")
    client = connect(at=platform.box)
    client.publish(topic("meter", "m1", "measurepoint/post"), post(1, 1_700_000_000_001), 1)
    platform.wait_for_posts(1)
    kept = platform.box.directory / "data" / "bridge-cloud.secret"
    assert kept.read_text() == "own-secret" and kept.stat().st_mode & 0o777 == 0o600
    platform.box.crash()
    connections = len(line.connects)
    platform.box.start()
    assert "|securemode=2," in line.connect(connections).client


def test_enos_compressed_both_ways(enos, connect, line):
    platform = enos('compression = "gzip"', compressed=True)
    client = connect(at=platform.box)
    client.publish(topic("meter", "m1", "measurepoint/post"), post(1, 1_700_000_000_001), 1)
    assert platform.wait_for_posts(1)[0][1:] == ("post", {"a": {"value": 1, "quality": 9}}, 1_700_000_000_001)
    assert line.connect().client.startswith("box{compress=GZIP}|") and not platform.mistakes


# Azure


@pytest.fixture
def azure(line, martlet, keep, tmp_path):
    def start(keys="", configuration="", twin=None):
        hub = keep(AzureHub(line.upstream.port, "box"))
        if twin:
            hub.desired.update(twin)
        file = tmp_path / "azure.key"
        file.write_text(AZURE_KEY + "\n")
        file.chmod(0o600)
        table = f'[bridge.azure]\nhub = "hub.example.net"\nkey-file = "{file}"\n{keys}'
        hub.box = martlet(configuration + bridge(line, table))
        return hub

    return start


def test_azure_is_connected_to_with_a_token(azure, line):
    azure()
    connect = line.connect()
    assert (connect.level, connect.client, connect.user) == (4, "box", "hub.example.net/box/?api-version=2021-04-12")
    end = azure_token_is_right(connect.password.decode(), "hub.example.net/devices/box", AZURE_KEY)
    assert abs(end - time.time() - 3600) < 60


def test_messages_go_to_azure_with_their_properties_and_history_is_marked(azure, connect, line):
    hub = azure()
    wait_for_subscription(line, "$iothub/methods/POST/#")
    client = connect(at=hub.box)
    client.publish(topic("meter", "m1", "measurepoint/post"), post(1.5, 1_700_000_000_001), 1)
    properties, body = hub.event()
    assert properties["product"] == "meter" and properties["device"] == "m1" and properties["backfill"] == "false"
    assert properties["$.ct"] == "application/json" and abs(int(properties["time"]) / 1000 - time.time()) < 60
    assert body == {"product": "meter", "device": "m1", "time": 1_700_000_000_001, "measurepoints": {"a": {"value": 1.5, "quality": 9}}}
    line.close()
    client.publish(topic("meter", "m1", "measurepoint/post"), post(2, 1_700_000_000_002), 1)
    client.publish(topic("meter", "m1", "measurepoint/post"), post(3, 1_700_000_000_003), 1)
    line.open()
    late = []
    while len(late) < 2:
        event = hub.event()
        # The first comes again if its PUBACK was lost with the connection.
        if event[1]["time"] != 1_700_000_000_001:
            late.append(event)
    assert [body["time"] for _, body in late] == [1_700_000_000_002, 1_700_000_000_003]
    assert late[1][0]["backfill"] == "true" and late[1][1]["backfill"] is True


def test_a_direct_method_writes_a_point(azure, bus):
    hub = azure(configuration=meter(bus))
    hub.receive(lambda message: message.topic.startswith("$iothub/twin/GET/"))
    assert hub.call("set", {"product": "meter", "device": "m1", "params": {"setpoint": 61}})[0] == 200
    assert bus.registers[0] == 61
    status, answer = hub.call("set", {"product": "meter", "device": "m1", "params": {"fixed": 1}}, "8")
    assert status == 400 and answer["code"] == 1204
    assert hub.call("set", {"params": {}}, "9")[0] == 400


def test_the_twin_sets_points_and_hears_of_it(azure, bus):
    hub = azure(configuration=meter(bus), twin={"points": {"meter": {"m1": {"setpoint": 70}}}})
    eventually(lambda: hub.reported.get("points", {}).get("meter", {}).get("m1") == {"setpoint": 70}, "the first report")
    assert bus.registers[0] == 70
    hub.desire({"points": {"meter": {"m1": {"setpoint": 71, "fixed": 3}}}})
    eventually(lambda: hub.reported["points"]["meter"]["m1"].get("setpoint") == 71, "the second report")
    assert bus.registers[0:2] == [71, 7] and not hub.mistakes


# AWS


@pytest.fixture
def aws(line, martlet, keep):
    def start(keys="", configuration=""):
        thing = keep(AWSThing(line.upstream.port, "box"))
        thing.box = martlet(configuration + bridge(line, f'[bridge.aws]\nthing = "box"\n{keys}').replace(
            "client-identifier", 'protocol = "3.1.1"\nclient-identifier'))
        return thing

    return start


def test_messages_go_to_aws_by_the_template(aws, connect):
    thing = aws()
    connect(at=thing.box).publish(topic("meter", "m1", "measurepoint/post"), post(1.5, 1_700_000_000_001), 1)
    message = thing.receive_at("dt/box/meter/m1/measurepoint/post")
    assert json.loads(message.payload) == {
        "product": "meter", "device": "m1", "time": 1_700_000_000_001, "measurepoints": {"a": {"value": 1.5, "quality": 9}},
    }


def test_the_shadow_sets_points_and_hears_of_it(aws, bus):
    thing = aws(configuration=meter(bus))
    thing.receive(lambda message: message.topic.endswith("/shadow/get"))
    thing.desire({"points": {"meter": {"m1": {"setpoint": 80}}}})
    eventually(lambda: thing.reported.get("points", {}).get("meter", {}).get("m1") == {"setpoint": 80}, "the report")
    assert bus.registers[0] == 80
    thing.desire({"points": {"meter": {"m1": {"fixed": 1}}}})
    eventually(lambda: thing.reported.get("errors", {}).get("meter", {}).get("m1", {}).get("code") == 1204, "the error")
    assert bus.registers[1] == 7 and not thing.mistakes


def test_jobs_pass_both_ways(aws, connect, line):
    thing = aws()
    client = connect(at=thing.box)
    client.subscribe("aws/jobs/#", 1)
    wait_for_subscription(line, "$aws/things/box/jobs/notify-next")
    thing.send("$aws/things/box/jobs/notify-next", {"execution": {"jobId": "j1"}})
    message = client.receive()
    assert (message.topic, json.loads(message.payload)) == ("aws/jobs/notify-next", {"execution": {"jobId": "j1"}})
    client.publish("aws/jobs/j1/update", json.dumps({"status": "SUCCEEDED"}), 1)
    assert json.loads(thing.receive_at("$aws/things/box/jobs/j1/update").payload) == {"status": "SUCCEEDED"}
