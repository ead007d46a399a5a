"""`martlet cache show|export|purge`, on a box that runs and on one that does not."""

import base64
import csv
import io
import json
import os
import signal
import stat

import pytest

from harness.bridges import martlet_bridge
from harness.broker import run_martlet
from harness.ports import free_port
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only

ALARMS = """
  [[bridge.forward]]
  filter = "alarms/#"
  priority = 9
"""


@pytest.fixture
def box(tmp_path, keep):
    """A box whose upstream is away, with 30 readings and 3 alarms in its cache."""
    # Plain, so that a test finds a message in the file.
    martlet = keep(martlet_bridge(tmp_path / "box", free_port(), routes=ALARMS, cache='compression = "none"')).start()
    return martlet


@pytest.fixture
def filled(box, connect):
    client = connect(at=box)
    for number in range(30):
        client.publish("plant/temp", f"reading {number}, of the \"hall\"", 1)
    for number in range(3):
        client.publish("alarms/door", bytes([255, number]), 1)
    return box


@pytest.fixture(params=["running", "stopped"])
def cache(request, filled):
    """The configuration file of the box, which runs or not."""
    if request.param == "stopped":
        filled.terminate()
    return filled.file


def cache_command(*arguments):
    result = run_martlet("cache", *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def shown(file):
    return {route["route"]: route for route in json.loads(cache_command("show", file, "--json"))["routes"]}


def test_show_says_what_waits_in_each_route(cache):
    routes = shown(cache)
    assert {name: route["messages"] for name, route in routes.items()} == {"cloud/9": 3, "cloud/5": 30}
    assert all(route["bytes"] > 0 and route["oldest"] > 1_700_000_000_000 for route in routes.values())
    text = cache_command("show", cache)
    assert "ROUTE" in text and "cloud/9  3 " in text and " ago" in text


def test_export_writes_every_message_once_and_changes_nothing(cache):
    lines = [json.loads(line) for line in cache_command("export", cache).splitlines()]
    alarms, readings = lines[:3], lines[3:]
    assert [line["payloadBase64"] for line in alarms] == ["/wA=", "/wE=", "/wI="]
    assert [line["payload"] for line in readings] == [f'reading {number}, of the "hall"' for number in range(30)]
    assert [line["sequence"] for line in readings] == list(range(1, 31))
    assert {(line["topic"], line["qos"], line["route"], line["retain"], line["backfill"]) for line in readings} == {
        ("site/7/plant/temp", 1, "cloud/5", False, False)
    }
    assert shown(cache)["cloud/5"]["messages"] == 30


def test_export_as_csv_is_read_by_whoever_reads_csv(cache):
    rows = list(csv.DictReader(io.StringIO(cache_command("export", cache, "--csv", "--route", "cloud/5"))))
    assert len(rows) == 30
    assert rows[7]["payload"] == 'reading 7, of the "hall"' and rows[7]["encoding"] == "text"
    assert rows[7]["topic"] == "site/7/plant/temp" and rows[7]["time"].endswith("Z")


def test_what_is_selected_is_purged_and_the_rest_stays(cache):
    assert cache_command("purge", cache, "--older-than", "1d", "--yes") == "purged 0 messages\n"
    assert cache_command("purge", cache, "--route", "cloud/9", "--yes") == "purged 3 messages\n"
    left = {name: route["messages"] for name, route in shown(cache).items()}
    # A running box reports the loss in its most important route, sooner or later.
    assert left["cloud/5"] == 30 and left["cloud/9"] in (0, 1)
    assert cache_command("purge", cache, "--bridge", "cloud", "--older-than", "1d", "--yes") == "purged 0 messages\n"
    assert json.loads(cache_command("purge", cache, "--yes", "--json"))["messages"] in (30, 31)
    assert all("/cache/lost" in line for line in cache_command("export", cache).splitlines())


@pytest.mark.parametrize("options", [["export"], ["purge", "--yes"]], ids=["export", "purge"])
@pytest.mark.parametrize(
    "selection, missing", [(["--bridge", "other"], 'bridge "other"'), (["--route", "cloud/3"], "route cloud/3")], ids=["bridge", "route"]
)
def test_a_route_that_is_not_there_is_refused_with_those_that_are(cache, options, selection, missing):
    result = run_martlet("cache", options[0], cache, *options[1:], *selection)
    assert (result.returncode, result.stdout) == (1, "")
    assert f"there is no {missing}; the routes are cloud/9, cloud/5" in result.stderr
    assert shown(cache)["cloud/5"]["messages"] == 30


def test_a_removed_bridge_leaves_its_backlog_which_the_log_tells_and_a_purge_gives_up(filled):
    text = filled.file.read_text()
    filled.file.write_text(text.split("[[bridge]]")[0])
    os.kill(filled.pid, signal.SIGHUP)
    eventually(lambda: "the bridge is removed and what waits for its upstream stays" in filled.log(), "the log to say it")
    assert "messages=33" in filled.log()
    assert cache_command("purge", filled.file, "--bridge", "cloud", "--yes") == "purged 33 messages\n"


def test_a_purge_is_asked_about(cache):
    result = run_martlet("cache", "purge", cache)
    assert result.returncode == 1 and "--yes" in result.stderr
    assert shown(cache)["cloud/5"]["messages"] == 30


def test_a_purge_of_a_box_that_runs_is_reported_as_a_loss_here_and_upstream(filled, connect):
    watcher = connect("watcher", at=filled)
    watcher.subscribe("$events/cache/lost")
    cache_command("purge", filled.file, "--route", "cloud/9", "--yes")
    lost = json.loads(watcher.receive().text)
    assert (lost["bridge"], lost["priority"], lost["reason"], lost["messages"]) == ("cloud", 9, "purged", 3)
    assert lost["from"] <= lost["to"] <= lost["time"]
    eventually(lambda: "the cache has lost messages" in filled.log(), "the log to say it")
    report = json.loads(eventually(lambda: cache_command("export", filled.file, "--route", "cloud/9"), "the report to wait"))
    assert report["topic"] == "martlet/system-test/cache/lost"
    assert json.loads(report["payload"])["messages"] == 3


def test_what_was_purged_does_not_arrive_and_what_comes_after_does(tmp_path, keep, connect, mosquitto):
    upstream = mosquitto()
    box = keep(martlet_bridge(tmp_path / "box", upstream.port)).start()
    watcher = connect("watcher", at=upstream)
    watcher.subscribe("site/7/#", 1)
    upstream.terminate()
    client = connect(at=box)
    for number in range(200):
        client.publish("plant/a", f"old {number}", 1)
    cache_command("purge", box.file, "--yes")
    client.publish("plant/a", "new", 1)
    upstream.start()
    watcher = connect("watcher-2", at=upstream)
    watcher.subscribe("#", 1)
    client.publish("plant/a", "newer", 1)
    wanted = {"new", "newer", "purged"}
    old = []

    def is_last(message):
        if message.topic == "martlet/system-test/cache/lost":
            report = json.loads(message.text)
            assert report["reason"] == "purged" and report["messages"] >= 199
            wanted.discard("purged")
        wanted.discard(message.text)
        old.extend([message.text] if message.text.startswith("old") else [])
        return not wanted

    watcher.receive_where(is_last)
    # One was under way when the upstream went, perhaps.
    assert len(old) <= 1


def test_the_plan_of_a_box_that_runs_has_its_present_rate(filled):
    eventually(lambda: "measured now" in cache_command("plan", filled.file), "a rate", 60)


def test_the_control_socket_is_its_owners(filled):
    mode = (filled.directory / "data" / "control").stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    filled.terminate()
    assert not (filled.directory / "data" / "control").exists()


@pytest.mark.parametrize("state", ["stopped", "running"])
def test_a_damaged_block_is_left_out_counted_and_can_be_exported(filled, state):
    filled.terminate()
    database = filled.directory / "data" / "cache.db"
    # Each reading was acknowledged before the next one came, so it has a block of its own. Old copies of a page may have it too.
    database.write_bytes(database.read_bytes().replace(b"reading 7,", b"seading 7,"))
    if state == "running":
        filled.start()
    readings = [json.loads(line)["payload"] for line in cache_command("export", filled.file, "--route", "cloud/5").splitlines()]
    assert readings == [f'reading {number}, of the "hall"' for number in range(30) if number != 7]
    assert "damaged  1 blocks with 1 messages" in cache_command("show", filled.file)
    damaged = json.loads(cache_command("export", filled.file, "--damaged"))
    assert (damaged["firstSequence"], damaged["lastSequence"], damaged["lane"]) == (8, 8, "cloud/5#1")
    assert b"eading 7," in base64.b64decode(damaged["dataBase64"])


def test_where_no_box_has_run_there_is_no_cache(tmp_path):
    file = tmp_path / "martlet.toml"
    file.write_text('[appliance]\ndata-directory = "data"\n')
    result = run_martlet("cache", "show", file)
    assert result.returncode == 1 and "there is no cache in" in result.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("arguments", [["--route", "cloud"], ["--route", "cloud/17"], ["--older-than", "soon"], ["--bridge", "a", "--route", "a/1"]])
def test_a_selection_that_makes_no_sense_is_refused(box, arguments):
    assert run_martlet("cache", "export", box.file, *arguments).returncode == 64
