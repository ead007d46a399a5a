"""Wills."""

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from harness.mqtt_client import properties
from harness.raw_mqtt import RawConnection


def test_the_will_is_published_when_the_connection_breaks(connect, version, root):
    watcher = connect("watcher", version)
    watcher.subscribe(f"{root}/state", 1)
    connect("device", version, will=(f"{root}/state", b"lost", 1, False)).drop()
    assert watcher.receive().payload == b"lost"


def test_the_will_is_not_published_after_a_disconnect(connect, version, root):
    watcher = connect("watcher", version)
    watcher.subscribe(f"{root}/state", 1)
    connect("device", version, will=(f"{root}/state", b"lost", 1, False)).disconnect()
    # The same client comes back, so that its end has been handled by then.
    publisher = connect("device", version)
    assert watcher.everything_before_a_marker(publisher) == []


def test_a_retained_will_reaches_a_later_subscriber(connect, version, root):
    watcher = connect("watcher", version)
    watcher.subscribe(f"{root}/state", 1)
    connect("device", version, will=(f"{root}/state", b"lost", 1, True)).drop()
    watcher.receive()
    later = connect("later", version)
    later.subscribe(f"{root}/state", 1)
    message = later.receive()
    assert message.payload == b"lost" and message.retain


def test_the_will_is_published_when_the_keep_alive_passes_without_a_packet(broker, connect, version, root):
    watcher = connect("watcher", version)
    watcher.subscribe(f"{root}/state", 1)
    with RawConnection(broker.port) as device:
        device.connect(version, f"{root}-device", keep_alive=1, will=(f"{root}/state", b"silent"))
        assert watcher.receive().payload == b"silent"
        device.read_until_closed()


def test_the_will_is_published_after_a_protocol_error(broker, connect, version, root):
    watcher = connect("watcher", version)
    watcher.subscribe(f"{root}/state", 1)
    with RawConnection(broker.port) as device:
        device.connect(version, f"{root}-device", will=(f"{root}/state", b"broken"))
        device.send(b"\xf7\xff\xff\xff\xff\xff")
        assert watcher.receive().payload == b"broken"


def test_a_disconnect_with_will_publishes_it(connect, root):
    watcher = connect("watcher", "5.0")
    watcher.subscribe(f"{root}/state", 1)
    device = connect("device", "5.0", will=(f"{root}/state", b"bye", 1, False))
    device.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
    assert watcher.receive().payload == b"bye"


def test_a_reconnect_within_the_will_delay_cancels_the_will(connect, root):
    watcher = connect("watcher", "5.0")
    watcher.subscribe(f"{root}/state", 1)
    device = connect(
        "device",
        "5.0",
        persistent=True,
        will=(f"{root}/state", b"lost", 1, False),
        will_properties=properties("WILLMESSAGE", WillDelayInterval=3600),
    )
    device.drop()
    back = connect("device", "5.0", persistent=True)
    assert watcher.everything_before_a_marker(back) == []


def test_the_will_waits_for_its_delay(connect, root):
    watcher = connect("watcher", "5.0")
    watcher.subscribe(f"{root}/state", 1)
    device = connect(
        "device",
        "5.0",
        persistent=True,
        will=(f"{root}/state", b"lost", 1, False),
        will_properties=properties("WILLMESSAGE", WillDelayInterval=2),
    )
    device.drop()
    assert watcher.everything_before_a_marker(connect("other", "5.0")) == []
    assert watcher.receive().payload == b"lost"
