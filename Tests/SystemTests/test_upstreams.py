"""The bridge with upstreams that have an MQTT of their own: nats-server, and RabbitMQ with its plugin."""

import pytest

from harness.bridges import martlet_bridge
from harness.mqtt_client import Client
from harness.nats import Nats
from harness.rabbitmq import RabbitMQ
from harness.waiting import eventually

pytestmark = [pytest.mark.martlet_only, pytest.mark.timeout(240)]

RECEIVE = """
  [[bridge.receive]]
  filter = "site/7/set/#"
  remove-prefix = "site/7/"
  qos = 1
"""


@pytest.fixture(scope="module", params=[Nats, RabbitMQ], ids=["nats", "rabbitmq"])
def upstream(request, tmp_path_factory):
    broker = request.param(tmp_path_factory.mktemp(request.param.__name__))
    broker.start()
    yield broker
    broker.forget()


@pytest.fixture
def box(upstream, tmp_path, keep, root):
    """`box()` starts Martlet with a bridge to `upstream`."""

    def start(keys='protocol = "3.1.1"'):
        return keep(martlet_bridge(tmp_path / "box", upstream.port, identifier=root, keys=keys, routes=RECEIVE)).start()

    return start


@pytest.fixture
def cloud(upstream, keep, root):
    """`cloud("name")` is a client of the upstream."""
    return lambda name="cloud", **options: keep(Client(upstream.port, "3.1.1", f"{root}-{name}", **options)).connect()


def test_a_local_message_arrives_upstream(box, cloud, connect, root):
    here = cloud()
    here.subscribe("site/7/plant/#", 1)
    connect(at=box()).publish(f"plant/{root}/temp", b"21.5", 1)
    message = here.receive()
    assert (message.topic, message.payload, message.qos) == (f"site/7/plant/{root}/temp", b"21.5", 1)


def test_local_messages_arrive_upstream_in_order(box, cloud, connect, root):
    here = cloud()
    here.subscribe("site/7/plant/#", 1)
    client = connect(at=box())
    for mid in [client.start_publish(f"plant/{root}/{n % 5}", str(n), 1) for n in range(500)]:
        client.wait_published(mid)
    numbers = [(message.topic, int(message.text)) for message in here.receive_many(500)]
    for topic in range(5):
        assert [n for name, n in numbers if name.endswith(f"/{topic}")] == list(range(topic, 500, 5))


def test_a_retained_message_is_retained_upstream(box, cloud, connect, root):
    here = cloud()
    here.subscribe(f"site/7/plant/{root}", 1)
    connect(at=box()).publish(f"plant/{root}", b"kept", 1, retain=True)
    assert here.receive().payload == b"kept"

    def retained():
        late = cloud("late")
        late.subscribe(f"site/7/plant/{root}", 1)
        found = [message.payload for message in late.everything_before_a_marker()]
        late.disconnect()
        return found == [b"kept"]

    # Both brokers retain a message some time after they have acknowledged it.
    eventually(retained, "the retained message upstream")


def test_a_message_from_upstream_arrives_locally(box, cloud, connect, root):
    client = connect(at=box())
    client.subscribe("set/#", 1)
    publish_until_received(cloud(), client, f"site/7/set/{root}")


def test_what_is_published_upstream_while_the_box_is_off_arrives_when_it_is_back(box, cloud, connect, keep, root):
    martlet = box()
    client = connect(at=martlet, persistent=True)
    client.subscribe("set/#", 1)
    here = cloud()
    publish_until_received(here, client, f"site/7/set/{root}")
    client.disconnect()
    martlet.terminate()
    for number in range(50):
        here.publish(f"site/7/set/{root}/{number % 3}", str(number), 1)
    martlet.start()
    client = connect(at=martlet, persistent=True)
    received = []
    while "49" not in received:
        received.append(client.receive().text)
    assert set(received) - {"ready"} == {str(number) for number in range(50)}


def test_everything_arrives_after_a_restart_of_the_upstream(box, upstream, cloud, connect, keep, root):
    here = cloud(persistent=True)
    here.subscribe("site/7/plant/#", 1)
    client = connect(at=box())
    for number in range(100):
        client.publish(f"plant/{root}", str(number), 1)
    here.disconnect()
    upstream.terminate(60)
    for number in range(100, 200):
        client.publish(f"plant/{root}", str(number), 1)
    upstream.start()
    here = cloud(persistent=True)
    received = []
    while "199" not in received:
        received.append(here.receive(60).text)
    assert set(received) <= {str(number) for number in range(200)}
    assert set(received) >= {str(number) for number in range(100, 200)}


def test_an_upstream_without_mqtt_5_is_said_to_be_one_with_what_to_set_and_disturbs_nobody_here(box, connect):
    martlet = box('protocol = "5.0"')
    eventually(
        lambda: any("not connected" in line and "MQTT 5.0" in line and "3.1.1" in line for line in martlet.log().splitlines()),
        "the log to say what to set",
    )
    client = connect(at=martlet)
    client.subscribe("plant/a", 1)
    client.publish("plant/a", b"x", 1)
    assert client.receive().payload == b"x"


def test_a_message_over_which_the_upstream_ends_the_connection_is_skipped_and_does_not_hold_up_the_others(tmp_path, keep):
    # nats-server has no topics with a full stop, and MQTT 3.1.1 has no way to say so.
    nats = keep(Nats(tmp_path / "nats")).start()
    martlet = keep(martlet_bridge(tmp_path / "box", nats.port, keys='protocol = "3.1.1"')).start()
    here = keep(Client(nats.port, "3.1.1", "cloud")).connect()
    here.subscribe("site/7/plant/#", 1)
    client = keep(Client(martlet.port, "3.1.1", "client")).connect()
    client.publish("plant/a.b", b"refused", 1)
    client.publish("plant/a", b"behind it", 1)
    assert here.receive(30).payload == b"behind it"
    published = 0

    def is_skipped():
        nonlocal published
        client.publish("plant/a", str(published), 1)
        published += 1
        return "it is skipped" in martlet.log()

    eventually(is_skipped, "the message to be skipped", 60, interval=0.5)
    assert "topic=site/7/plant/a.b" in martlet.log()
    assert [message.text for message in here.receive_many(published, 30)] == [str(n) for n in range(published)]


def publish_until_received(publisher, subscriber, topic):
    """The bridge's subscription upstream is there once a message has come through."""

    def came():
        publisher.publish(topic, b"ready", 1)
        return not subscriber.messages.empty()

    eventually(came, "a message from upstream", interval=0.2)
    message = subscriber.receive()
    assert (message.topic, message.payload) == (topic.removeprefix("site/7/"), b"ready")
