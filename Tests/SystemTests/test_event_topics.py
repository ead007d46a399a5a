"""`$events`: what happens to clients, as JSON."""

import json
import subprocess
import time

import pytest

from harness.broker import Martlet

pytestmark = pytest.mark.martlet_only


@pytest.fixture
def box(tmp_path, keep):
    return keep(Martlet(tmp_path / "box", broker="max-queued-messages = 5")).start()


@pytest.fixture
def events(box, connect):
    """`events("client/connected", client="…")` is the next such event."""
    watcher = connect("watcher", at=box)
    watcher.subscribe("$events/#")

    def event(name, **wanted):
        def fits(message):
            return message.topic == f"$events/{name}" and wanted.items() <= json.loads(message.payload).items()

        found = json.loads(watcher.receive_where(fits).payload)
        assert abs(found["time"] / 1000 - time.time()) < 60
        return found

    return event


def test_a_connection_and_its_end_are_events(box, events, connect, version):
    client = connect("one", version, at=box, keep_alive=30)
    event = events("client/connected", client=client.identifier)
    assert event["version"] == version and event["keepAlive"] == 30
    assert event["address"].startswith("127.0.0.1:")
    assert event["cleanStart"] is True and event["sessionPresent"] is False
    client.disconnect()
    event = events("client/disconnected", client=client.identifier)
    assert event["by"] == "client" and event["reason"] == "normal"


def test_a_lost_connection_is_told_from_one_that_was_ended(box, events, connect):
    client = connect("lost", at=box)
    client.drop()
    event = events("client/disconnected", client=client.identifier)
    assert event["by"] == "network" and event["reason"] == "connection-lost"


def test_a_session_taken_over_is_an_event(box, events, connect):
    first = connect("same", "5.0", at=box)
    connect("same", "5.0", at=box)
    event = events("client/disconnected", client=first.identifier)
    assert event["by"] == "broker" and event["reason"] == "session-taken-over" and event["reasonCode"] == 0x8E


def test_subscriptions_are_events(box, events, connect):
    client = connect("sub", at=box)
    client.subscribe("a/#", 1)
    assert events("client/subscribed", client=client.identifier)["qos"] == 1
    client.unsubscribe("a/#")
    assert events("client/unsubscribed", client=client.identifier)["filter"] == "a/#"


def test_dropped_messages_are_told_together(box, events, connect):
    away = connect("away", at=box, persistent=True)
    away.subscribe("a/b", 1)
    away.disconnect()
    publisher = connect("pub", at=box)
    for number in range(20):
        publisher.publish("a/b", str(number), 1)
    dropped = 0
    while dropped < 15:
        event = events("message/dropped", client=away.identifier)
        assert event["reason"] == "queue-full" and event["topic"] == "a/b"
        dropped += event["count"]
    assert dropped == 15


def test_mosquitto_sub_gets_events(box, connect):
    command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(box.port), "-t", "$events/client/connected", "-C", "1", "-W", "20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watcher:
        number = 0
        while watcher.poll() is None:
            connect(f"n{number}", at=box).disconnect()
            number += 1
        assert '"version":"3.1.1"' in watcher.stdout.read()
