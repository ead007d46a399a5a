"""A disk that is full: what is refused, what goes on, and what happens when there is space again."""

import pytest

from harness.broker import Martlet, answers_mqtt
from harness.mqtt_client import Client
from harness.small_disk import SmallDisk
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only

QUOTA_EXCEEDED = 0x97


@pytest.fixture
def small_disk(tmp_path, keep):
    try:
        return keep(SmallDisk(tmp_path / "disk"))
    except PermissionError as reason:
        pytest.skip(str(reason))


@pytest.fixture
def box(small_disk, tmp_path, keep):
    """`box("refuse")` starts Martlet with its data on the small disk, where the session `away` waits for `t`."""

    def start(policy):
        martlet = Martlet(
            tmp_path / "martlet",
            broker=f'max-queued-messages = 100000\nmax-queued-bytes = "64MiB"\nwhen-disk-full = "{policy}"',
            data=small_disk.directory / "data",
        )
        keep(martlet).start()
        away = Client(martlet.port, "5.0", "away", persistent=True).connect()
        assert away.subscribe("t", 1) == 1
        away.disconnect()
        return martlet

    return start


def is_full(martlet):
    return martlet.log().count("cannot store data") > martlet.log().count("the disk takes data again")


def publish_until_refused(publisher, size=8000):
    """Publishes to `t` until Quota exceeded; the numbers of the acknowledged messages."""
    acknowledged = []
    for number in range(100_000):
        reason = publisher.publish("t", f"{number} ".encode() + bytes(size), 1)
        if reason.value == QUOTA_EXCEEDED:
            return acknowledged
        acknowledged.append(number)
    raise AssertionError("the disk was never full")


def numbers(messages):
    return [int(message.payload.split(b" ")[0]) for message in messages]


def test_what_needs_a_full_disk_is_refused_and_the_rest_goes_on(box, small_disk, keep):
    martlet = box("refuse")
    publisher = keep(Client(martlet.port, "5.0", "pub")).connect()
    here = keep(Client(martlet.port, "5.0", "here")).connect()
    here.subscribe("#", 1)
    small_disk.fill()
    # By this one the broker notices.
    assert publisher.publish("t", bytes(100_000), 1).value == QUOTA_EXCEEDED
    assert is_full(martlet)
    assert publisher.publish("t", b"x", 1).value == QUOTA_EXCEEDED
    # paho sends PUBREL all the same, and shows the answer to that.
    assert publisher.publish("t", b"x", 2).value >= 0x80
    assert publisher.publish("kept", b"x", 1, retain=True).value == QUOTA_EXCEEDED
    assert publisher.publish("free", b"goes on", 1).value == 0
    publisher.publish("t", b"goes on", 0)
    assert here.receive_where(lambda message: message.topic == "free").text == "goes on"
    assert here.receive_where(lambda message: message.topic == "t" and message.qos == 0).text == "goes on"
    keep(Client(martlet.port, "5.0", "new", persistent=True)).connect(expected=QUOTA_EXCEEDED)
    away = keep(Client(martlet.port, "5.0", "away", persistent=True)).connect()
    assert away.session_present
    assert away.subscribe("more", 1) == QUOTA_EXCEEDED
    assert away.subscribe("t", 1) == 1

    small_disk.free()
    eventually(lambda: "the disk takes data again" in martlet.log(), "the log to say that the disk takes data again")
    assert publisher.publish("t", b"x", 1).value == 0
    assert away.subscribe("more", 1) == 1


def test_with_hold_the_acknowledgement_waits_for_space(box, small_disk, keep):
    martlet = box("hold")
    publisher = keep(Client(martlet.port, "5.0", "pub")).connect()
    small_disk.fill()
    held = [publisher.start_publish("t", f"{number} ".encode() + bytes(30_000), 1) for number in range(10)]
    eventually(lambda: is_full(martlet), "the disk to be full")
    small_disk.free()
    assert [publisher.wait_published(mid).value for mid in held] == [0] * 10
    away = keep(Client(martlet.port, "5.0", "away", persistent=True)).connect()
    assert numbers(away.receive_many(10)) == list(range(10))


def test_a_box_that_crashes_on_a_full_disk_comes_up_with_all_that_was_acknowledged(box, small_disk, keep):
    martlet = box("refuse")
    publisher = keep(Client(martlet.port, "5.0", "pub")).connect()
    acknowledged = publish_until_refused(publisher)
    small_disk.fill()
    martlet.crash()
    small_disk.fill()
    martlet.start()
    away = keep(Client(martlet.port, "5.0", "away", persistent=True)).connect()
    assert away.session_present
    received = numbers(away.receive_many(len(acknowledged)))
    assert received == acknowledged


def test_what_a_subscriber_takes_makes_room_on_a_full_disk(box, small_disk, keep):
    martlet = box("refuse")
    publisher = keep(Client(martlet.port, "5.0", "pub")).connect()
    acknowledged = publish_until_refused(publisher)
    small_disk.fill()
    away = keep(Client(martlet.port, "5.0", "away", persistent=True)).connect()
    assert numbers(away.receive_many(len(acknowledged))) == acknowledged
    eventually(lambda: publisher.publish("t", b"0 room", 1).value == 0, "the disk to have room again")
    martlet.crash()
    martlet.start()
    assert answers_mqtt(martlet.port)
