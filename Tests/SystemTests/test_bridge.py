"""The bridge to an upstream broker, a real mosquitto with a password file."""

import json

import pytest

from harness.modbus import Device, ModbusTcp
from harness.mqtt_client import Client
from harness.posts import parse, topic
from harness.tcp_proxy import TcpProxy
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only

USERS = {"box": "box-secret", "cloud": "cloud-secret"}


def bridge(port, directory, routes, *, password="box-secret", keys=""):
    secret = directory / "cloud.password"
    secret.write_text(password + "\n")
    secret.chmod(0o600)
    return f"""
[[bridge]]
name = "cloud"
host = "127.0.0.1"
port = {port}
client-identifier = "box-1"
user-name = "box"
password-file = "{secret}"
{keys}
{routes}
"""


FORWARD = """
  [[bridge.forward]]
  filter = "plant/#"
  prefix = "site/7/"
  qos = 1
"""
RECEIVE = """
  [[bridge.receive]]
  filter = "site/7/plant/#"
  remove-prefix = "site/7/"
  qos = 1
"""


@pytest.fixture
def upstream(mosquitto):
    return mosquitto(users=USERS)


@pytest.fixture
def cloud(upstream, keep):
    """A client of the upstream broker."""
    return keep(Client(upstream.port, "3.1.1", "cloud", user="cloud", password="cloud-secret")).connect()


@pytest.fixture
def box(upstream, cloud, martlet, tmp_path):
    """`box(routes)` starts Martlet with a bridge to `upstream`."""
    return lambda routes, **options: martlet(bridge(upstream.port, tmp_path, routes, **options))


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_local_message_arrives_upstream_below_the_prefix(box, cloud, connect, qos):
    cloud.subscribe("#", 1)
    connect(at=box(FORWARD)).publish("plant/boiler/temp", b"21.5", qos)
    message = cloud.receive()
    assert (message.topic, message.payload) == ("site/7/plant/boiler/temp", b"21.5")
    assert message.qos == 1, "the route says how it is sent, also what came with QoS 0"


@pytest.mark.parametrize("protocol", ["3.1.1", "5.0"])
def test_the_bridge_speaks_both_versions_upstream(box, cloud, connect, protocol):
    cloud.subscribe("#", 1)
    connect(at=box(FORWARD, keys=f'protocol = "{protocol}"')).publish("plant/a", b"x", 1)
    assert cloud.receive().payload == b"x"


def test_a_retained_command_arrives_without_being_retained_here(box, upstream, cloud, connect):
    at = box(RECEIVE + "  retain = false\n")
    client = connect(at=at)
    client.subscribe("plant/#", 1)
    eventually(lambda: "box-1 1 site/7/plant/#" in upstream.log(), "the bridge's subscription")
    cloud.publish("site/7/plant/set", b"on", 1, retain=True)
    assert client.receive().payload == b"on"
    late = connect("late", at=at)
    late.subscribe("plant/#", 1)
    client.publish("plant/last", b"last", 1)
    assert late.receive().payload == b"last", "the command was retained here"


def test_what_no_route_matches_stays_local(box, cloud, connect):
    cloud.subscribe("#", 1)
    client = connect(at=box(FORWARD))
    client.publish("private/a", b"secret", 1)
    client.publish("plant/a", b"public", 1)
    assert cloud.receive().payload == b"public"


def test_a_route_may_map_levels_to_another_topic(box, cloud, connect):
    routes = '[[bridge.forward]]\nfilter = "line/+/+"\ntopic = "up/${topic[3]}/of/${topic[2]}"\nqos = 1\n'
    cloud.subscribe("#", 1)
    connect(at=box(routes)).publish("line/a/b", b"x", 1)
    assert cloud.receive().topic == "up/b/of/a"


def test_a_route_may_remove_a_prefix(box, cloud, connect):
    routes = '[[bridge.forward]]\nfilter = "plant/#"\nremove-prefix = "plant/"\nqos = 1\n'
    cloud.subscribe("#", 1)
    connect(at=box(routes)).publish("plant/boiler/temp", b"x", 1)
    assert cloud.receive().topic == "boiler/temp"


def test_messages_arrive_upstream_in_order(box, cloud, connect):
    cloud.subscribe("site/7/#", 1)
    client = connect(at=box(FORWARD))
    for mid in [client.start_publish(f"plant/{n % 5}", str(n), 1) for n in range(500)]:
        client.wait_published(mid)
    assert [message.text for message in cloud.receive_many(500)] == [str(n) for n in range(500)]


def test_a_message_from_upstream_arrives_locally_without_the_prefix(box, upstream, cloud, connect):
    client = connect(at=box(RECEIVE))
    client.subscribe("plant/#", 1)
    eventually(lambda: "box-1 1 site/7/plant/#" in upstream.log(), "the bridge's subscription")
    cloud.publish("site/7/plant/boiler/set", b"55", 1)
    message = client.receive()
    assert (message.topic, message.payload) == ("plant/boiler/set", b"55")


def test_a_message_does_not_come_back_the_way_it_went(box, upstream, cloud, connect):
    client = connect(at=box(FORWARD + RECEIVE))
    eventually(lambda: "box-1 1 site/7/plant/#" in upstream.log(), "the bridge's subscription")
    cloud.subscribe("site/7/#", 1)
    client.subscribe("plant/#", 1)
    client.publish("plant/a", b"once", 1)
    assert cloud.receive().payload == b"once"
    client.publish("plant/b", b"last", 1)
    assert cloud.receive().payload == b"last"
    assert [message.payload for message in client.receive_many(2)] == [b"once", b"last"]
    assert client.everything_before_a_marker() == []


def test_a_device_is_read_and_written_from_the_cloud(box, keep, upstream, cloud):
    device = Device()
    device.holding[0:2] = [42, 0]
    server = keep(ModbusTcp({1: device})).start()
    box(
        f"""
  [[bridge.forward]]
  filter = "/sys/#"
  prefix = "site/7"
  qos = 1
  [[bridge.receive]]
  filter = "site/7/sys/+/+/thing/service/#"
  remove-prefix = "site/7"
  qos = 1

[[product]]
key = "meter"
[[product.group]]
name = "g"
interval = "200ms"
[[product.point]]
identifier = "temp"
type = "INT"
group = "g"
area = "holding-register"
address = 0
[[product.point]]
identifier = "setpoint"
type = "INT"
group = "g"
area = "holding-register"
address = 1
writable = true
[[bus]]
name = "line"
{server.bus}
[[device]]
product = "meter"
key = "m1"
bus = "line"
unit-identifier = 1
"""
    )
    cloud.subscribe("site/7/#", 1)
    posted = cloud.receive_where(lambda message: message.topic.endswith("measurepoint/post"))
    posted.topic = posted.topic.removeprefix("site/7")
    assert parse(posted).points["temp"].value == 42
    eventually(lambda: "box-1 1 site/7/sys/+/+/thing/service/#" in upstream.log(), "the bridge's subscription")
    command = {"id": "c1", "version": "1.0", "method": "thing.service.measurepoint.set", "params": {"setpoint": 55}}
    name = "site/7" + topic("meter", "m1", "service/measurepoint/set")
    cloud.publish(name, json.dumps(command), 1)
    reply = json.loads(cloud.receive_where(lambda message: message.topic == f"{name}_reply").payload)
    assert (reply["id"], reply["code"]) == ("c1", 200)
    assert device.holding[1] == 55


def test_a_refused_password_does_not_disturb_the_local_broker(box, upstream, cloud, connect):
    client = connect(at=box(FORWARD, password="wrong"))
    eventually(lambda: "not authorised" in upstream.log(), "a refused connection")
    client.subscribe("plant/a", 1)
    client.publish("plant/a", b"x", 1)
    assert client.receive().payload == b"x"


def test_what_was_published_while_the_upstream_was_away_arrives_when_it_is_back(
    upstream, cloud, martlet, tmp_path, keep, connect
):
    line = keep(TcpProxy(upstream.port))
    client = connect(at=martlet(bridge(line.port, tmp_path, FORWARD)))
    cloud.subscribe("site/7/#", 1)
    for n in range(100):
        client.publish("plant/a", str(n), 1)
    line.open()
    assert [message.text for message in cloud.receive_many(100)] == [str(n) for n in range(100)]


def test_a_line_that_dies_silently_is_noticed_and_replaced(upstream, cloud, martlet, tmp_path, keep, connect):
    line = keep(TcpProxy(upstream.port)).open()
    client = connect(at=martlet(bridge(line.port, tmp_path, FORWARD, keys='keep-alive = "2s"')))
    cloud.subscribe("site/7/#", 1)
    client.publish("plant/a", b"before", 1)
    assert cloud.receive().payload == b"before"
    line.hang()
    for n in range(20):
        client.publish("plant/a", str(n), 1)
    connections = line.accepted
    line.open()
    received = [cloud.receive(40).text]
    while received[-1] != "19":
        received.append(cloud.receive(40).text)
    # What was acknowledged as the line died may come once more.
    assert [text for text in dict.fromkeys(received) if text != "before"] == [str(n) for n in range(20)]
    assert line.accepted > connections


def test_a_slow_upstream_holds_up_nobody_but_itself(upstream, cloud, martlet, tmp_path, keep, connect):
    line = keep(TcpProxy(upstream.port)).open()
    client = connect(at=martlet(bridge(line.port, tmp_path, FORWARD)))
    cloud.subscribe("site/7/#", 1)
    client.publish("plant/a", b"first", 1)
    cloud.receive()
    line.bytes_per_second = 4_000
    # 400 KB take longer than any acknowledgement may.
    for n in range(400):
        client.publish("plant/a", str(n).ljust(1000), 1)
    assert cloud.messages.qsize() < 400
    line.bytes_per_second = None
    received = [int(message.text) for message in cloud.receive_many(400)]
    assert received == list(range(400))


def test_an_upstream_that_restarts_without_its_sessions_gets_everything(
    mosquitto, martlet, tmp_path, keep, connect
):
    first = mosquitto(users=USERS, persistence=False)
    line = keep(TcpProxy(first.port)).open()
    client = connect(at=martlet(bridge(line.port, tmp_path, FORWARD)))

    def listen():
        cloud = keep(Client(first.port, "3.1.1", "cloud", user="cloud", password="cloud-secret")).connect()
        cloud.subscribe("site/7/#", 1)
        return cloud

    cloud = listen()
    received = []
    for round in range(3):
        for n in range(50):
            client.publish("plant/a", str(50 * round + n), 1)
        # Part of it may still be on its way when the line breaks; what has arrived upstream is taken from there first.
        line.close()
        received += [message.text for message in cloud.everything_before_a_marker()]
        first.kill()
        first.start()
        cloud = listen()
        line.open()
    while "149" not in received:
        received.append(cloud.receive().text)
    assert list(dict.fromkeys(received)) == [str(n) for n in range(150)]


def test_a_subscription_upstream_is_made_again_after_an_upstream_without_sessions_restarts(
    mosquitto, martlet, tmp_path, keep, connect
):
    upstream = mosquitto(users=USERS, persistence=False)
    client = connect(at=martlet(bridge(upstream.port, tmp_path, RECEIVE)))
    client.subscribe("plant/#", 1)
    for round in range(1, 3):
        eventually(
            lambda round=round: upstream.log().count("box-1 1 site/7/plant/#") >= round, "the bridge's subscription", 40
        )
        cloud = keep(Client(upstream.port, "3.1.1", "cloud", user="cloud", password="cloud-secret")).connect()
        cloud.publish("site/7/plant/a", str(round), 1)
        assert client.receive().text == str(round)
        if round == 1:
            upstream.kill()
            upstream.start()
