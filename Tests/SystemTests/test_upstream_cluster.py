"""The bridge with a cluster of three nats-servers, each of which is stopped and started while messages go both ways."""

import pytest

from harness.bridges import martlet_bridge
from harness.ledger import Publisher, Subscriber
from harness.mqtt_client import Client
from harness.nats import NatsCluster
from harness.tcp_proxy import TcpProxy
from harness.waiting import eventually

pytestmark = [pytest.mark.martlet_only, pytest.mark.timeout(300)]

RECEIVE = """
  [[bridge.receive]]
  filter = "site/7/set/#"
  remove-prefix = "site/7/"
  qos = 1
"""
#: A node that comes back and a new leader take seconds each; while there is none, nats-server answers nobody.
PATIENCE = 60


def test_nothing_acknowledged_is_lost_while_each_node_is_stopped_and_started(tmp_path, keep):
    cluster = keep(NatsCluster(tmp_path / "nats")).start()
    # Each goes to the next node when its own is away, the one forwards and the other backwards.
    near, far = keep(TcpProxy(*cluster.ports)).open(), keep(TcpProxy(*reversed(cluster.ports))).open()
    cloud = keep(Subscriber(far.port, "cloud", "site/7/plant/#", 1))
    cloud.start()
    assert cloud.is_subscribed.wait(PATIENCE)
    box = keep(martlet_bridge(tmp_path / "box", near.port, keys='protocol = "3.1.1"', routes=RECEIVE)).start()
    commands = keep(Client(box.port, "3.1.1", "commands")).connect()
    commands.subscribe("set/#", 1)
    publishers = [keep(Publisher(box.port, f"p{number}", f"plant/p{number}", 1, rate=50)) for number in range(3)]
    for publisher in publishers:
        publisher.start()

    def missing():
        arrived = {tuple(text.split()[:2]) for text in list(cloud.received)}
        return {
            (publisher.identifier, str(number)) for publisher in publishers for number in list(publisher.acknowledged)
        } - arrived

    eventually(lambda: len(cloud.received) > 100, "messages upstream", PATIENCE)
    for number, node in enumerate(cluster.nodes):
        node.kill() if number == 1 else node.terminate()
        before = len(cloud.received)
        eventually(lambda: len(cloud.received) > before + 300, f"messages upstream without {node.name}", PATIENCE)
        node.launch()
        node.wait()
        before = len(cloud.received)
        eventually(lambda: len(cloud.received) > before + 100, f"messages upstream with {node.name} again", PATIENCE)
        command(cluster, commands, f"set/{number}")

    for publisher in publishers:
        publisher.finish()
    for publisher in publishers:
        eventually(lambda: publisher.is_finished or publisher.failure, "the last acknowledgements")
        assert publisher.failure is None
    # nats-server sends again what a lost connection left open, but only after 30 seconds.
    eventually(lambda: cloud.failure or not missing(), "all that was acknowledged to arrive upstream", PATIENCE)
    assert cloud.failure is None
    assert near.accepted > 1, "the bridge never lost its node, so this has shown nothing"
    assert sum(len(publisher.acknowledged) for publisher in publishers) > 1000


def command(cluster, subscriber, topic):
    """Publishes upstream, at any node that answers, until it comes out at the box."""

    def came():
        for port in cluster.ports:
            try:
                client = Client(port, "3.1.1", "operator").connect()
                try:
                    client.publish(f"site/7/{topic}", topic, 1)
                finally:
                    client.drop()
                break
            except (OSError, AssertionError):
                continue
        while not subscriber.messages.empty():
            if subscriber.receive().topic == topic:
                return True
        return False

    eventually(came, f"the command {topic} at the box", PATIENCE, interval=0.5)
