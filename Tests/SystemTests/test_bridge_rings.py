"""Brokers that are bridged in chains and rings: each message is taken once by each of them."""

import re

import pytest

from harness.broker import Martlet, Mosquitto
from harness.mqtt_client import Client
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only


def bridge(name, port, *, forward=True, receive=True, version="5.0", identifier=None):
    routes = '[[bridge.forward]]\nfilter = "plant/#"\n' if forward else ""
    routes += '[[bridge.receive]]\nfilter = "plant/#"\n' if receive else ""
    return f"""
[[bridge]]
name = "{name}"
host = "127.0.0.1"
port = {port}
protocol = "{version}"
client-identifier = "{identifier or name}"
reconnect-interval = "1s"
{routes}
"""


class Node:
    """A broker of the ring with a client that takes down all that passes."""

    def __init__(self, broker, keep):
        self.broker = broker
        self.client = keep(Client(broker.port, "3.1.1", "listener")).connect()
        self.client.subscribe("plant/#", 1)

    def publish(self, payload):
        self.client.publish("plant/a", payload, 1)

    def wait_subscribed(self, identifier):
        eventually(lambda: f"{identifier} 1 plant/#" in self.broker.log(), f"the subscription of {identifier}")


def box(keep, directory, name, configuration, hops=8):
    """A Martlet with a name of its own, not yet started."""
    made = Martlet(directory / name, "", broker=f"max-hops = {hops}" if hops else "")
    text = made.file.read_text().replace('name = "system-test"', f'name = "{name}"')
    made.base = text
    made.file.write_text(text + configuration)
    return keep(made)


def each_takes_once(nodes, rounds=3):
    """Every node publishes in turn, and then a last one: by then what went round would have been there twice."""
    expected = []
    for round in range(rounds):
        for number, node in enumerate(nodes):
            text = f"{round} of {number}"
            node.publish(text)
            expected.append(text)
            for other in nodes:
                eventually(lambda other=other, text=text: text in take(other), f"{text} everywhere")
    for number, node in enumerate(nodes):
        node.publish(f"last of {number}")
        expected.append(f"last of {number}")
        for other in nodes:
            eventually(lambda other=other: f"last of {number}" in take(other), "the last message everywhere")
    for node in nodes:
        assert sorted(take(node)) == sorted(expected), "a message was taken twice, or is missing"


def take(node):
    """All that the node's listener has received."""
    if not hasattr(node, "taken"):
        node.taken = []
    while not node.client.messages.empty():
        node.taken.append(node.client.messages.get().text)
    return node.taken


def connected(*boxes, bridges):
    for one in boxes:
        eventually(lambda one=one: len(re.findall('msg="?connected"? ', one.log())) >= bridges, "the bridges")


@pytest.mark.parametrize("version", ["3.1.1", "5.0"])
def test_two_boxes_bridged_both_ways_exchange_each_message_once(tmp_path, keep, version):
    far = box(keep, tmp_path, "far", "", hops=0).start()
    near = box(keep, tmp_path, "near", bridge("far", far.port, version=version), hops=0).start()
    nodes = [Node(near, keep), Node(far, keep)]
    connected(near, bridges=1)
    each_takes_once(nodes)


def test_two_boxes_that_each_have_a_bridge_to_the_other_take_each_message_once(tmp_path, keep):
    boxes = [box(keep, tmp_path, name, "", hops=0) for name in ("one", "other")]
    for one, other in zip(boxes, reversed(boxes)):
        # Both have the same name, as boxes that are copies of each other do.
        text = one.base.replace('name = "other"', 'name = "one"', 1)
        one.file.write_text(text + bridge("peer", other.port, identifier=f"to-{other.port}"))
    for one in boxes:
        one.start()
    nodes = [Node(one, keep) for one in boxes]
    connected(*boxes, bridges=1)
    each_takes_once(nodes)


@pytest.mark.parametrize("version", ["3.1.1", "5.0"])
def test_a_box_and_mosquitto_bridged_both_ways_exchange_each_message_once(tmp_path, keep, mosquitto, version):
    far = mosquitto()
    near = box(keep, tmp_path, "near", bridge("near", far.port, version=version), hops=0).start()
    nodes = [Node(near, keep), Node(far, keep)]
    nodes[1].wait_subscribed("near")
    each_takes_once(nodes)


@pytest.mark.parametrize("version", ["mqttv311", "mqttv50"])
def test_mosquitto_bridged_to_a_box_both_ways_exchanges_each_message_once(tmp_path, keep, mosquitto, version):
    far = box(keep, tmp_path, "far", "", hops=0).start()
    options = f"""
connection up
address 127.0.0.1:{far.port}
topic plant/# both 1
bridge_protocol_version {version}
remote_clientid mosquitto-bridge
restart_timeout 1
notifications false
"""
    near = mosquitto(options=options)
    nodes = [Node(near, keep), Node(far, keep)]
    eventually(lambda: "Received SUBACK" in near.log(), "the bridge's subscription")
    each_takes_once(nodes)


@pytest.mark.parametrize("version", ["3.1.1", "5.0"])
def test_a_chain_carries_each_message_to_its_ends_once(tmp_path, keep, mosquitto, version):
    middle = mosquitto()
    ends = [box(keep, tmp_path, name, bridge(name, middle.port, version=version), hops=0).start() for name in ("left", "right")]
    nodes = [Node(ends[0], keep), Node(middle, keep), Node(ends[1], keep)]
    for name in ("left", "right"):
        nodes[1].wait_subscribed(name)
    each_takes_once(nodes)


@pytest.mark.parametrize("both_ways", [False, True], ids=["one way", "both ways"])
def test_a_ring_of_three_boxes_takes_each_message_once(tmp_path, keep, both_ways):
    boxes = [box(keep, tmp_path, name, "") for name in ("a", "b", "c")]
    for number, one in enumerate(boxes):
        following = boxes[(number + 1) % 3]
        one.file.write_text(one.base + bridge("next", following.port, receive=both_ways, identifier=f"from-{number}"))
    for one in boxes:
        one.start()
    nodes = [Node(one, keep) for one in boxes]
    connected(*boxes, bridges=1)
    each_takes_once(nodes)


def test_a_ring_with_mosquitto_in_it_takes_what_the_boxes_publish_once(tmp_path, keep, mosquitto):
    between = mosquitto()
    first = box(keep, tmp_path, "first", bridge("up", between.port, receive=False, identifier="first")).start()
    second = box(
        keep, tmp_path, "second",
        bridge("down", between.port, forward=False, identifier="second") + bridge("back", first.port, receive=False),
    ).start()  # fmt: skip
    nodes = [Node(first, keep), Node(second, keep), Node(between, keep)]
    nodes[2].wait_subscribed("second")
    connected(first, bridges=1)
    connected(second, bridges=2)
    for publisher, text in [(0, "from the first"), (1, "from the second"), (0, "again"), (1, "the last")]:
        nodes[publisher].publish(text)
        for node in nodes:
            eventually(lambda node=node, text=text: text in take(node), f"{text} everywhere")
    for node in nodes:
        assert sorted(take(node)) == sorted(["from the first", "from the second", "again", "the last"])
