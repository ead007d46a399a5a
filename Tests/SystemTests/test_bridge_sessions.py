"""What comes from the upstream through cuts, kills and absences: its session goes on, and QoS 2 means once."""

import random
from collections import Counter

import pytest

from harness.broker import Martlet, Mosquitto
from harness.ledger import Subscriber
from harness.mqtt_client import Client
from harness.release_watch import ReleaseWatch
from harness.tcp_proxy import TcpProxy
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only

MESSAGES = 300
#: Published until a bridge is known to have subscribed.
READY = "ready"


def bridge(port, version, *, identifier="box-1", keys=""):
    return f"""
[[bridge]]
name = "cloud"
host = "127.0.0.1"
port = {port}
protocol = "{version}"
client-identifier = "{identifier}"
reconnect-interval = "1s"
max-back-off = "1s"
{keys}
[[bridge.receive]]
filter = "down/#"
qos = 2
[[bridge.forward]]
filter = "up/#"
"""


def subscribed(upstream, times=1):
    eventually(lambda: upstream.log().count("box-1 2 down/#") >= times, "the bridge's subscription", 40)


@pytest.fixture
def upstream(mosquitto):
    return mosquitto(options="max_inflight_messages 20")


@pytest.fixture
def cloud(upstream, keep):
    return keep(Client(upstream.port, "3.1.1", "cloud", max_inflight=10)).connect()


@pytest.fixture
def local(keep):
    """A subscriber of the box with a session that lasts; it connects again by itself."""

    def start(box):
        subscriber = keep(Subscriber(box.port, "local", "down/#"))
        subscriber.start()
        assert subscriber.is_subscribed.wait(20)
        return subscriber

    return start


def everything_once(subscriber, count, sent_again=()):
    """Waits for the last message; then each must have come once, but for those that the upstream itself has sent anew."""
    eventually(lambda: f"{count - 1}" in subscriber.received, "the last message", 90)
    assert subscriber.failure is None
    numbers = [text for text in subscriber.received if text != READY]
    assert list(dict.fromkeys(numbers)) == [str(n) for n in range(count)]
    assert not Counter(numbers) - Counter(set(numbers)) - Counter(sent_again)


class Downstream:
    """A box behind a line that is cut, and a subscriber there."""

    def __init__(self, upstream, version, directory, keep):
        self.watch = ReleaseWatch(version)
        self.line = keep(TcpProxy(upstream.port)).open()
        self.line.watch = self.watch
        box = keep(Martlet(directory / version, bridge(self.line.port, version, identifier=f"box-{version}"))).start()
        self.subscriber = keep(Subscriber(box.port, "local", "down/#"))
        self.subscriber.start()
        assert self.subscriber.is_subscribed.wait(20)


# Each cut costs the bridge's shortest wait of a second, and a second in which it looks at the clock.
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", [Mosquitto, Martlet], ids=["mosquitto", "martlet"])
def test_qos_2_from_upstream_comes_once_through_fifty_cuts_in_mid_packet(kind, tmp_path, keep):
    upstream = keep(kind(tmp_path / "upstream")).start()
    cloud = keep(Client(upstream.port, "3.1.1", "cloud", max_inflight=10)).connect()
    boxes = [Downstream(upstream, version, tmp_path, keep) for version in ("3.1.1", "5.0")]

    def are_subscribed():
        cloud.publish("down/a", READY, 2)
        return all(box.subscriber.received for box in boxes)

    eventually(are_subscribed, "the bridges' subscriptions", 40, interval=0.2)
    chance = random.Random(3)
    sent = 0
    for cut in range(50):
        cuts = [box.line.cut(chance.randrange(1, 200), chance.choice(["target", "client"])) for box in boxes]
        for done in cuts:
            while not done.is_set():
                cloud.start_publish("down/a", str(sent), 2)
                sent += 1
                # A cut comes with what is sent; without a connection it waits for the next one.
                done.wait(0.05)
    cloud.wait_published(cloud.start_publish("down/a", str(sent), 2))
    for box in boxes:
        everything_once(box.subscriber, sent + 1, box.watch.sent_again)
        assert kind is Mosquitto or not box.watch.sent_again


@pytest.mark.parametrize("version", ["3.1.1", "5.0"])
def test_qos_2_from_upstream_comes_once_through_kills_of_the_box(upstream, cloud, martlet, local, version):
    box = martlet(bridge(upstream.port, version))
    subscriber = local(box)
    subscribed(upstream)
    sent = 0
    for kill in range(8):
        goal = len(subscriber.received) + 10
        for _ in range(60):
            cloud.start_publish("down/a", str(sent), 2)
            sent += 1
        eventually(lambda goal=goal: len(subscriber.received) >= goal, "some of the messages", 40)
        box.kill()
        box.start()
    cloud.wait_published(cloud.start_publish("down/a", str(sent), 2))
    everything_once(subscriber, sent + 1)


@pytest.mark.parametrize("version", ["3.1.1", "5.0"])
def test_what_came_while_the_box_was_down_is_there_afterwards(upstream, cloud, martlet, local, version):
    box = martlet(bridge(upstream.port, version))
    subscriber = local(box)
    subscribed(upstream)
    box.terminate()
    for n in range(MESSAGES):
        cloud.publish("down/a", str(n), n % 2 + 1)
    box.start()
    everything_once(subscriber, MESSAGES)


def test_an_upstream_with_a_small_receive_maximum_gets_everything(tmp_path, keep, martlet, connect):
    upstream = keep(Mosquitto(tmp_path / "narrow", options="max_inflight_messages 3")).start()
    cloud = keep(Client(upstream.port, "3.1.1", "cloud")).connect()
    cloud.subscribe("up/#", 1)
    client = connect(at=martlet(bridge(upstream.port, "5.0")))
    for mid in [client.start_publish("up/a", str(n), 1) for n in range(MESSAGES)]:
        client.wait_published(mid)
    assert [message.text for message in cloud.receive_many(MESSAGES)] == [str(n) for n in range(MESSAGES)]
