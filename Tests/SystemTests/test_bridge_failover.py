"""Several upstream brokers for one bridge, one of which is stopped; and what the bridge says of itself."""

import socket

import pytest

from harness.mqtt_client import Client
from harness.ports import free_port
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only


def bridge(port, *, host="127.0.0.1", keys="", tables=""):
    return f"""
[[bridge]]
name = "cloud"
host = "{host}"
port = {port}
client-identifier = "box-1"
connect-timeout = "5s"
{keys}
{tables}
[[bridge.forward]]
filter = "up/#"
[[bridge.receive]]
filter = "down/#"
"""


def failover(first, second, **options):
    keys = f'failover-servers = ["127.0.0.1:{second.port}"]\nreturn-to-first = "2s"'
    return bridge(first.port, keys=keys, **options)


def listener(keep, broker, topic="up/#"):
    client = keep(Client(broker.port, "3.1.1", "cloud")).connect()
    client.subscribe(topic, 1)
    return client


def wait_subscribed(broker, times=1):
    eventually(lambda: broker.log().count("box-1 1 down/#") >= times, f"the bridge's subscription at {broker.name}", 40)


def test_the_second_server_takes_over_and_the_first_is_gone_back_to(mosquitto, martlet, keep, connect):
    first, second = mosquitto("first"), mosquitto("second")
    first.kill()
    client = connect(at=martlet(failover(first, second)))
    wait_subscribed(second)
    there = listener(keep, second)
    client.publish("up/a", b"to the second", 1)
    assert there.receive().payload == b"to the second"
    first.start()
    here = listener(keep, first)
    wait_subscribed(first)
    client.publish("up/a", b"to the first", 1)
    assert here.receive().payload == b"to the first"
    client.subscribe("down/#", 1)
    here.publish("down/a", b"from the first", 1)
    assert client.receive().payload == b"from the first"


def test_nothing_is_lost_when_the_server_is_killed(mosquitto, martlet, keep, connect):
    first, second = mosquitto("first"), mosquitto("second")
    client = connect(at=martlet(failover(first, second)))
    here, there = listener(keep, first), listener(keep, second)
    wait_subscribed(first)
    for n in range(50):
        client.publish("up/a", str(n), 1)
    first.kill()
    for n in range(50, 100):
        client.publish("up/a", str(n), 1)
    received = []
    while "99" not in received:
        received.append(there.receive(40).text)
    while not here.messages.empty():
        received.append(here.messages.get().text)
    # What mosquitto had taken and not delivered is gone with it; what the box has no acknowledgement for is not.
    assert set(str(n) for n in range(50, 100)) <= set(received)


def test_a_first_server_that_takes_connections_and_speaks_no_mqtt_is_not_gone_back_to(mosquitto, martlet, keep, connect):
    first, second = mosquitto("first"), mosquitto("second")
    first.kill()
    box = martlet(failover(first, second))
    client = connect(at=box)
    wait_subscribed(second)
    there = listener(keep, second)
    with socket.create_server(("127.0.0.1", first.port)) as silent:
        silent.settimeout(40)
        # The second look comes when the first has come to nothing.
        for _ in range(2):
            connection, _ = silent.accept()
            with connection:
                connection.settimeout(40)
                assert connection.recv(1) == b"\x10", "a CONNECT"
    client.publish("up/a", b"still at the second", 1)
    assert there.receive().payload == b"still at the second"
    assert second.log().count("box-1 1 down/#") == 1, "the bridge has stayed"
    assert "answers again" not in box.log()


def test_all_addresses_of_a_name_are_tried(mosquitto, martlet, keep, connect):
    port = free_port()
    upstream = mosquitto(port=port)
    client = connect(at=martlet(bridge(port, host="localhost")))
    cloud = listener(keep, upstream)
    client.publish("up/a", b"x", 1)
    assert cloud.receive().payload == b"x"


def test_a_name_that_does_not_resolve_is_passed_over(mosquitto, martlet, keep, connect):
    upstream = mosquitto()
    keys = f'failover-servers = ["127.0.0.1:{upstream.port}"]'
    box = martlet(bridge(1883, host="nowhere.invalid", keys=keys))
    client = connect(at=box)
    cloud = listener(keep, upstream)
    client.publish("up/a", b"x", 1)
    assert cloud.receive(40).payload == b"x"
    assert "nowhere.invalid does not resolve" in box.log()


@pytest.mark.parametrize("version", ["3.1.1", "5.0"])
def test_birth_and_will_tell_upstream_whether_the_box_is_there(mosquitto, martlet, keep, version):
    upstream = mosquitto()
    state = listener(keep, upstream, "state")
    tables = """
[bridge.birth]
topic = "state"
payload = "online"
retain = true
[bridge.will]
topic = "state"
payload = "offline"
qos = 2
retain = true
"""
    box = martlet(bridge(upstream.port, keys=f'protocol = "{version}"', tables=tables))
    assert state.receive().text == "online"
    box.kill()
    assert state.receive().text == "offline"
    box.start()
    assert state.receive(40).text == "online"
    box.terminate()
    assert state.receive().text == "offline"
    assert state.everything_before_a_marker() == [], "the will is published once"
    late = keep(Client(upstream.port, "3.1.1", "late")).connect()
    late.subscribe("state", 1)
    message = late.receive()
    assert (message.text, message.retain) == ("offline", True)
