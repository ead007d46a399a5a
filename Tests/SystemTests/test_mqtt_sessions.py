"""Sessions: what waits for an absent client, what survives a crash, and when it ends."""

import time

import pytest

from harness import raw_mqtt
from harness.broker import BROKER_UNDER_TEST
from harness.mqtt_client import properties
from harness.raw_mqtt import RawConnection
from harness.waiting import until


def publish_all(publisher, topic, count, qos):
    """Publishes the numbers below `count` and waits until the broker has acknowledged every one."""
    mids = [publisher.start_publish(topic, str(n), qos) for n in range(count)]
    for mid in mids:
        publisher.wait_published(mid)


@pytest.mark.parametrize("qos", [1, 2])
def test_messages_wait_for_a_client_that_is_away(connect, version, root, qos):
    connect("sub", version, persistent=True).subscribe(f"{root}/a", qos)
    connect("sub", version, persistent=True).disconnect()
    publish_all(connect("pub", version), f"{root}/a", 100, qos)
    back = connect("sub", version, persistent=True)
    assert back.session_present
    assert [message.text for message in back.receive_many(100)] == [str(n) for n in range(100)]


@pytest.mark.parametrize("qos", [1, 2])
def test_acknowledged_messages_for_an_absent_client_survive_a_crash_in_order(own_broker, connect, version, qos):
    subscriber = connect("sub", version, at=own_broker, persistent=True)
    subscriber.subscribe("a", qos)
    subscriber.disconnect()
    publish_all(connect("pub", version, at=own_broker), "a", 300, qos)
    own_broker.crash()
    own_broker.start()
    back = connect("sub", version, at=own_broker, persistent=True)
    assert back.session_present
    received = [message.text for message in back.everything_before_a_marker(qos=qos)]
    assert received == [str(n) for n in range(300)]


def test_what_a_client_has_not_acknowledged_comes_again_after_a_crash(own_broker, connect, version):
    subscriber = connect("sub", version, at=own_broker, persistent=True, manual_acknowledgement=True)
    subscriber.subscribe("a", 1)
    publish_all(connect("pub", version, at=own_broker), "a", 10, 1)
    assert [message.text for message in subscriber.receive_many(10)] == [str(n) for n in range(10)]
    own_broker.crash()
    own_broker.start()
    back = connect("sub", version, at=own_broker, persistent=True)
    assert [message.text for message in back.receive_many(10)] == [str(n) for n in range(10)]


def test_what_a_client_has_not_acknowledged_comes_again_as_a_duplicate_after_its_reconnect(connect, version, root):
    subscriber = connect("sub", version, persistent=True, manual_acknowledgement=True)
    subscriber.subscribe(f"{root}/a", 1)
    connect("pub", version).publish(f"{root}/a", b"x", 1)
    first = subscriber.receive()
    assert not first.duplicate
    subscriber.drop()
    again = connect("sub", version, persistent=True).receive()
    assert again.payload == b"x" and again.duplicate and again.identifier == first.identifier


def test_subscriptions_of_a_persistent_session_survive_a_crash(own_broker, connect, version):
    connect("sub", version, at=own_broker, persistent=True).subscribe("a/+", 1)
    own_broker.crash()
    own_broker.start()
    back = connect("sub", version, at=own_broker, persistent=True)
    assert back.session_present
    connect("pub", version, at=own_broker).publish("a/b", b"x", 1)
    assert back.receive().payload == b"x"


def test_a_subscription_that_was_given_up_stays_so_after_a_crash(own_broker, connect):
    client = connect("sub", at=own_broker, persistent=True)
    client.subscribe("a", 1)
    client.unsubscribe("a")
    own_broker.crash()
    own_broker.start()
    back = connect("sub", at=own_broker, persistent=True)
    publisher = connect("pub", at=own_broker)
    publisher.publish("a", b"x", 1)
    assert back.everything_before_a_marker(publisher) == []


def test_messages_survive_one_crash_after_the_other(own_broker, connect, version):
    subscriber = connect("sub", version, at=own_broker, persistent=True)
    subscriber.subscribe("a", 1)
    subscriber.disconnect()
    for n in range(4):
        connect("pub", version, at=own_broker).publish("a", str(n), 1)
        own_broker.crash()
        own_broker.start()
    back = connect("sub", version, at=own_broker, persistent=True)
    received = [message.text for message in back.everything_before_a_marker()]
    assert list(dict.fromkeys(received)) == ["0", "1", "2", "3"]


def test_a_message_of_quality_2_that_is_sent_twice_before_its_release_is_delivered_once(
    own_broker, connect, version
):
    subscriber = connect("sub", version, at=own_broker)
    subscriber.subscribe("a", 2)
    message = {"qos": 2, "identifier": 7}
    options = {"clean": False, "session_expiry": 3600}
    with RawConnection(own_broker.port) as publisher:
        publisher.connect(version, "raw-publisher", **options)
        publisher.send(raw_mqtt.publish_packet(version, "a", b"once", **message))
        publisher.expect(raw_mqtt.PUBREC)
    with RawConnection(own_broker.port) as publisher:
        assert publisher.connect(version, "raw-publisher", **options)
        publisher.send(raw_mqtt.publish_packet(version, "a", b"once", duplicate=True, **message))
        publisher.expect(raw_mqtt.PUBREC)
        publisher.send(raw_mqtt.acknowledgement(raw_mqtt.PUBREL, 7))
        publisher.expect(raw_mqtt.PUBCOMP)
    received = [one.payload for one in subscriber.everything_before_a_marker(qos=2)]
    assert received == [b"once"]


def test_a_message_of_quality_2_that_was_received_before_a_crash_is_delivered_once(own_broker, connect, version):
    subscriber = connect("sub", version, at=own_broker, persistent=True)
    subscriber.subscribe("a", 2)
    subscriber.disconnect()
    options = {"clean": False, "session_expiry": 3600}
    with RawConnection(own_broker.port) as publisher:
        publisher.connect(version, "raw-publisher", **options)
        publisher.send(raw_mqtt.publish_packet(version, "a", b"once", qos=2, identifier=7))
        publisher.expect(raw_mqtt.PUBREC)
        own_broker.crash()
    own_broker.start()
    with RawConnection(own_broker.port) as publisher:
        assert publisher.connect(version, "raw-publisher", **options)
        publisher.send(raw_mqtt.publish_packet(version, "a", b"once", qos=2, identifier=7, duplicate=True))
        publisher.expect(raw_mqtt.PUBREC)
        publisher.send(raw_mqtt.acknowledgement(raw_mqtt.PUBREL, 7))
        publisher.expect(raw_mqtt.PUBCOMP)
    back = connect("sub", version, at=own_broker, persistent=True)
    assert [one.payload for one in back.everything_before_a_marker(qos=2)] == [b"once"]


def test_a_message_of_quality_2_that_the_subscriber_has_received_is_released_after_a_crash_and_not_sent_again(
    own_broker, connect, version
):
    options = {"clean": False, "session_expiry": 3600}
    with RawConnection(own_broker.port) as subscriber:
        subscriber.connect(version, "raw-subscriber", **options)
        subscriber.send(raw_mqtt.subscribe_packet(version, 1, "a", 2))
        subscriber.expect(raw_mqtt.SUBACK)
        connect("pub", version, at=own_broker).publish("a", b"x", 2)
        identifier = int.from_bytes(subscriber.expect(raw_mqtt.PUBLISH).body[3:5])
        subscriber.send(raw_mqtt.acknowledgement(raw_mqtt.PUBREC, identifier))
        subscriber.expect(raw_mqtt.PUBREL)
        own_broker.crash()
    own_broker.start()
    with RawConnection(own_broker.port) as subscriber:
        assert subscriber.connect(version, "raw-subscriber", **options)
        assert int.from_bytes(subscriber.expect(raw_mqtt.PUBREL).body[:2]) == identifier
        subscriber.send(raw_mqtt.acknowledgement(raw_mqtt.PUBCOMP, identifier))
        subscriber.send(raw_mqtt.packet(raw_mqtt.PINGREQ, 0))
        subscriber.expect(raw_mqtt.PINGRESP)


def test_a_clean_session_forgets_what_was_there(connect, version, root):
    connect("sub", version, persistent=True).subscribe(f"{root}/a", 1)
    connect("sub", version, persistent=True).disconnect()
    connect("pub", version).publish(f"{root}/a", b"x", 1)
    client = connect("sub", version)
    assert not client.session_present
    assert client.everything_before_a_marker() == []


def test_a_session_that_is_not_persistent_ends_with_its_connection(connect, version, root):
    connect("sub", version).subscribe(f"{root}/a", 1)
    connect("sub", version).drop()
    assert not connect("sub", version, persistent=True).session_present


def test_messages_of_quality_0_do_not_disturb_the_order_of_those_that_wait(connect, version, root):
    connect("sub", version, persistent=True).subscribe(f"{root}/a", 1)
    connect("sub", version, persistent=True).drop()
    publisher = connect("pub", version)
    for n in range(20):
        publisher.publish(f"{root}/a", str(n), 1)
        publisher.publish(f"{root}/a", b"passing", 0)
    received = [message.text for message in connect("sub", version, persistent=True).everything_before_a_marker()]
    assert [text for text in received if text != "passing"] == [str(n) for n in range(20)]


def test_a_new_connection_takes_the_client_identifier_over(connect, version, root):
    first = connect("client", version)
    second = connect("client", version)
    first.wait_until_disconnected()
    second.subscribe(f"{root}/a", 1)
    second.publish(f"{root}/a", b"x", 1)
    assert second.receive().payload == b"x"


# [MQTT-3.1.4-3]
@pytest.mark.skipif(BROKER_UNDER_TEST == "mosquitto", reason="mosquitto 2.0.11 only closes the connection")
def test_a_client_of_version_5_is_told_that_its_session_was_taken_over(broker, root):
    with RawConnection(broker.port) as first, RawConnection(broker.port) as second:
        first.connect("5.0", f"{root}-client")
        second.connect("5.0", f"{root}-client")
        assert [(one.type, one.body[0]) for one in first.read_until_closed()] == [(raw_mqtt.DISCONNECT, 0x8E)]


def test_a_takeover_inherits_the_persistent_session(connect, version, root):
    first = connect("client", version, persistent=True)
    first.subscribe(f"{root}/a", 1)
    second = connect("client", version, persistent=True)
    assert second.session_present
    connect("pub", version).publish(f"{root}/a", b"x", 1)
    assert second.receive().payload == b"x"


def test_a_session_ends_when_its_expiry_has_passed(connect, root):
    expiring = properties("CONNECT", SessionExpiryInterval=1)
    client = connect("client", "5.0", persistent=True, connect_properties=expiring)
    client.subscribe(f"{root}/a", 1)
    client.drop()
    until(time.monotonic() + 2.5)
    assert not connect("client", "5.0", persistent=True).session_present


def test_a_disconnect_may_change_the_session_expiry(connect, root):
    client = connect("client", "5.0", persistent=True)
    client.subscribe(f"{root}/a", 1)
    client.disconnect(disconnect_properties=properties("DISCONNECT", SessionExpiryInterval=0))
    assert not connect("client", "5.0", persistent=True).session_present


@pytest.mark.skipif(BROKER_UNDER_TEST == "mosquitto", reason="mosquitto 2.0 starts the interval anew with itself")
def test_a_session_expiry_goes_on_over_a_crash(own_broker, connect):
    expiring = properties("CONNECT", SessionExpiryInterval=1)
    client = connect("client", "5.0", at=own_broker, persistent=True, connect_properties=expiring)
    client.subscribe("a", 1)
    client.drop()
    # What is acknowledged now was stored after the loss of the connection.
    connect("other", "5.0", at=own_broker).publish("b", "x", 1, retain=True)
    own_broker.crash()
    until(time.monotonic() + 2.5)
    own_broker.start()
    assert not connect("client", "5.0", at=own_broker, persistent=True).session_present
