"""What MQTT's standards say of packets that break their rules, of answers and of MQTT 3.1, byte by byte.

Where brokers differ because the standard lets them, all that it lets them do is accepted.
"""

import pytest

from harness import raw_mqtt
from harness.mqtt_client import Client, properties
from harness.raw_mqtt import RawConnection

TOPIC = raw_mqtt.text("a")
NAME = raw_mqtt.text("MQTT")


def packet(first, body):
    return bytes([first]) + raw_mqtt.variable(len(body)) + body


MALFORMED = {
    "reserved packet type [MQTT-4.13.1-1]": b"\x00\x00",
    "QoS 3 [MQTT-3.3.1-4]": packet(0x36, TOPIC + b"\x00\x01\x00"),
    "flags of SUBSCRIBE [MQTT-3.8.1-1]": packet(0x80, b"\x00\x01\x00" + TOPIC + b"\x00"),
    "flags of UNSUBSCRIBE [MQTT-3.10.1-1]": packet(0xA0, b"\x00\x01\x00" + TOPIC),
    "flags of PUBREL [MQTT-3.6.1-1]": packet(0x60, b"\x00\x01"),
    "flags of DISCONNECT [MQTT-3.14.1-1]": packet(0xE1, b""),
    "topic that is not UTF-8 [MQTT-1.5.4-1]": packet(0x30, b"\x00\x01\xff\x00"),
    "topic with U+0000 [MQTT-1.5.4-2]": packet(0x30, b"\x00\x01\x00\x00"),
    "topic with a wildcard [MQTT-3.3.2-2]": packet(0x30, b"\x00\x01+\x00"),
    "reserved bits of the options [MQTT-3.8.3-5]": packet(0x82, b"\x00\x01\x00" + TOPIC + b"\x40"),
    "property of another packet [MQTT-4.13.1-1]": packet(0x30, TOPIC + b"\x02\x17\x01"),
    "packet that ends too early [MQTT-4.13.1-1]": packet(0x30, b"\x00\x05a"),
}

PROTOCOL_ERRORS = {
    "second CONNECT [MQTT-3.1.0-2]": raw_mqtt.connect_packet("5.0", "second"),
    "CONNACK from a client [MQTT-4.13.1-1]": packet(0x20, b"\x00\x00\x00"),
    "SUBSCRIBE without a filter [MQTT-3.8.3-2]": packet(0x82, b"\x00\x01\x00"),
    "UNSUBSCRIBE without a filter [MQTT-3.10.3-2]": packet(0xA2, b"\x00\x01\x00"),
    "packet identifier 0 [MQTT-4.13.1-1]": packet(0x32, TOPIC + b"\x00\x00\x00"),
    "subscription identifier 0 [MQTT-4.13.1-1]": packet(0x82, b"\x00\x01\x02\x0b\x00" + TOPIC + b"\x00"),
    "property twice [MQTT-4.13.1-1]": packet(0x30, TOPIC + b"\x04\x01\x00\x01\x00"),
    "topic alias that is not set [MQTT-3.3.2-7]": packet(0x30, b"\x00\x00\x03\x23\x00\x01"),
    "raised Session Expiry Interval [MQTT-4.13.1-1]": packet(0xE0, b"\x00\x05\x11\x00\x00\x00\x3c"),
}


def reaction(broker, root, data):
    """The reason codes of the DISCONNECTs that come back, when the connection has ended."""
    with RawConnection(broker.port) as connection:
        connection.connect("5.0", f"{root}-client")
        connection.send(data)
        answers = connection.read_until_closed()
        assert all(answer.type == raw_mqtt.DISCONNECT for answer in answers)
        return [answer.body[0] if answer.body else 0 for answer in answers]


# Another broker may tell malformed packets and protocol errors apart in another way, or end the connection without a word:
# that it ends is what the standard insists on. Ours says which it was.
def expected(broker, codes):
    return [codes] if broker.name == "martlet" else [[], [0x81], [0x82], [0x8F], [0x94], [0x95]]


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_packet_ends_the_connection(broker, root, data):
    # The cases are [MQTT-4.13.1-1], [MQTT-4.13.2-1], and each the statement that it names.
    assert reaction(broker, root, data) in expected(broker, [0x81])


@pytest.mark.parametrize("data", PROTOCOL_ERRORS.values(), ids=PROTOCOL_ERRORS)
def test_a_protocol_error_ends_the_connection(broker, root, data):
    # [MQTT-4.13.1-1] [MQTT-4.13.2-1]
    assert reaction(broker, root, data) in expected(broker, [0x82])


@pytest.mark.parametrize(
    "body, codes",
    [
        (NAME + b"\x05\x03\x00\x3c\x00" + TOPIC, {0x81}),
        (NAME + b"\x05\x06\x00\x3c\x00" + TOPIC + b"\x00\x00\x01#\x00\x00", {0x81, 0x90}),
        (NAME + b"\x05\x02\x00\x3c\x03\x21\x00\x00" + TOPIC, {0x82}),
        (NAME + b"\x05\x02\x00\x3c\x00\x00\x01\xff", {0x81, 0x85}),
        (NAME + b"\x05\x02\x00\x3c\x06\x15\x00\x03abc" + TOPIC, {0x87, 0x8C}),
    ],
    ids=["reserved flag", "wildcard in the will topic", "receive maximum 0", "identifier not UTF-8", "unknown method"],
)
def test_a_connect_that_is_refused_is_told_why_in_version_5(broker, body, codes):
    # [MQTT-3.1.2-3] [MQTT-3.1.3-4] [MQTT-3.1.4-1] [MQTT-3.2.2-7] [MQTT-4.12.0-1]
    with RawConnection(broker.port) as connection:
        connection.send(packet(0x10, body))
        answers = connection.read_until_closed()
    assert [answer.type for answer in answers] in ([raw_mqtt.CONNACK], [] if broker.name != "martlet" else None)
    assert all(answer.body[0] == 0 and answer.body[1] in codes for answer in answers)


def test_version_3_1_connects_under_its_own_name(broker, root):
    with RawConnection(broker.port) as connection:
        assert connection.connect("3.1", f"{root}-an-identifier-of-more-than-23-characters") is False
        # DUP in SUBSCRIBE means nothing then.
        connection.send(packet(0x8A, b"\x00\x07" + raw_mqtt.text(f"{root}/a") + b"\x01"))
        assert connection.expect(raw_mqtt.SUBACK).body == b"\x00\x07\x01"
        connection.send(packet(0x32, raw_mqtt.text(f"{root}/a") + b"\x00\x09x"))
        answers = {connection.read().type for _ in range(2)}
        assert answers == {raw_mqtt.PUBACK, raw_mqtt.PUBLISH}


@pytest.mark.martlet_only
def test_what_is_not_available_is_told_and_answered(martlet, keep):
    # [MQTT-3.2.2-9] [MQTT-3.2.2-10] [MQTT-3.2.2-12] [MQTT-3.2.2-13]
    broker = martlet(
        broker="max-qos = 0\nretain-available = false\nwildcard-subscription-available = false\n"
        "subscription-identifier-available = false"
    )
    client = keep(Client(broker.port, "5.0", "client")).connect()
    answer = client.connect_answer
    assert (answer.MaximumQoS, answer.RetainAvailable) == (0, 0)
    assert (answer.WildcardSubscriptionAvailable, answer.SubscriptionIdentifierAvailable) == (0, 0)
    assert client.subscribe("a", 2) == 0
    keep(Client(broker.port, "5.0", "will", will=("w", b"x", 1, False))).connect(expected=0x9B)
    keep(Client(broker.port, "5.0", "will", will=("w", b"x", 0, True))).connect(expected=0x9A)
    for data, code in [
        (raw_mqtt.publish_packet("5.0", "a", b"x", qos=1, identifier=1), 0x9B),
        (raw_mqtt.publish_packet("5.0", "a", b"x", retain=True), 0x9A),
        (raw_mqtt.subscribe_packet("5.0", 1, "a/#", 0), 0xA2),
        (packet(0x82, b"\x00\x01\x02\x0b\x01" + TOPIC + b"\x00"), 0xA1),
    ]:
        assert reaction(broker, "other", data) == [code]


@pytest.mark.martlet_only
def test_response_information_is_told_to_those_who_ask(martlet, keep):
    # [MQTT-3.1.2-28]
    broker = martlet(broker='response-topic-prefix = "responses/%c"')
    asked = properties("CONNECT", RequestResponseInformation=1)
    asking = keep(Client(broker.port, "5.0", "c1", connect_properties=asked)).connect()
    assert asking.connect_answer.ResponseInformation == "responses/c1"
    silent = keep(Client(broker.port, "5.0", "c2")).connect()
    assert not hasattr(silent.connect_answer, "ResponseInformation")


@pytest.mark.martlet_only
def test_clients_are_sent_to_another_server(martlet):
    broker = martlet(broker='server-reference = "other.example:1883"')
    reference = b"\x1c" + raw_mqtt.text("other.example:1883")
    with RawConnection(broker.port) as new, RawConnection(broker.port) as old:
        new.connect("5.0", "new")
        old.connect("3.1.1", "old")
        assert broker.terminate() == 0
        (farewell,) = new.read_until_closed()
        assert farewell.type == raw_mqtt.DISCONNECT and farewell.body[0] == 0x9C and reference in farewell.body
        assert old.read_until_closed() == []
    settings = broker.file.read_text()
    broker.file.write_text(settings.replace("[broker]\n", '[broker]\nredirect = "server-moved"\n'))
    broker.start()
    with RawConnection(broker.port) as new, RawConnection(broker.port) as old:
        new.send(raw_mqtt.connect_packet("5.0", "new"))
        (refusal,) = new.read_until_closed()
        assert refusal.type == raw_mqtt.CONNACK and refusal.body[1] == 0x9D and reference in refusal.body
        old.send(raw_mqtt.connect_packet("3.1.1", "old"))
        assert [(answer.type, answer.body) for answer in old.read_until_closed()] == [(raw_mqtt.CONNACK, b"\x00\x03")]


@pytest.mark.martlet_only
def test_refusals_say_why_in_words_unless_that_is_not_wanted(martlet):
    # [MQTT-3.1.2-29] [MQTT-3.4.2-2]
    broker = martlet(broker="max-topic-levels = 2")
    publish = raw_mqtt.publish_packet("5.0", "a/b/c", b"x", qos=1, identifier=1)
    for wanted in (True, False):
        with RawConnection(broker.port) as connection:
            connection.send(raw_mqtt.connect_packet("5.0", "c", properties=b"" if wanted else b"\x17\x00"))
            connection.expect(raw_mqtt.CONNACK)
            connection.send(publish)
            answer = connection.expect(raw_mqtt.PUBACK).body
            assert answer[:3] == b"\x00\x01\x90" and (b"\x1f" in answer) == wanted
