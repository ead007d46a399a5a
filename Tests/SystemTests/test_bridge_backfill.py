"""What has waited for the upstream, and what is published meanwhile: their order, names, marks and rates."""

import time

import pytest

from harness.bridges import martlet_bridge
from harness.mqtt_client import Client
from harness.tcp_proxy import TcpProxy

pytestmark = pytest.mark.martlet_only


class Site:
    """A box, the line to its upstream, and a client at either end."""

    def __init__(self, upstream, tmp_path, keep, connect, **options):
        self.line = keep(TcpProxy(upstream.port)).open()
        self.cloud = keep(Client(upstream.port, "5.0", "cloud")).connect()
        self.cloud.subscribe("site/7/#", 1)
        self.cloud.subscribe("history/#", 1)
        self.box = keep(martlet_bridge(tmp_path / "box", self.line.port, **options)).start()
        self.client = connect(at=self.box)
        # So that the connection has been there.
        self.client.publish("plant/first", b"", 1)
        self.cloud.receive()

    def publish(self, texts, topic="plant/a"):
        for mid in [self.client.start_publish(topic, text, 1) for text in texts]:
            self.client.wait_published(mid)

    def receive(self, count):
        """Messages with the times of their arrival."""
        # The first message comes again if its acknowledgement was still under way when the line was closed.
        return [(self.cloud.receive_where(lambda message: message.payload), time.monotonic()) for _ in range(count)]


@pytest.fixture
def site(mosquitto, tmp_path, keep, connect):
    """`site(keys=…)` makes a Site whose bridge sends live messages first."""
    upstream = mosquitto(options="max_inflight_messages 1000")
    return lambda **options: Site(upstream, tmp_path, keep, connect, **{"order": "live-first", **options})


def numbered(kind, count):
    return [f"{kind} {number}" for number in range(count)]


def texts(messages):
    return [message.text for message, _ in messages]


def of(kind, messages):
    return [text for text in messages if text.startswith(kind)]


def test_after_an_outage_what_is_published_arrives_before_the_rest_of_the_backlog(site):
    here = site(keys="backfill-rate = 100")
    here.line.close()
    here.publish(numbered("old", 400))
    here.line.open()
    received = texts(here.receive(1))
    here.publish(numbered("new", 50))
    received += texts(here.receive(449))
    assert of("old", received) == numbered("old", 400)
    assert of("new", received) == numbered("new", 50)
    # The backlog takes four seconds, and this is the first of them.
    assert received.index("new 49") < 250


def test_in_strict_order_what_is_published_arrives_behind_the_backlog(site):
    here = site(order="strict")
    here.line.close()
    here.publish(numbered("old", 400))
    here.line.open()
    received = texts(here.receive(1))
    here.publish(numbered("new", 50))
    assert received + texts(here.receive(449)) == numbered("old", 400) + numbered("new", 50)


def test_a_second_outage_during_back_fill_loses_and_disorders_nothing(site):
    here = site(keys="backfill-rate = 200")
    here.line.close()
    here.publish(numbered("first", 300))
    here.line.open()
    received = texts(here.receive(100))
    here.publish(numbered("between", 100))
    here.line.close()
    here.publish(numbered("second", 300))
    here.line.open()
    while not {"first 299", "between 99", "second 299"} <= set(received):
        received += texts(here.receive(1))
    for kind, count in [("first", 300), ("between", 100), ("second", 300)]:
        # What was under way at a cut may come twice.
        assert list(dict.fromkeys(of(kind, received))) == numbered(kind, count)


def test_a_crash_during_back_fill_loses_and_disorders_nothing(site, connect):
    here = site(keys="backfill-rate = 200")
    here.line.close()
    here.publish(numbered("old", 300))
    here.line.open()
    received = texts(here.receive(100))
    here.publish(numbered("new", 100))
    here.box.crash()
    here.box.start()
    while not {"old 299", "new 99"} <= set(received):
        received += texts(here.receive(1))
    assert list(dict.fromkeys(of("old", received))) == numbered("old", 300)
    assert list(dict.fromkeys(of("new", received))) == numbered("new", 100)


@pytest.mark.parametrize(
    ("keys", "size", "count", "seconds"),
    [("backfill-rate = 100", 20, 300, 3), ('backfill-bytes-per-second = "20KiB"', 1000, 60, 3)],
    ids=["messages", "bytes"],
)
def test_the_backlog_goes_no_faster_than_its_rate_and_live_messages_do(site, keys, size, count, seconds):
    here = site(keys=keys)
    here.line.close()
    here.publish([text.ljust(size) for text in numbered("old", count)])
    here.line.open()
    arrivals = here.receive(1)
    started = time.monotonic()
    here.publish([text.ljust(size) for text in numbered("new", count)])
    arrivals += here.receive(2 * count - 1)
    old, new = ([moment for message, moment in arrivals if message.text.startswith(kind)] for kind in ("old", "new"))
    # A tenth of a second's worth may come at once.
    assert old[-1] - old[0] > seconds * 0.9
    assert new[-1] - started < old[-1] - old[0]


def test_what_has_waited_says_so_with_its_time_and_everything_has_a_number(site):
    here = site(keys="mark-backfill = true")
    here.line.close()
    before = time.time()
    here.publish(numbered("old", 50))
    after = time.time()
    here.line.open()
    arrivals = here.receive(50)
    here.publish(numbered("new", 5))
    arrivals += here.receive(5)
    marks = {message.text: dict(message.properties.UserProperty) for message, _ in arrivals}
    for text in numbered("old", 50):
        assert marks[text]["martlet-backfill"] == "1"
        # A clock that is set counts milliseconds, and the box takes the time of a whole batch.
        assert before - 1 <= int(marks[text]["martlet-time"]) / 1000 <= after + 1
    for text in numbered("new", 5):
        assert "martlet-backfill" not in marks[text]
        assert int(marks[text]["martlet-time"]) / 1000 >= after - 1
    sequence = [int(marks[text]["martlet-sequence"]) for text in numbered("old", 50) + numbered("new", 5)]
    assert sequence == list(range(sequence[0], sequence[0] + 55))


@pytest.mark.parametrize(
    ("keys", "topic"),
    [
        ('backfill-prefix = "history/"', "history/site/7/plant/a"),
        ('backfill-topic = "history/${topic[2]}/${topic[-1]}"', "history/7/a"),
    ],
    ids=["prefix", "topic"],
)
def test_what_has_waited_may_have_another_topic(site, keys, topic):
    here = site(keys=keys)
    here.line.close()
    here.publish(numbered("old", 50))
    here.line.open()
    assert {message.topic for message, _ in here.receive(50)} == {topic}
    here.publish(["new"])
    assert here.receive(1)[0][0].topic == "site/7/plant/a"


PRIORITIES = """
  [[bridge.forward]]
  filter = "alarms/#"
  prefix = "site/7/"
  priority = 9
  [[bridge.forward]]
  filter = "plant/#"
  prefix = "site/7/"
  priority = 2
"""


@pytest.mark.parametrize("order", ["live-first", "strict"])
def test_alarms_arrive_before_telemetry_that_waited_longer(site, order):
    here = site(order=order, forward=PRIORITIES, keys="max-inflight = 20")
    here.line.close()
    here.publish(numbered("value", 500))
    here.publish(numbered("alarm", 50), "alarms/a")
    here.line.open()
    received = texts(here.receive(550))
    assert of("value", received) == numbered("value", 500)
    assert of("alarm", received) == numbered("alarm", 50)
    # Not more telemetry than one window of it may have gone before.
    assert received.index("alarm 49") < 50 + 20
