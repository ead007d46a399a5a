"""Drivers in a process of their own: values, writes, crashes, silence, garbage."""

import sys
from pathlib import Path

import pytest

from harness.broker import Martlet, run_martlet
from harness.posts import Commands, Posts
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only

DRIVER = Path(__file__).parent / "drivers" / "counter.py"


def configuration(mode="poll", settings="{ colour = \"red\", speed = 4 }", interval="50ms", program=None):
    command = [sys.executable, "-u", str(DRIVER), mode] if program is None else program
    return f"""
[[bus]]
name = "special"
protocol = "external"
command = {[str(part) for part in command]}
settings = {settings}
timeout = "500ms"
retries = 0
max-back-off = "200ms"
[[product]]
key = "counter"
[[product.group]]
name = "g"
interval = "{interval}"
[[product.point]]
identifier = "total"
type = "UDINT"
address = "count"
[[product.point]]
identifier = "step"
type = "INT"
address = "step"
writable = true
minimum = 0
maximum = 100
[[product.point]]
identifier = "text"
type = "STRING"
address = "text"
writable = true
[[product.point]]
identifier = "gap"
type = "INT"
address = "missing"
[[device]]
product = "counter"
key = "c1"
bus = "special"
address = "1"
[[device]]
product = "counter"
key = "c2"
bus = "special"
"""


@pytest.fixture
def box(tmp_path, keep):
    def start(*arguments, **options):
        return keep(Martlet(tmp_path, configuration(*arguments, **options))).start()

    return start


@pytest.fixture
def client(connect):
    return lambda box, name="test": connect(name, "5.0", at=box)


@pytest.mark.parametrize("mode", ["poll", "push"])
def test_values_arrive_with_their_quality(box, client, mode):
    posts = Posts(client(box(mode)), "counter", "c1")
    first = posts.good("total").value
    assert posts.good("total").value > first
    assert posts.good("text").value == "hello"
    assert posts.bad("gap").reason == "illegal-data-address"


def test_what_is_written_is_in_the_device_and_limits_hold(box, client):
    running = box()
    posts = Posts(client(running), "counter", "c1")
    posts.good("step")
    commands = Commands(client(running, "writer"), "counter", "c1")
    assert commands.set(step=25)["code"] == 200
    before = posts.good("total").value
    eventually(lambda: posts.good("total").value - before >= 25, "the step to be 25")
    refused = commands.set(step=101)
    assert refused["code"] != 200 and "out of the point's range" in refused["message"]
    assert "read-only" in commands.set(total=1)["message"]


@pytest.mark.parametrize(
    ("text", "reason"), [("crash", "it ended with exit code 3"), ("garbage", "a line that is not JSON")]
)
def test_a_program_that_ends_or_talks_nonsense_is_started_again_and_its_points_are_bad_meanwhile(box, client, text, reason):
    running = box()
    posts = Posts(client(running), "counter", "c1")
    posts.good("total")
    commands = Commands(client(running, "writer"), "counter", "c1")
    assert commands.set(text=text)["code"] == 200
    assert posts.bad("total").reason == "not-connected"
    assert posts.good("text").value == "hello"
    told = [line for line in running.log().splitlines() if "the driver's program does not run" in line]
    assert len(told) == 1 and reason in told[0] and "next-start-in=" in told[0]


def test_a_device_that_gives_no_answer_does_not_hold_up_the_other(box, client):
    running = box()
    posts = Posts(client(running), "counter")
    posts.good("total", device="c1")
    commands = Commands(client(running, "writer"), "counter", "c1")
    assert commands.set(text="mute")["code"] == 200
    assert posts.bad("total", device="c1").reason == "timeout"
    for _ in range(5):
        posts.good("total", device="c2")


def test_a_point_that_is_not_in_the_answer_is_bad(box, client):
    running = box()
    posts = Posts(client(running), "counter", "c1")
    posts.good("total")
    commands = Commands(client(running, "writer"), "counter", "c1")
    assert commands.set(text="forget")["code"] == 200
    assert posts.bad("total").reason == "bad-response"
    assert posts.good("text").value == "forget"


def test_settings_and_log_lines_pass(box, client):
    running = box()
    Posts(client(running), "counter", "c1").good("total")
    eventually(lambda: "2 devices, colour red" in running.log(), "the program's line in the log")


def test_a_program_that_refuses_its_configuration_is_told_of_with_its_reason(box, client):
    running = box(settings="{ refuse = true }")
    eventually(lambda: "it refuses its configuration: it does not want to" in running.log(), "the reason in the log")


def test_a_program_that_is_not_there_is_told_of(box, client):
    running = box(program=["/nonexistent/driver"])
    eventually(lambda: "/nonexistent/driver: No such file or directory" in running.log(), "the reason in the log")


def test_the_program_ends_with_the_box(box, client):
    running = box()
    Posts(client(running), "counter", "c1").good("total")
    processes = [
        int(child)
        for task in Path(f"/proc/{running.pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    assert len(processes) == 1
    running.terminate()
    eventually(lambda: not Path(f"/proc/{processes[0]}").exists(), "the program to be gone")


def test_wrong_keys_are_told_at_their_place(tmp_path):
    file = tmp_path / "m.toml"
    file.write_text(configuration().replace("settings =", "setting =").replace('address = "step"', "address = 7"))
    result = run_martlet("check", file)
    assert result.returncode != 0
    said = result.stdout + result.stderr
    assert 'unknown key "setting" in [[bus]] with protocol "external"; did you mean "settings"?' in said
    assert "address must be a string, not an integer" in said
