"""Kills of the box, cuts of its line and a full disk under load: what was acknowledged arrives upstream, in order."""

import os
import subprocess
import sys
from functools import partial

import pytest

from harness.bridge_faults import cuts, full_disk, kills, outage
from harness.bridges import martlet_bridge
from harness.broker import REPOSITORY, martlet_binary

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


@pytest.mark.timeout(300)
def test_the_table_of_faults_has_both_boxes(monkeypatch):
    monkeypatch.setenv("MARTLET_BINARY", str(martlet_binary()))
    command = [sys.executable, REPOSITORY / "Tests/Benchmarks/bridge-faults", "--short"]
    command += ["--scenario", "kill", "--box", "Martlet", "--box", "mosquitto"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stdout + result.stderr
    rows = [line for line in result.stdout.splitlines() if "kill -9 of the box" in line]
    assert ["mosquitto" in row for row in rows] == [False, True]
