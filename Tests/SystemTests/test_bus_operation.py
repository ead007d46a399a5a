"""What a running box tells of its buses: metrics, `$SYS` topics and `martlet trace`."""

import json
import re
import sys
from pathlib import Path

import pytest

from harness.broker import Martlet, run_martlet
from harness.modbus import Device, ModbusTcp
from harness.plant import bus, device, point, product
from harness.posts import Posts
from harness.waiting import eventually
from test_metrics import Box

pytestmark = pytest.mark.martlet_only


def plant(server):
    """A device that answers and one that does not."""
    return (
        product("meter", point("power", "INT", 7))
        + bus("line", server, 'timeout = "5s"\nmax-back-off = "1s"')
        + device("meter", "good", "line")
        + device("meter", "dead", "line", 9, 'timeout = "100ms"\nretries = 0')
    )


@pytest.fixture
def server(keep):
    meter = Device()
    meter.holding[7] = 1234
    server = keep(ModbusTcp({1: meter})).start()
    server.device = meter
    return server


@pytest.fixture
def box(tmp_path, keep, server):
    return keep(Box(tmp_path / "box", plant(server), broker='sys-interval = "1s"')).start()


def test_buses_and_devices_are_measured(box):
    eventually(lambda: (box.value("martlet_device_requests_total", device="meter/good") or 0) >= 10, "ten requests")
    eventually(lambda: (box.value("martlet_device_errors_total", device="meter/dead") or 0) >= 2, "two that went unanswered")
    assert box.value("martlet_bus_open", bus="line", protocol="modbus-tcp") == 1
    assert box.value("martlet_device_good", bus="line", device="meter/good") == 1
    assert box.value("martlet_device_good", bus="line", device="meter/dead") == 0
    assert box.value("martlet_device_errors_total", device="meter/good") == 0
    median = box.value("martlet_device_answer_seconds", device="meter/good", quantile="0.5")
    slow = box.value("martlet_device_answer_seconds", device="meter/good", quantile="0.99")
    assert 0 < median <= slow < 1
    assert box.value("martlet_device_answer_seconds", device="meter/dead") is None
    busy = box.value("martlet_bus_busy_seconds_total", bus="line")
    assert busy >= 0.2
    assert box.value("martlet_bus_values_total", bus="line") >= 10


def test_devices_that_lack_points_are_counted(box, server):
    eventually(lambda: box.value("martlet_device_missing_points", device="meter/good") == 0, "the first count")
    server.device.exceptions[7] = 2
    eventually(lambda: box.value("martlet_device_missing_points", device="meter/good") == 1, "a missing point")
    assert box.value("martlet_bus_exceptions_total", bus="line") >= 1
    assert box.value("martlet_device_good", device="meter/good") == 1


def test_the_state_of_each_device_is_a_topic(box, connect):
    client = connect("watcher", at=box)
    client.subscribe("$SYS/broker/bus/#")
    values = {}

    def topic(name):
        while not client.messages.empty():
            message = client.messages.get()
            values[message.topic.removeprefix("$SYS/broker/bus/line/")] = message.text
        return json.loads(values.get(name, "null"))

    eventually(lambda: topic("state") == 1, "the line's state")
    eventually(lambda: (topic("device/meter/good") or {}).get("answerMsP50", 0) > 0, "answer times")
    assert topic("device/meter/good")["quality"] == "good"
    eventually(lambda: (topic("device/meter/dead") or {}).get("reason") in ("timeout", "gateway-target-failed"), "the dead device")
    status = topic("status")
    assert (status["protocol"], status["open"], status["devices"], status["devicesGood"]) == ("modbus-tcp", True, 2, 1)


def test_a_running_bus_can_be_traced(box, connect):
    posts = Posts(connect(at=box), "meter", "good")
    posts.good("power")
    result = run_martlet("trace", box.file, "line", "--for", "2s")
    assert result.returncode == 0, result.stderr
    assert re.search(r"\d\d:\d\d:\d\d\.\d{3} sent 12 bytes: transaction \d+, unit 1: read holding-register 7, quantity 1\n", result.stdout)
    assert re.search(r"received 11 bytes, after [\d.]+ ms: transaction \d+, unit 1: holding-register: 1234\n", result.stdout)
    assert "    " in result.stdout and "01 03 00 07 00 01" in result.stdout
    # The bus goes on meanwhile and afterwards.
    posts.good("power")


def test_a_bus_is_traced_whatever_is_wrong_with_the_file_by_now(box):
    text = Path(box.file).read_text()
    try:
        Path(box.file).write_text(text + '[[rule]]\nname = "r"\nsql = "SELEC"\ntopic = "t"\n' + device("none", "x", "line"))
        assert run_martlet("check", box.file).returncode == 1
        result = run_martlet("trace", box.file, "line", "--for", "1s")
        assert result.returncode == 0 and "sent 12 bytes" in result.stdout, result.stderr
    finally:
        Path(box.file).write_text(text)


def test_a_bus_is_traced_by_the_data_directory_alone(box):
    result = run_martlet("trace", box.directory / "data", "line", "--for", "1s")
    assert result.returncode == 0 and "sent 12 bytes" in result.stdout, result.stderr


def test_a_trace_tells_devices_apart_in_json(box):
    result = run_martlet("trace", box.file, "line", "--for", "3s", "--json")
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    good = [line for line in lines if line["device"] == "meter/good"]
    assert {line.get("direction") for line in good} == {"sent", "received"}
    assert all(line["bytes"].endswith("04d2") for line in good if line.get("direction") == "received")
    assert any(line["device"] == "meter/dead" for line in lines)


def test_the_lines_of_an_external_driver_are_traced(tmp_path, keep):
    program = Path(__file__).parent / "drivers" / "counter.py"
    box = keep(
        Martlet(
            tmp_path / "box",
            f"""
[[bus]]
name = "special"
protocol = "external"
command = ["{sys.executable}", "{program}"]
[[product]]
key = "counter"
[[product.group]]
name = "all"
interval = "200ms"
[[product.point]]
identifier = "total"
type = "UDINT"
address = "count"
[[device]]
product = "counter"
key = "c1"
bus = "special"
address = "1"
""",
        )
    ).start()
    result = run_martlet("trace", box.file, "special", "--for", "3s")
    assert re.search(r'sent \d+ bytes: \{"op":"read",.*"counter/c1"', result.stdout), result.stdout + result.stderr
    assert re.search(r'received \d+ bytes: \{"op": ?"values"', result.stdout)


def test_a_bus_that_is_not_there_is_told_of(box):
    result = run_martlet("trace", box.file, "lime")
    assert result.returncode == 1
    assert 'there is no bus "lime"; there are: line' in result.stderr


def test_a_box_that_does_not_run_cannot_be_traced(box):
    box.terminate()
    result = run_martlet("trace", box.file, "line")
    assert result.returncode == 1
    assert "control" in result.stderr
