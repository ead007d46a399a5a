"""`$SYS`: what the broker has counted, under mosquitto's names."""

import pytest

from harness.broker import Martlet
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only


@pytest.fixture
def box(tmp_path, keep):
    return keep(Martlet(tmp_path / "box", broker='sys-interval = "1s"')).start()


@pytest.fixture
def watcher(box, connect):
    """A client with the last value of each topic below $SYS."""
    client = connect("watcher", at=box)
    client.subscribe("$SYS/#")
    values = {}

    def value(name):
        while not client.messages.empty():
            message = client.messages.get()
            values[message.topic.removeprefix("$SYS/broker/")] = message.text
        return values.get(name)

    value.all = values
    value.client = client
    return value


def becomes(value, name, wanted):
    eventually(lambda: value(name) == wanted, f"{name} to become {wanted}, not {value(name)}")


def test_a_new_subscriber_gets_all_values_at_once(box, watcher, connect):
    eventually(lambda: watcher("clients/connected"), "the first values")
    client = connect("second", at=box)
    client.subscribe("$SYS/broker/version")
    message = client.receive()
    assert message.retain and message.text.startswith("martlet version ")


def test_clients_are_counted(box, watcher, connect):
    becomes(watcher, "clients/connected", "1")
    stays = connect("stays", at=box, persistent=True)
    becomes(watcher, "clients/connected", "2")
    becomes(watcher, "clients/maximum", "2")
    stays.disconnect()
    becomes(watcher, "clients/connected", "1")
    becomes(watcher, "clients/disconnected", "1")
    becomes(watcher, "clients/total", "2")


def test_messages_bytes_and_subscriptions_are_counted(box, watcher, connect):
    client = connect(at=box)
    client.subscribe("a/b")
    for _ in range(10):
        client.publish("a/b", b"12345", 1)
    client.receive_many(10)
    becomes(watcher, "publish/messages/received", "10")
    becomes(watcher, "publish/bytes/received", "50")
    becomes(watcher, "subscriptions/count", "2")
    eventually(lambda: float(watcher("load/publish/received/1min") or 0) > 0, "a load average above 0")
    assert int(watcher("messages/received")) > 12 and int(watcher("bytes/sent")) > 0


def test_retained_messages_are_counted(box, watcher, connect):
    eventually(lambda: watcher("retained messages/count"), "a count")
    before = int(watcher("retained messages/count"))
    connect(at=box).publish("kept", b"x", 1, retain=True)
    eventually(lambda: int(watcher("retained messages/count")) > before, "one more retained message")


def test_the_names_are_mosquittos(box, watcher, mosquitto, connect):
    peer = mosquitto(options="sys_interval 1")
    client = connect("peer", at=peer)
    client.subscribe("$SYS/#")
    names = set()

    def is_complete():
        while not client.messages.empty():
            names.add(client.messages.get().topic.removeprefix("$SYS/broker/"))
        return len(names) > 45 and "clients/maximum" in names and "publish/bytes/sent" in names

    eventually(is_complete, "mosquitto's topics")
    eventually(lambda: watcher("load/connections/15min") and names <= set(watcher.all), "all names", timeout=5)


def test_values_are_not_kept_over_a_restart(tmp_path, keep, connect):
    box = keep(Martlet(tmp_path / "box", broker='sys-interval = "1s"')).start()
    client = connect(at=box)
    client.subscribe("$SYS/broker/uptime")
    client.receive()
    box.terminate()
    box.file.write_text(box.file.read_text().replace('"1s"', '"0s"'))
    box.start()
    again = connect("again", at=box)
    again.subscribe("$SYS/#")
    assert again.everything_before_a_marker() == []


def test_a_wildcard_does_not_bring_them(box, connect):
    client = connect(at=box)
    client.subscribe("#")
    assert client.everything_before_a_marker() == []
