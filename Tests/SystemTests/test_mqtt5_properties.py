"""What MQTT 5.0 adds: properties, and the behaviour that they ask for."""

import time

import pytest

from harness import raw_mqtt
from harness.broker import broker_under_test
from harness.mqtt_client import Client, properties
from harness.raw_mqtt import RawConnection
from harness.waiting import until


def test_properties_of_the_application_pass_through_unchanged(connect, root):
    client = connect("client", "5.0")
    client.subscribe(f"{root}/a", 1)
    client.publish(
        f"{root}/a",
        b"x",
        1,
        UserProperty=[("key", "1"), ("key", "2"), ("ключ", "значение")],
        ResponseTopic=f"{root}/answer",
        CorrelationData=b"\x00\x01\xff",
        ContentType="application/json",
        PayloadFormatIndicator=1,
    )
    received = client.receive().properties
    assert received.UserProperty == [("key", "1"), ("key", "2"), ("ключ", "значение")]
    assert received.ResponseTopic == f"{root}/answer"
    assert received.CorrelationData == b"\x00\x01\xff"
    assert received.ContentType == "application/json"
    assert received.PayloadFormatIndicator == 1


def test_a_request_is_answered_at_its_response_topic(connect, root):
    requester, responder = connect("requester", "5.0"), connect("responder", "5.0")
    requester.subscribe(f"{root}/answers", 1)
    responder.subscribe(f"{root}/question", 1)
    requester.publish(f"{root}/question", b"?", 1, ResponseTopic=f"{root}/answers", CorrelationData=b"42")
    question = responder.receive().properties
    responder.publish(question.ResponseTopic, b"!", 1, CorrelationData=question.CorrelationData)
    answer = requester.receive()
    assert (answer.payload, answer.properties.CorrelationData) == (b"!", b"42")


def test_properties_of_a_retained_message_are_kept(connect, root):
    client = connect("client", "5.0")
    client.publish(f"{root}/a", b"x", 1, retain=True, UserProperty=[("unit", "°C")])
    client.subscribe(f"{root}/a", 1)
    assert client.receive().properties.UserProperty == [("unit", "°C")]


def test_properties_of_a_waiting_message_survive_a_crash(own_broker, connect):
    connect("sub", "5.0", at=own_broker, persistent=True).subscribe("a", 1)
    connect("sub", "5.0", at=own_broker, persistent=True).drop()
    connect("pub", "5.0", at=own_broker).publish("a", b"x", 1, UserProperty=[("unit", "°C")], CorrelationData=b"7")
    own_broker.crash()
    own_broker.start()
    received = connect("sub", "5.0", at=own_broker, persistent=True).receive().properties
    assert (received.UserProperty, received.CorrelationData) == ([("unit", "°C")], b"7")


def test_a_subscriber_of_version_3_gets_a_message_with_properties(connect, root):
    old, new = connect("old", "3.1.1"), connect("new", "5.0")
    old.subscribe(f"{root}/a", 1)
    new.publish(f"{root}/a", b"x", 1, UserProperty=[("key", "value")])
    assert old.receive().payload == b"x"


def test_a_message_that_waits_longer_than_its_expiry_is_not_delivered(connect, root):
    connect("sub", "5.0", persistent=True).subscribe(f"{root}/a", 1)
    connect("sub", "5.0", persistent=True).drop()
    publisher = connect("pub", "5.0")
    publisher.publish(f"{root}/a", b"short", 1, MessageExpiryInterval=1)
    publisher.publish(f"{root}/a", b"long", 1, MessageExpiryInterval=3600)
    until(time.monotonic() + 2.5)
    received = connect("sub", "5.0", persistent=True).everything_before_a_marker(publisher)
    assert [message.payload for message in received] == [b"long"]


def test_the_expiry_of_a_delivered_message_is_what_is_left_of_it(connect, root):
    connect("sub", "5.0", persistent=True).subscribe(f"{root}/a", 1)
    connect("sub", "5.0", persistent=True).drop()
    connect("pub", "5.0").publish(f"{root}/a", b"x", 1, MessageExpiryInterval=3600)
    until(time.monotonic() + 2.1)
    left = connect("sub", "5.0", persistent=True).receive().properties.MessageExpiryInterval
    assert 3000 < left <= 3598


def test_a_retained_message_expires(connect, root):
    client = connect("client", "5.0")
    client.publish(f"{root}/a", b"x", 1, retain=True, MessageExpiryInterval=1)
    until(time.monotonic() + 2.5)
    client.subscribe(f"{root}/a", 1)
    assert client.everything_before_a_marker() == []


def test_no_local_keeps_a_clients_own_messages_from_it(connect, root):
    client, other = connect("client", "5.0"), connect("other", "5.0")
    client.subscribe(f"{root}/a", 1, noLocal=True)
    client.publish(f"{root}/a", b"own", 1)
    other.publish(f"{root}/a", b"other", 1)
    assert [message.payload for message in client.everything_before_a_marker(other)] == [b"other"]


def test_a_message_carries_the_identifier_of_its_subscription(connect, root):
    client = connect("client", "5.0")
    client.subscribe(f"{root}/a", 1, subscription_identifier=7)
    client.subscribe(f"{root}/b", 1, subscription_identifier=268_435_455)
    client.subscribe(f"{root}/c", 1)
    for topic in "abc":
        client.publish(f"{root}/{topic}", b"", 1)
    received = [getattr(message.properties, "SubscriptionIdentifier", []) for message in client.receive_many(3)]
    assert received == [[7], [268_435_455], []]


def test_overlapping_subscriptions_give_all_their_identifiers(connect, root):
    client = connect("client", "5.0")
    client.subscribe(f"{root}/a", 1, subscription_identifier=1)
    client.subscribe(f"{root}/+", 1, subscription_identifier=2)
    client.publish(f"{root}/a", b"", 1)
    received = client.everything_before_a_marker()
    identifiers = [one for message in received for one in message.properties.SubscriptionIdentifier]
    assert sorted(identifiers) == [1, 2]


def test_no_more_messages_are_in_flight_than_the_client_can_take(connect, root):
    limit = properties("CONNECT", ReceiveMaximum=3)
    client = connect("client", "5.0", connect_properties=limit, manual_acknowledgement=True)
    publisher = connect("pub", "5.0")
    client.subscribe(f"{root}/a", 1)
    for n in range(10):
        publisher.publish(f"{root}/a", str(n), 1)
    # The marker is of quality 0, so that it may pass those that wait for room.
    client.subscribe(f"{root}/marker", 0)
    publisher.publish(f"{root}/marker", b"", 0)
    received = []
    while (message := client.receive()).topic != f"{root}/marker":
        received.append(message)
    assert [message.text for message in received] == ["0", "1", "2"]
    for n in range(3, 10):
        client.acknowledge(received[n - 3])
        received.append(client.receive())
    assert [message.text for message in received] == [str(n) for n in range(10)]


def test_a_client_gets_no_packet_larger_than_it_asked_for(connect, root):
    client = connect("client", "5.0", connect_properties=properties("CONNECT", MaximumPacketSize=200))
    publisher = connect("pub", "5.0")
    client.subscribe(f"{root}/a", 1)
    publisher.publish(f"{root}/a", b"x" * 300, 1)
    publisher.publish(f"{root}/a", b"small", 1)
    assert [message.payload for message in client.everything_before_a_marker(publisher)] == [b"small"]


def test_the_broker_says_its_own_maximum_packet_size(tmp_path, keep):
    broker = keep(broker_under_test(tmp_path / "small", max_packet_size=4096)).start()
    client = keep(Client(broker.port, "5.0", "client")).connect()
    assert client.connect_answer.MaximumPacketSize == 4096


def test_the_broker_assigns_an_identifier_to_a_client_without_one(broker, keep):
    assigned = {
        keep(Client(broker.port, "5.0", "")).connect().connect_answer.AssignedClientIdentifier for _ in range(2)
    }
    assert len(assigned) == 2 and "" not in assigned


def test_a_publisher_may_use_a_topic_alias(broker, connect, root):
    client = connect("client", "5.0")
    client.subscribe(f"{root}/a", 1)
    with RawConnection(broker.port) as publisher:
        publisher.connect("5.0", f"{root}-pub")
        alias = b"\x03\x23\x00\x01"
        for topic in (f"{root}/a", ""):
            body = raw_mqtt.text(topic) + alias + b"x"
            publisher.send(raw_mqtt.packet(raw_mqtt.PUBLISH, 0, body))
        assert [message.topic for message in client.receive_many(2)] == [f"{root}/a"] * 2


@pytest.mark.parametrize("alias, reasons", [(0, {0x81, 0x82, 0x94}), (65535, {0x94})])
def test_a_topic_alias_beyond_what_the_broker_allows_ends_the_connection(broker, root, alias, reasons):
    with RawConnection(broker.port) as publisher:
        publisher.connect("5.0", f"{root}-pub")
        body = raw_mqtt.text(f"{root}/a") + b"\x03\x23" + alias.to_bytes(2) + b"x"
        publisher.send(raw_mqtt.packet(raw_mqtt.PUBLISH, 0, body))
        (answer,) = publisher.read_until_closed()
        assert answer.type == raw_mqtt.DISCONNECT and answer.body[0] in reasons


def test_publishing_to_nobody_may_say_so(connect, root):
    reason = connect("client", "5.0").publish(f"{root}/nobody", b"", 1)
    assert reason.value in (0, 16)
