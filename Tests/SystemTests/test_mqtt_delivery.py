"""Messages from a publisher to its subscribers: quality of service, order, wildcards."""

import pytest

QOS = [0, 1, 2]


@pytest.mark.parametrize("published", QOS)
@pytest.mark.parametrize("subscribed", QOS)
def test_a_message_arrives_once_with_the_lower_of_both_qualities_of_service(
    connect, version, root, published, subscribed
):
    subscriber, publisher = connect("sub", version), connect("pub", version)
    subscriber.subscribe(f"{root}/a", subscribed)
    publisher.publish(f"{root}/a", b"payload", published)
    message = subscriber.receive()
    assert (message.topic, message.payload) == (f"{root}/a", b"payload")
    assert message.qos == min(published, subscribed)
    assert not message.retain and not message.duplicate
    assert subscriber.everything_before_a_marker(publisher) == []


@pytest.mark.parametrize("qos", QOS)
def test_a_subscription_is_granted_the_quality_of_service_that_it_asks_for(connect, version, root, qos):
    assert connect("sub", version).subscribe(f"{root}/a", qos) == qos


@pytest.mark.parametrize("qos", QOS)
def test_messages_of_one_publisher_arrive_in_order(connect, version, root, qos):
    subscriber, publisher = connect("sub", version), connect("pub", version)
    subscriber.subscribe(f"{root}/#", qos)
    mids = [publisher.start_publish(f"{root}/{n % 3}", str(n), qos) for n in range(500)]
    for mid in mids:
        publisher.wait_published(mid)
    assert [message.text for message in subscriber.receive_many(500)] == [str(n) for n in range(500)]


def test_every_subscriber_gets_its_own_copy(connect, version, root):
    subscribers = [connect(f"sub{n}", version) for n in range(10)]
    for subscriber in subscribers:
        subscriber.subscribe(f"{root}/a", 1)
    connect("pub", version).publish(f"{root}/a", b"x", 1)
    assert [subscriber.receive().payload for subscriber in subscribers] == [b"x"] * 10


def test_a_client_gets_what_it_publishes_itself(connect, version, root):
    client = connect("client", version)
    client.subscribe(f"{root}/a", 1)
    client.publish(f"{root}/a", b"own", 1)
    assert client.receive().payload == b"own"


def test_payloads_are_opaque(connect, version, root):
    client = connect("client", version)
    client.subscribe(f"{root}/a", 1)
    payload = bytes(range(256)) * 400
    client.publish(f"{root}/a", payload, 1)
    assert client.receive().payload == payload


def test_an_empty_payload_that_is_not_retained_is_delivered(connect, version, root):
    client = connect("client", version)
    client.subscribe(f"{root}/a", 1)
    client.publish(f"{root}/a", b"", 1)
    assert client.receive().payload == b""


def test_topics_are_utf_8(connect, version, root):
    client = connect("client", version)
    client.subscribe(f"{root}/Kessel/Überdruck/°C/温度", 1)
    client.publish(f"{root}/Kessel/Überdruck/°C/温度", b"x", 1)
    assert client.receive().topic == f"{root}/Kessel/Überdruck/°C/温度"


@pytest.mark.parametrize(
    "topic_filter, matching, others",
    [
        ("a/+/c", ["a/b/c", "a//c"], ["a/c", "a/b/c/d", "a/b/x"]),
        ("a/#", ["a", "a/", "a/b", "a/b/c"], ["ab", "b/a"]),
        ("+/+", ["a/b", "/b", "a/"], ["a", "a/b/c"]),
        ("+/b/#", ["a/b", "a/b/c/d"], ["a/c/b"]),
        ("a/b", ["a/b"], ["a/B", "a/b/", "/a/b"]),
        ("#", ["a", "a/b/c", "/"], []),
    ],
)
def test_a_wildcard_matches_whole_levels(connect, version, root, topic_filter, matching, others):
    subscriber, publisher = connect("sub", version), connect("pub", version)
    subscriber.subscribe(f"{root}/{topic_filter}", 1)
    for topic in others + matching:
        publisher.publish(f"{root}/{topic}", b"", 1)
    received = [message.topic for message in subscriber.everything_before_a_marker(publisher)]
    assert received == [f"{root}/{topic}" for topic in matching]


@pytest.mark.parametrize("topic_filter", ["#", "+/broker/uptime"])
def test_a_leading_wildcard_does_not_match_topics_that_begin_with_a_dollar(connect, version, root, topic_filter):
    subscriber, publisher = connect("sub", version), connect("pub", version)
    subscriber.subscribe(topic_filter, 1)
    publisher.publish(f"$test/{root}", b"", 1)
    received = [message.topic for message in subscriber.everything_before_a_marker(publisher)]
    assert not any(topic.startswith("$") for topic in received)


def test_nothing_arrives_after_unsubscribing(connect, version, root):
    subscriber, publisher = connect("sub", version), connect("pub", version)
    subscriber.subscribe(f"{root}/a", 1)
    subscriber.unsubscribe(f"{root}/a")
    publisher.publish(f"{root}/a", b"", 1)
    assert subscriber.everything_before_a_marker(publisher) == []


def test_subscribing_again_replaces_the_quality_of_service(connect, version, root):
    client = connect("client", version)
    client.subscribe(f"{root}/a", 2)
    client.subscribe(f"{root}/a", 0)
    client.publish(f"{root}/a", b"", 2)
    assert [message.qos for message in client.everything_before_a_marker()] == [0]


def test_more_than_a_connection_takes_at_once_arrives_once_and_in_order(connect, version, root):
    connect("sub", version, persistent=True).subscribe(f"{root}/a", 1)
    connect("sub", version, persistent=True).disconnect()
    publisher = connect("pub", version)
    for number in range(40):
        publisher.publish(f"{root}/a", f"{number} ".encode() + bytes(30_000), 1)
    received = connect("sub", version, persistent=True).everything_before_a_marker(publisher)
    assert [int(message.payload.split(b" ")[0]) for message in received] == list(range(40))
