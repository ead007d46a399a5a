"""A cache that is too small for an outage: what makes room for what."""

import json
import random
import time

import pytest

from harness.bridges import martlet_bridge
from harness.mqtt_client import Client
from harness.tcp_proxy import TcpProxy
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only

QUOTA_EXCEEDED = 0x97
#: Several times what the cache has on disk.
VALUES, SIZE = 3000, 6000
ALARM_EVERY = 100
#: Values that there is room for, at most, with what comes while it drains.
ROOM = (2 + 1) * 1048576 // SIZE


@pytest.fixture
def outage(mosquitto, tmp_path, keep, connect):
    """`outage(policy, keys)` publishes values, and now and then an alarm, while the upstream is away. Returns what was acknowledged
    and what arrived after it, as lists of numbers by kind."""

    def run(policy, keys=""):
        upstream = mosquitto(options="max_inflight_messages 1000", log="log_type error")
        line = keep(TcpProxy(upstream.port))
        forward = f"""
  [[bridge.forward]]
  filter = "alarms/#"
  prefix = "site/7/"
  priority = 9
  when-full = "refuse"
  [[bridge.forward]]
  filter = "plant/#"
  prefix = "site/7/"
  priority = 2
  when-full = "{policy}"
  {keys}
"""
        box = keep(martlet_bridge(tmp_path / "box", line.port, order="strict", forward=forward, cache='size = "2MiB"')).start()
        cloud = keep(Client(upstream.port, "5.0", "cloud")).connect()
        cloud.subscribe("site/7/#", 1)
        cloud.subscribe("martlet/#", 1)
        client = connect("publisher", "5.0", at=box)
        # Nothing that could be compressed.
        filler = random.Random(1)
        acknowledged = {"value": [], "alarm": []}
        for start in range(0, VALUES, ALARM_EVERY):
            sent = [
                ("value", number, client.start_publish("plant/a", f"value {number} ".encode() + filler.randbytes(SIZE), 1))
                for number in range(start, start + ALARM_EVERY)
            ]
            sent.append(("alarm", start, client.start_publish("alarms/a", f"alarm {start} ", 1)))
            for kind, number, mid in sent:
                reason = client.wait_published(mid).value
                assert reason in (0, QUOTA_EXCEEDED)
                if reason == 0:
                    acknowledged[kind].append(number)
        line.open()
        arrived = {"value": [], "alarm": []}
        run.reports = []
        run.cloud = cloud
        for message in everything_before_an_end(client, cloud):
            if message.topic.startswith("martlet/"):
                run.reports.append(message)
                continue
            kind, number, _ = message.payload.split(b" ", 2)
            arrived[kind.decode()].append(int(number))
        return acknowledged, arrived

    return run


def everything_before_an_end(client, cloud):
    """What arrives before a last value. One that finds the cache still full is refused, or dropped although it is acknowledged:
    while nothing comes another one is published."""
    received = []

    def has_ended():
        before = len(received)
        while not cloud.messages.empty():
            message = cloud.receive()
            if message.payload == b"end":
                return True
            received.append(message)
        if len(received) == before:
            client.publish("plant/a", b"end", 1)
        return False

    eventually(has_ended, "the last value", timeout=60, interval=0.5)
    return received


def check_alarms(acknowledged, arrived):
    assert acknowledged["alarm"] == list(range(0, VALUES, ALARM_EVERY)), "there was room for the alarms"
    assert arrived["alarm"] == acknowledged["alarm"]


def test_the_oldest_values_make_room_for_alarms_and_for_newer_values(outage):
    acknowledged, arrived = outage("drop-oldest")
    check_alarms(acknowledged, arrived)
    assert len(acknowledged["value"]) == VALUES
    values = arrived["value"]
    assert values == sorted(set(values)) and len(values) < ROOM
    assert values[-300:] == list(range(VALUES - 300, VALUES))


def test_what_was_lost_is_reported_upstream_with_its_time_span(outage):
    before = time.time()
    acknowledged, arrived = outage("drop-oldest")
    after = time.time()
    lost = len(acknowledged["value"]) - len(arrived["value"])
    check_reports(outage, lost, "size", before, after)


def check_reports(outage, lost, reason, before, after):
    """So many values are reported as lost, neither more nor fewer."""
    reports = outage.reports

    def reported():
        return sum(json.loads(report.payload)["messages"] for report in reports)

    # They come at most every ten seconds.
    while reported() < lost:
        reports.append(outage.cloud.receive_where(lambda message: message.topic.startswith("martlet/")))
    assert reported() == lost
    for report in reports:
        assert report.topic == "martlet/system-test/cache/lost"
        said = json.loads(report.payload)
        assert (said["bridge"], said["priority"], said["reason"]) == ("cloud", 2, reason)
        assert before - 1 <= said["from"] / 1000 <= said["to"] / 1000 <= after + 1


def test_thinning_leaves_a_coarser_picture_of_the_whole_outage(outage):
    before = time.time()
    acknowledged, arrived = outage("thin")
    after = time.time()
    check_alarms(acknowledged, arrived)
    values = arrived["value"]
    assert values == sorted(set(values)) and len(values) < ROOM
    assert values[0] == 0 and values[-1] == VALUES - 1
    # Every part of the outage is there, the oldest coarsest, the newest complete.
    gaps = [later - earlier for earlier, later in zip(values, values[1:])]
    assert max(gaps) <= 64
    quarter = len(gaps) // 4
    assert sum(gaps[:quarter]) > 4 * sum(gaps[-quarter:])
    assert set(gaps[-20:]) == {1}
    check_reports(outage, VALUES - len(values), "thinned", before, after)


#: A route that gives up nothing for others has half of the cache, unless it is told how much.
LIMITS = pytest.mark.parametrize("keys", ["", 'max-size = "768KiB"'], ids=["share", "own"])


@LIMITS
def test_the_newest_values_are_dropped_and_the_alarms_are_not(outage, keys):
    acknowledged, arrived = outage("drop-newest", keys)
    check_alarms(acknowledged, arrived)
    assert len(acknowledged["value"]) == VALUES
    values = arrived["value"]
    assert values[:100] == list(range(100)) and values == sorted(values)
    assert len(values) < ROOM


@LIMITS
def test_values_that_are_refused_are_not_acknowledged_and_those_that_are_arrive(outage, keys):
    acknowledged, arrived = outage("refuse", keys)
    check_alarms(acknowledged, arrived)
    assert 100 < len(acknowledged["value"]) < ROOM
    # With Quota exceeded a message may be delivered all the same.
    assert set(arrived["value"]) >= set(acknowledged["value"]) and arrived["value"] == sorted(arrived["value"])


def test_the_only_route_takes_messages_again_when_it_has_drained(mosquitto, tmp_path, keep, connect):
    line = keep(TcpProxy(mosquitto().port))
    forward = '[[bridge.forward]]\nfilter = "plant/#"\nwhen-full = "refuse"\nmax-size = "128KiB"'
    box = keep(martlet_bridge(tmp_path / "box", line.port, forward=forward)).start()
    client = connect("publisher", "5.0", at=box)
    filler = random.Random(1)

    def answer():
        return client.wait_published(client.start_publish("plant/a", filler.randbytes(SIZE), 1)).value

    eventually(lambda: answer() == QUOTA_EXCEEDED, "a refusal", interval=0)
    line.open()
    eventually(lambda: answer() == 0, "an acceptance")
