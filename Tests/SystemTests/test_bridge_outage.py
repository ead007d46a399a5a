"""The upstream is away, the box is killed again and again meanwhile, and nothing that was taken over gets lost.

MARTLET_LONG=1 stretches the outage from some twenty seconds to an hour.
"""

import json
import os
import queue
import threading
import time

import paho.mqtt.client as paho
import pytest

from harness.modbus import Device, ModbusTcp
from harness.mqtt_client import Client
from harness.tcp_proxy import TcpProxy
from harness.waiting import until

pytestmark = pytest.mark.martlet_only

OUTAGE = 3600.0 if os.environ.get("MARTLET_LONG") == "1" else 15.0
KILLS = 5
#: The commit interval of the cache below, and room for a busy machine between reading a register and its commit.
COMMIT_INTERVAL, ROOM = 0.1, 0.9


class Publisher(threading.Thread):
    """Publishes numbers to one topic through paho, QoS 1, in batches. paho connects again by itself and sends again
    what was not acknowledged. `acknowledged` holds the numbers whose PUBACK came."""

    def __init__(self, port, name, pace):
        super().__init__(name=name, daemon=True)
        self.acknowledged = []
        self._pace = pace
        self._finishing = threading.Event()
        self._answered = set()
        self._answer = threading.Condition()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=f"publisher-{name}", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_publish = self._on_publish
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def run(self):
        number = 0
        while not self._finishing.is_set():
            if self._client.is_connected():
                batch = {}
                for _ in range(10):
                    batch[self._client.publish(f"plant/{self.name}", str(number), 1).mid] = number
                    number += 1
                with self._answer:
                    self._answer.wait_for(lambda: self._answered.issuperset(batch))
                    self._answered.clear()
                self.acknowledged += batch.values()
            self._finishing.wait(self._pace)

    def finish(self):
        """Stops after the batch at hand has been acknowledged."""
        self._finishing.set()
        self.join(60)
        assert not self.is_alive(), f"publisher {self.name}: an acknowledgement did not come"
        self._client.disconnect()
        self._client.loop_stop()

    def _on_publish(self, _client, _user, mid, _reason, _properties):
        with self._answer:
            self._answered.add(mid)
            self._answer.notify_all()


def configuration(line, server, password_file, order):
    return f"""
[[product]]
key = "meter"
[[product.group]]
name = "g"
interval = "{1000 if OUTAGE > 100 else 100}ms"
[[product.point]]
identifier = "count"
type = "UDINT"
group = "g"
area = "holding-register"
address = 0

[[bus]]
name = "line"
{server.bus}

[[device]]
product = "meter"
key = "m1"
bus = "line"
unit-identifier = 1

[[bridge]]
name = "cloud"
host = "127.0.0.1"
port = {line.port}
client-identifier = "box-1"
user-name = "box"
password-file = "{password_file}"
order = "{order}"
  [[bridge.forward]]
  filter = "plant/#"
  prefix = "site/7/"
  qos = 1
  [[bridge.forward]]
  filter = "/sys/+/+/thing/measurepoint/post"
  prefix = "site/7"
  qos = 1

[cache]
commit-interval = "{COMMIT_INTERVAL * 1000:.0f}ms"
"""


def first_occurrences(numbers):
    return list(dict.fromkeys(numbers))


@pytest.mark.timeout(OUTAGE + 300)
@pytest.mark.parametrize("order", ["strict", "live-first"])
def test_nothing_acknowledged_or_polled_is_lost_over_an_outage_with_five_kills(
    mosquitto, martlet, tmp_path, keep, order
):
    upstream = mosquitto(users={"box": "s", "cloud": "s"}, options="max_inflight_messages 1000")
    line = keep(TcpProxy(upstream.port)).open()
    cloud = keep(Client(upstream.port, "3.1.1", "cloud", user="cloud", password="s")).connect()
    cloud.subscribe("site/7/#", 1)

    # The device counts its reads, so that each reading says by its value which one it is.
    device = Device()
    read_at = {}

    def count():
        number = len(read_at) + 1
        device.holding[0:2] = [number >> 16, number & 0xFFFF]
        read_at[number] = time.time()

    device.before_read = count
    server = keep(ModbusTcp({1: device})).start()
    (tmp_path / "password").write_text("s\n")
    box = martlet(configuration(line, server, tmp_path / "password", order))

    received = {}

    def take(message):
        name = message.topic.removeprefix("site/7")
        if name.startswith("/sys/"):
            points = json.loads(message.payload)["params"]["measurepoints"]
            if points["count"]["quality"] == 9:
                received.setdefault("polled", []).append(points["count"]["value"])
        else:
            received.setdefault(name.removeprefix("/plant/"), []).append(int(message.payload))

    publishers = [Publisher(box.port, name, 5.0 if OUTAGE > 100 else 0.05) for name in ("a", "b", "c")]
    for publisher in publishers:
        publisher.start()
    while set(received) != {"a", "b", "c", "polled"}:
        take(cloud.receive())

    line.close()
    away_since = time.monotonic()
    killed_at = []
    for kill in range(KILLS):
        until(away_since + OUTAGE * (kill + 1) / (KILLS + 1))
        killed_at.append(time.time())
        box.kill()
        box.start()
    until(away_since + OUTAGE)
    for publisher in publishers:
        publisher.finish()
    last_read = max(read_at)
    line.open()

    expected = {publisher.name: set(publisher.acknowledged) for publisher in publishers}
    expected["polled"] = {
        number
        for number, moment in list(read_at.items())
        if number <= last_read and not any(0 <= kill - moment < COMMIT_INTERVAL + ROOM for kill in killed_at)
    }
    deadline = time.monotonic() + 60
    while missing := {name: lost for name in expected if (lost := sorted(expected[name] - set(received[name])))}:
        # Comparing takes time that grows with what has come, so it is done once for all that waits.
        for _ in range(max(1, cloud.messages.qsize())):
            try:
                take(cloud.messages.get(timeout=max(0, deadline - time.monotonic())))
            except queue.Empty:
                numbers = {name: (len(numbers), numbers[:10]) for name, numbers in missing.items()}
                raise AssertionError(f"lost (how many, the first ones): {numbers}") from None

    for name, numbers in received.items():
        first = first_occurrences(numbers)
        # What is polled after the outage may be ahead of what has waited.
        assert first == sorted(first) or order == "live-first", f"{name} is out of order"
        repeated = len(numbers) - len(first)
        # A kill or a broken line may repeat what was in flight, and no more.
        assert repeated <= (KILLS + 2) * 100, f"{name}: {repeated} duplicates"
    assert sum(len(publisher.acknowledged) for publisher in publishers) > 100
    assert box.is_alive()
