"""From paho-mqtt clients of every version to paho-mqtt clients of every version."""

import itertools

import pytest

from harness.mqtt_client import properties
from harness.waiting import eventually

VERSIONS = ["3.1", "3.1.1", "5.0"]
QOS = [0, 1, 2]
USER = [("b", "1"), ("a", "2"), ("b", "3")]
FORWARDED = {
    "PayloadFormatIndicator": 1,
    "ContentType": "text/plain",
    "ResponseTopic": "answer/here",
    "CorrelationData": b"\0\1\2",
    "UserProperty": USER,
}

matrix = pytest.mark.parametrize("sender, receiver", list(itertools.product(VERSIONS, VERSIONS)))


def options(receiver):
    return {"subscription_identifier": 16384} if receiver == "5.0" else {}


def check(message, sender, receiver, *, payload, qos, retain, expiry=None):
    assert (message.payload, message.qos, message.retain, message.duplicate) == (payload, qos, retain, False)
    if receiver != "5.0":
        return
    assert message.properties.SubscriptionIdentifier == [16384]
    if sender == "5.0":
        for name, value in FORWARDED.items():
            assert getattr(message.properties, name) == value, name
        assert 0 < message.properties.MessageExpiryInterval <= expiry
    else:
        assert not hasattr(message.properties, "UserProperty")
        assert not hasattr(message.properties, "MessageExpiryInterval")


def sent_properties(sender, expiry=60):
    return {**FORWARDED, "MessageExpiryInterval": expiry} if sender == "5.0" else {}


@matrix
def test_a_present_subscriber_gets_each_message_with_the_smaller_quality_of_service(connect, root, sender, receiver):
    publisher = connect("pub", sender)
    subscribers = {}
    for granted in QOS:
        subscribers[granted] = connect(f"sub{granted}", receiver)
        assert subscribers[granted].subscribe(f"{root}/+", granted, **options(receiver)) == granted
    cases = list(itertools.product(QOS, [False, True]))
    for qos, retain in cases:
        publisher.publish(f"{root}/a", f"{qos} {retain}", qos, retain, **sent_properties(sender))
    for granted, subscriber in subscribers.items():
        # Those of QoS 0 may overtake the others, which are in order among themselves.
        received = sorted(subscriber.receive_many(len(cases)), key=lambda message: message.text)
        assert len(received) == len(cases)
        for (qos, retain), message in zip(cases, received):
            check(
                message, sender, receiver,
                payload=f"{qos} {retain}".encode(), qos=min(qos, granted), retain=False, expiry=60,
            )


@matrix
def test_a_later_subscriber_gets_the_retained_message_with_the_smaller_quality_of_service(
    connect, root, sender, receiver
):
    publisher = connect("pub", sender)
    for qos in QOS:
        publisher.publish(f"{root}/{qos}/a", str(qos), qos, True, **sent_properties(sender))
    for qos, granted in itertools.product(QOS, QOS):
        subscriber = connect(f"sub{qos}{granted}", receiver)
        subscriber.subscribe(f"{root}/{qos}/+", granted, **options(receiver))
        check(
            subscriber.receive(), sender, receiver,
            payload=str(qos).encode(), qos=min(qos, granted), retain=True, expiry=60,
        )


@matrix
@pytest.mark.parametrize("qos", [1, 2])
def test_a_subscriber_that_was_away_gets_the_messages_in_order(connect, root, sender, receiver, qos):
    subscriber = connect("sub", receiver, persistent=True)
    subscriber.subscribe(f"{root}/+", qos, **options(receiver))
    subscriber.drop()
    publisher = connect("pub", sender)
    for number in range(10):
        publisher.publish(f"{root}/a", str(number), qos, **sent_properties(sender))
    subscriber = connect("sub", receiver, persistent=True)
    for number, message in enumerate(subscriber.receive_many(10)):
        check(message, sender, receiver, payload=str(number).encode(), qos=qos, retain=False, expiry=60)


@matrix
@pytest.mark.parametrize("qos", QOS)
@pytest.mark.parametrize("retain", [False, True])
def test_a_will_is_delivered_like_any_message(connect, root, sender, receiver, qos, retain):
    subscriber = connect("sub", receiver)
    subscriber.subscribe(f"{root}/+", 2, **options(receiver))
    will_properties = properties("WILLMESSAGE", **sent_properties(sender)) if sender == "5.0" else None
    dying = connect("pub", sender, will=(f"{root}/will", b"gone", qos, retain), will_properties=will_properties)
    dying.drop()
    check(subscriber.receive(), sender, receiver, payload=b"gone", qos=qos, retain=False, expiry=60)
    later = connect("later", receiver)
    later.subscribe(f"{root}/+", 2, **options(receiver))
    if retain:
        check(later.receive(), sender, receiver, payload=b"gone", qos=qos, retain=True, expiry=60)
    else:
        assert later.everything_before_a_marker() == []


def test_the_expiry_interval_of_a_message_that_waits_is_counted_down(connect, root):
    """Of a retained message, and of one queued for a subscriber that is away; in the end nothing comes of either."""
    away = connect("away", "5.0", persistent=True)
    away.subscribe(f"{root}/queued", 1)
    away.drop()
    publisher = connect("pub", "5.0")
    publisher.publish(f"{root}/queued", b"x", 1, MessageExpiryInterval=3)
    publisher.publish(f"{root}/queued", b"stays", 1)
    publisher.publish(f"{root}/retained", b"x", 1, True, MessageExpiryInterval=3)

    subscriber = connect("sub", "5.0")

    def retained():
        subscriber.subscribe(f"{root}/retained", 1)
        return subscriber.everything_before_a_marker()

    seen = []

    def is_gone():
        found = retained()
        seen.extend(message.properties.MessageExpiryInterval for message in found)
        return not found

    eventually(is_gone, "the retained message to expire", interval=0.2)
    assert seen == sorted(seen, reverse=True) and {1, 2} <= set(seen) <= {1, 2, 3}, seen
    away = connect("away", "5.0", persistent=True)
    assert away.receive().payload == b"stays"
