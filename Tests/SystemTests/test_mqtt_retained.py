"""Retained messages."""

import json

import pytest

from harness.broker import Martlet

QUOTA_EXCEEDED = 0x97


def test_a_retained_message_reaches_a_later_subscriber_marked_as_retained(connect, version, root):
    connect("pub", version).publish(f"{root}/a", b"last", 1, retain=True)
    subscriber = connect("sub", version)
    subscriber.subscribe(f"{root}/#", 1)
    message = subscriber.receive()
    assert (message.topic, message.payload, message.retain, message.qos) == (f"{root}/a", b"last", True, 1)


def test_a_present_subscriber_gets_a_retained_message_as_an_ordinary_one(connect, version, root):
    client = connect("client", version)
    client.subscribe(f"{root}/a", 1)
    client.publish(f"{root}/a", b"now", 1, retain=True)
    assert not client.receive().retain


def test_a_retained_message_replaces_the_one_before(connect, version, root):
    client = connect("client", version)
    client.publish(f"{root}/a", b"old", 1, retain=True)
    client.publish(f"{root}/a", b"new", 1, retain=True)
    client.subscribe(f"{root}/a", 1)
    assert [message.payload for message in client.everything_before_a_marker()] == [b"new"]


def test_an_empty_retained_message_clears_the_topic(connect, version, root):
    client = connect("client", version)
    client.publish(f"{root}/a", b"old", 1, retain=True)
    client.publish(f"{root}/a", b"", 1, retain=True)
    client.subscribe(f"{root}/a", 1)
    assert client.everything_before_a_marker() == []


def test_a_message_that_is_not_retained_leaves_the_retained_one(connect, version, root):
    client = connect("client", version)
    client.publish(f"{root}/a", b"kept", 1, retain=True)
    client.publish(f"{root}/a", b"passing", 1)
    client.subscribe(f"{root}/a", 1)
    assert [message.payload for message in client.everything_before_a_marker()] == [b"kept"]


def test_a_wildcard_gives_the_retained_message_of_every_matching_topic(connect, version, root):
    client = connect("client", version)
    for n in range(20):
        client.publish(f"{root}/{n}/state", str(n), 1, retain=True)
        client.publish(f"{root}/{n}/other", b"x", 1, retain=True)
    client.subscribe(f"{root}/+/state", 1)
    received = {message.topic: message.text for message in client.everything_before_a_marker()}
    assert received == {f"{root}/{n}/state": str(n) for n in range(20)}


def test_subscribing_again_gives_the_retained_message_again(connect, version, root):
    client = connect("client", version)
    client.publish(f"{root}/a", b"x", 1, retain=True)
    for _ in range(2):
        client.subscribe(f"{root}/a", 1)
        assert client.receive().retain


@pytest.mark.parametrize("handling, first, second", [(0, 1, 1), (1, 1, 0), (2, 0, 0)])
def test_retain_handling_says_when_retained_messages_are_sent(connect, root, handling, first, second):
    client = connect("client", "5.0")
    client.publish(f"{root}/a", b"x", 1, retain=True)
    counts = []
    for _ in range(2):
        client.subscribe(f"{root}/a", 1, retainHandling=handling)
        counts.append(len(client.everything_before_a_marker()))
    assert counts == [first, second]


@pytest.mark.parametrize("keep_flag", [False, True])
def test_retain_as_published_keeps_the_flag_of_the_publisher(connect, root, keep_flag):
    client = connect("client", "5.0")
    client.subscribe(f"{root}/a", 1, retainAsPublished=keep_flag)
    client.publish(f"{root}/a", b"x", 1, retain=True)
    client.publish(f"{root}/a", b"x", 1, retain=False)
    assert [message.retain for message in client.receive_many(2)] == [keep_flag, False]


def test_a_retained_message_survives_a_crash(own_broker, connect, version):
    connect("pub", version, at=own_broker).publish("state", b"on", 1, retain=True)
    own_broker.crash()
    own_broker.start()
    client = connect("sub", version, at=own_broker)
    client.subscribe("state", 1)
    assert client.receive().payload == b"on"


def test_a_cleared_retained_message_stays_cleared_after_a_crash(own_broker, connect):
    publisher = connect("pub", at=own_broker)
    publisher.publish("state", b"on", 1, retain=True)
    publisher.publish("state", b"", 1, retain=True)
    own_broker.crash()
    own_broker.start()
    client = connect("sub", at=own_broker)
    client.subscribe("state", 1)
    assert client.everything_before_a_marker() == []


@pytest.mark.martlet_only
@pytest.mark.parametrize("qos", [0, 1])
def test_more_retained_messages_than_a_queue_takes_all_reach_a_new_subscriber(martlet, connect, qos):
    broker = martlet(broker='max-queued-messages = 200\nmax-outbox-bytes = "1MiB"')
    count = 12_000
    publisher = connect("pub", "5.0", at=broker)
    for n in range(count):
        publisher.start_publish(f"state/{n}", str(n), qos, retain=True)
    publisher.publish("state/last", b"last", 1, retain=True)
    subscriber = connect("sub", "5.0", at=broker)
    subscriber.subscribe("state/#", qos)
    received = subscriber.receive_many(count + 1, timeout=60)
    assert [message.text for message in received] == [str(n) for n in range(count)] + ["last"]
    assert all(message.retain for message in received)


@pytest.fixture
def full_box(tmp_path, keep, connect):
    """A box that retains as many messages as it may: that of `a`."""
    box = keep(Martlet(tmp_path / "full", broker="max-retained-messages = 1")).start()
    connect("first", at=box).publish("a", b"first", 1, retain=True)
    return box


@pytest.mark.martlet_only
@pytest.mark.parametrize("qos", [1, 2])
def test_a_message_that_cannot_be_retained_is_refused_by_version_5(full_box, connect, qos):
    subscriber = connect("sub", at=full_box)
    subscriber.subscribe("#", 1)
    assert subscriber.receive().topic == "a"
    publisher = connect("pub", "5.0", at=full_box)
    # With QoS 2 paho sends PUBREL all the same, and shows the answer to that.
    assert publisher.publish("b", b"x", qos, retain=True).value in ([QUOTA_EXCEEDED] if qos == 1 else [QUOTA_EXCEEDED, 0x92])
    assert subscriber.everything_before_a_marker() == []
    assert publisher.publish("a", b"second", qos, retain=True).value == 0
    assert subscriber.receive().payload == b"second"
    assert "refused a message" in full_box.log() and "retains as many messages as it may" in full_box.log()


@pytest.mark.martlet_only
def test_a_message_that_cannot_be_retained_is_delivered_and_told_of_before_version_5(full_box, connect):
    watcher = connect("watcher", at=full_box)
    watcher.subscribe("$events/message/dropped")
    subscriber = connect("sub", at=full_box)
    subscriber.subscribe("#", 1)
    connect("pub", "3.1.1", at=full_box).publish("b", b"x", 1, retain=True)
    assert subscriber.receive_where(lambda message: message.topic == "b").payload == b"x"
    event = json.loads(watcher.receive().payload)
    assert (event["reason"], event["topic"], event["count"]) == ("retained-full", "b", 1)
    late = connect("late", at=full_box)
    late.subscribe("#", 1)
    assert [message.topic for message in late.everything_before_a_marker()] == ["a"]
    assert "messages are not retained" in full_box.log()
