"""Kills of the box, cuts of its line and a full disk under load: what was acknowledged arrives upstream, in order."""

import os
import subprocess
import sys
from functools import partial

import pytest

from harness.bridge_faults import cuts, full_disk, kills, outage
from harness.bridges import martlet_bridge
from harness.broker import REPOSITORY, martlet_binary
from harness.crashes import Session
from harness.ledger import Subscriber
from harness.tcp_proxy import TcpProxy
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only

SEED = int(os.environ.get("MARTLET_FAULT_SEED", "1"))


@pytest.mark.parametrize(
    ("scenario", "options"),
    [
        pytest.param(kills, {"count": 5}, id="kill -9"),
        pytest.param(cuts, {"count": 5}, id="cuts in mid-packet"),
        pytest.param(outage, {"seconds": 3, "kills": 2}, id="upstream away"),
        pytest.param(full_disk, {"seconds": 3, "kills": 0}, id="full disk"),
        pytest.param(full_disk, {"seconds": 3, "kills": 1}, id="kill -9 on a full disk"),
    ],
)
def test_what_the_box_acknowledged_arrives_upstream_in_order(tmp_path, scenario, options):
    try:
        tally = scenario(tmp_path, martlet_bridge, seed=SEED, **options)
    except PermissionError as reason:
        pytest.skip(str(reason))
    assert tally.sent > 500
    assert (tally.lost, tally.out_of_order) == (0, 0), tally
    # What is under way at a fault may come once more, and no more than that.
    assert tally.duplicated <= tally.repeated + 100 * (sum(options.values()) + 1), tally


@pytest.mark.parametrize(
    ("scenario", "options"),
    [
        pytest.param(cuts, {"count": 3}, id="cuts in mid-packet"),
        pytest.param(outage, {"seconds": 3, "kills": 2}, id="upstream away"),
    ],
)
def test_what_the_box_acknowledged_arrives_upstream_also_live_first(tmp_path, scenario, options):
    tally = scenario(tmp_path, partial(martlet_bridge, order="live-first"), seed=SEED, **options)
    assert tally.sent > 500
    assert tally.lost == 0, tally
    assert tally.duplicated <= tally.repeated + 100 * (sum(options.values()) + 1), tally


def test_a_kill_in_the_middle_of_a_drain_repeats_no_more_than_what_arrived_just_before(mosquitto, tmp_path, keep):
    """Acknowledgements come on disk with a commit of their own as soon as 500 wait, not only with the next message's."""
    upstream = mosquitto(options="max_inflight_messages 1000")
    line = keep(TcpProxy(upstream.port))
    cloud = keep(Subscriber(upstream.port, "cloud", "site/7/#", 1))
    cloud.start()
    assert cloud.is_subscribed.wait(20)
    rate, window, count = 3000, 0.05, 16_000
    box = keep(
        martlet_bridge(
            tmp_path / "box",
            line.port,
            order="live-first",
            keys=f"backfill-rate = {rate}",
            cache=f'commit-interval = "{int(window * 1000)}ms"',
        )
    ).start()
    with Session(box.port, "plant") as session:
        session.publish([("plant/a", str(number).encode()) for number in range(count)])
    line.open()
    repeats = []
    for number in range(1, 5):
        eventually(lambda: len(cloud.received) > number * count // 5, f"part {number} of the backlog", 60)
        box.crash()
        before = quiet(cloud)
        box.start()
        eventually(lambda: len(cloud.received) > before, "the box to go on", 30)
        repeats.append(int(cloud.received[before - 1]) + 1 - int(cloud.received[before]))
    eventually(lambda: cloud.received[-1] == str(count - 1), "the end of the backlog", 60)
    assert list(dict.fromkeys(cloud.received)) == [str(number) for number in range(count)]
    # As many as may wait, a window and its commit, for which a fifth of a second is a lot; and what was on its way. One of the
    # kills may have met a commit that a busy disk held up for longer.
    assert sorted(repeats)[-2] <= 500 + rate * (window + 0.2) + 100, repeats


def test_a_stop_in_the_middle_of_traffic_repeats_nothing(mosquitto, tmp_path, keep):
    """What the upstream acknowledged last is on disk before the box has ended, although nothing else is to be stored."""
    upstream = mosquitto()
    cloud = keep(Subscriber(upstream.port, "cloud", "site/7/#", 1))
    cloud.start()
    assert cloud.is_subscribed.wait(20)
    box = keep(martlet_bridge(tmp_path / "box", upstream.port)).start()
    sent = []
    for part in range(3):
        with Session(box.port, "plant", clean=True) as session:
            session.publish([("plant/a", f"{part}-{number}".encode()) for number in range(100)])
        sent += [f"{part}-{number}" for number in range(100)]
        eventually(lambda: len(cloud.received) >= len(sent), f"part {part}", 30)
        box.terminate()
        box.start()
    with Session(box.port, "plant", clean=True) as session:
        session.publish([("plant/a", b"end")])
    eventually(lambda: cloud.received[-1] == "end", "the end", 30)
    assert cloud.received == [*sent, "end"]


def quiet(cloud):
    """How many messages have arrived, once no more do."""
    count = 0

    def has_settled():
        nonlocal count
        before, count = count, len(cloud.received)
        return before == count

    eventually(has_settled, "the last arrivals", interval=0.2)
    return count


@pytest.mark.timeout(300)
def test_the_table_of_faults_has_both_boxes(monkeypatch):
    monkeypatch.setenv("MARTLET_BINARY", str(martlet_binary()))
    command = [sys.executable, REPOSITORY / "Tests/Benchmarks/bridge-faults", "--short"]
    command += ["--scenario", "kill", "--box", "Martlet", "--box", "mosquitto"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stdout + result.stderr
    rows = [line for line in result.stdout.splitlines() if "kill -9 of the box" in line]
    assert ["mosquitto" in row for row in rows] == [False, True]
