"""What a running box says of its cache: state topics, metrics, warnings, and the size on a small disk."""

import json
import random
import urllib.request

import pytest

from harness.bridges import martlet_bridge
from harness.ports import free_port
from harness.small_disk import SmallDisk
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 16 MiB."""
    try:
        disk = SmallDisk(tmp_path / "disk")
    except PermissionError as error:
        pytest.skip(str(error))
    yield disk.directory
    disk.close()


def line(box, message):
    return next((line for line in box.log().splitlines() if f'msg="{message}"' in line), None)


def test_the_cache_is_sized_to_a_small_disk_warns_and_reports_what_it_drops(small_disk, tmp_path, keep, connect):
    """Of 16 MiB most are kept free; the cache warns at 80 and 95 % of the rest, then drops, and none of it fills the disk."""
    box = martlet_bridge(tmp_path / "box", free_port(), data=small_disk / "data")
    box.file.write_text(box.file.read_text().replace('log-level = "warning"', 'log-level = "notice"'))
    keep(box).start()
    assert 'size="3.81 MiB"' in line(box, "size of the cache")
    watcher = connect("watcher", at=box)
    watcher.subscribe("$events/cache/#")
    client = connect(at=box)
    sent = 0

    def fill(fraction):
        nonlocal sent
        while sent < fraction * 3.81 * (1 << 20):
            client.publish("plant/a", random.randbytes(20_000), 1)
            sent += 20_050

    def event(kind, **wanted):
        def matches(message):
            values = json.loads(message.text)
            return message.topic.endswith(kind) and all(values[key] == value for key, value in wanted.items())

        return json.loads(watcher.receive_where(matches).text)

    fill(0.87)
    filling = event("filling", percent=80)
    assert 0.8 <= filling["bytes"] / filling["limitBytes"] < 0.95 and filling["limitBytes"] == pytest.approx(3.81 * (1 << 20), rel=0.01)
    fill(0.97)
    assert event("filling", percent=95)["limitBytes"] == filling["limitBytes"]
    fill(3)
    lost = event("lost", reason="size")
    assert lost["bridge"] == "cloud" and lost["messages"] > 0 and lost["from"] <= lost["to"]
    assert "cannot store data" not in box.log()
    assert box.log().count("the cache is nearly full") == 2


def test_the_state_of_a_bridge_is_retained_and_changes_at_once(tmp_path, keep, connect, mosquitto):
    upstream = mosquitto()
    box = martlet_bridge(tmp_path / "box", upstream.port)
    keep(box).start()
    watcher = connect("watcher", at=box)
    watcher.subscribe("$SYS/broker/connection/cloud/#")
    values = {}

    def value(name):
        while not watcher.messages.empty():
            message = watcher.messages.get()
            values[message.topic.rsplit("/", 1)[1]] = message.text
        return values.get(name)

    eventually(lambda: value("state") == "1", "the bridge to be connected")
    status = json.loads(value("status"))
    assert status["state"] == "connected" and status["connectedSince"] > 1_700_000_000_000 and status["messages"] == 0
    assert status["routes"] == [{"priority": 5, "messages": 0, "bytes": 0, "backfill": False}]
    upstream.terminate()
    # Long before the next values of $SYS are due.
    eventually(lambda: value("state") == "0", "the state to change", 5)
    status = json.loads(value("status"))
    assert status["state"] != "connected" and status["error"] and status["errorAt"] >= 1_700_000_000_000


def metrics(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        text = page.read().decode()
    return {name: float(value) for name, value in (row.rsplit(" ", 1) for row in text.splitlines() if not row.startswith("#"))}


def test_metrics_have_the_figures_of_the_cache(tmp_path, keep, connect):
    port = free_port()
    box = martlet_bridge(tmp_path / "box", free_port(), cache=f'size = "1MiB"\n[metrics]\nport = {port}')
    keep(box).start()
    client = connect(at=box)
    for _ in range(200):
        client.publish("plant/a", random.randbytes(100), 1)

    eventually(lambda: metrics(port)["martlet_cache_messages"] == 200, "all messages to wait")
    eventually(lambda: metrics(port)["martlet_cache_in_messages_per_second"] > 0, "a rate")
    now = metrics(port)
    assert now["martlet_cache_limit_bytes"] == 1 << 20
    assert 20_000 < now["martlet_cache_bytes"] < 60_000
    assert now["martlet_cache_held_seconds"] > 0 and now["martlet_cache_full_in_seconds"] > 0
    assert now['martlet_bridge_route_messages{bridge="cloud",priority="5"}'] == 200


@pytest.mark.parametrize("policy", ["drop-oldest", "thin"])
def test_what_the_cache_has_given_up_does_not_wait(policy, tmp_path, keep, connect):
    port = free_port()
    box = martlet_bridge(tmp_path / "box", free_port(), cache=f'size = "1MiB"\nwhen-full = "{policy}"\n[metrics]\nport = {port}')
    keep(box).start()
    client = connect(at=box)
    for _ in range(400):
        client.publish("plant/a", random.randbytes(6000), 1)
    # There is room for 174.
    eventually(lambda: 80 < metrics(port)["martlet_cache_messages"] < 186, "messages to have been given up")
    now = metrics(port)
    assert now['martlet_bridge_route_messages{bridge="cloud",priority="5"}'] == now["martlet_cache_messages"]
