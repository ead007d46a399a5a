"""`martlet cache plan` and the size that a box gives its cache."""

import json

import pytest

from harness.broker import Martlet, run_martlet
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only

POINTS = """
[[product]]
key = "meter"
group = [{ name = "fast", interval = "1s" }]
point = [{ identifier = "temp", type = "REAL", area = "holding-register", address = 0 }]

[[bus]]
name = "line"
protocol = "modbus-tcp"
host = "127.0.0.1"
port = 9

[[device]]
product = "meter"
key = "m1"
bus = "line"

[[bridge]]
name = "cloud"
host = "127.0.0.1"
port = 9
client-identifier = "box"
forward = [{ filter = "/sys/#" }]
"""


def plan(martlet, *options):
    result = run_martlet("cache", "plan", martlet.file, *options)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_plan_says_days_drain_time_and_years(tmp_path):
    box = Martlet(tmp_path / "box", POINTS)
    box.file.write_text(box.file.read_text().replace("[appliance]", '[appliance]\nboard = "generic-emmc-8gb"'))
    figures = json.loads(plan(box, "--json", "--disk", "8", "--hours", "10", "--uplink", "16"))
    assert figures["recordsPerSecond"] == 1
    assert figures["cachedBytesPerDay"] == pytest.approx(86400 * figures["cachedBytesPerRecord"])
    assert figures["secondsHeld"] <= 30 * 86400
    needed = figures["sentBytesPerRecord"] * 8
    assert figures["drainSeconds"] == pytest.approx(36000 * needed / (16000 - needed))
    assert figures["enduranceYears"] == pytest.approx(8e9 * 3000 / (365 * figures["writtenBytesPerDay"] * 2.5))
    text = plan(box, "--uplink", "0.1")
    assert "never; 0.1 kbit/s are less than what comes" in text
    assert "at most 200 ms of polled values are lost; acknowledged publishes never" in text


def test_the_plan_says_what_each_route_holds(tmp_path):
    forwards = '[{ filter = "/sys/#", max-size = "1MiB" }, { filter = "alarms/#", priority = 9 }]'
    box = Martlet(tmp_path / "box", POINTS.replace('[{ filter = "/sys/#" }]', forwards + "\nbackfill-rate = 1"))
    figures = json.loads(plan(box, "--json", "--disk", "8", "--hours", "1"))
    routes = {route["route"]: route for route in figures["routes"]}
    held = (1 << 20) / figures["cachedBytesPerRecord"]
    assert figures["secondsHeld"] == routes["cloud/5"]["secondsHeld"] == pytest.approx(held, rel=0.01)
    assert routes["cloud/5"]["allowedBytes"] == 1 << 20
    assert routes["cloud/9"]["allowedBytes"] == figures["cacheBytes"] and "secondsHeld" not in routes["cloud/9"]
    assert figures["drainSeconds"] == pytest.approx(3600)
    text = plan(box, "--disk", "8")
    assert "1 MiB, its max-size;" in text and "all of the cache; nothing is planned for it" in text
    assert "with the limits of the back-fill of cloud" in text


def test_the_plan_says_what_it_assumes(tmp_path):
    points = POINTS.replace('type = "REAL"', 'type = "REAL", report = "on-change"') + "[bridge.sparkplug]\ngroup = \"g\"\nedge-node = \"n\"\n"
    text = plan(Martlet(tmp_path / "box", points), "--disk", "8")
    assert "1 points that are published on change: say with --changing" in text
    assert "those of the plain posts in JSON: cloud writes" in text


def test_a_slower_commit_writes_less(tmp_path):
    """Ten devices a second share a commit, or not."""
    devices = "".join(f'[[device]]\nproduct = "meter"\nkey = "n{number}"\nbus = "line"\nunit-identifier = {number + 2}\n' for number in range(10))
    written = []
    for interval in ("10ms", "5s"):
        box = Martlet(tmp_path / interval, POINTS + devices + f'[cache]\ncommit-interval = "{interval}"\n')
        written.append(json.loads(plan(box, "--json"))["writtenBytesPerDay"])
    assert written[1] < written[0] / 2


def test_mistakes_are_said_with_their_place_in_the_profile(tmp_path):
    (tmp_path / "own.toml").write_text('name = "Own"\n[storage]\nshare = 1\n')
    file = tmp_path / "martlet.toml"
    file.write_text('[appliance]\nboard = "own.toml"\n')
    result = run_martlet("cache", "plan", file)
    assert result.returncode == 1
    assert f'{tmp_path}/own.toml:3:1: unknown key "share" in [storage]' in result.stderr


def test_a_box_says_how_large_its_cache_is(martlet):
    box = martlet('[cache]\nsize = "2d"\n' + POINTS)
    eventually(lambda: 'msg="size of the cache"' in box.log(), "the log to say the size")
    line = next(line for line in box.log().splitlines() if 'msg="size of the cache"' in line)
    assert "2 days at" in line
