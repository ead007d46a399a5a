"""`martlet run`: the built-in demo, the summary, logs, and a clean end."""

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

import pytest

from harness import proc
from harness.broker import Broker, answers_mqtt, martlet_binary, run_martlet
from harness.ports import free_port
from harness.posts import GOOD, Commands, Posts
from harness.process import Process
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only


class Demo(Broker):
    """`martlet run` without a configuration file."""

    def __init__(self, directory):
        directory.mkdir()
        port = free_port()
        command = [martlet_binary(), "run", "--port", port, "--data-directory", directory / "data"]
        super().__init__("martlet", command, directory, port)


@pytest.fixture
def demo(tmp_path, keep):
    return keep(Demo(tmp_path / "demo")).start()


def test_the_demo_posts_points_of_its_simulated_device(demo, connect, version):
    posts = Posts(connect(version=version, at=demo), product="demo")
    post = posts.next()
    assert post.points and all(point.quality == GOOD for point in post.points.values())
    assert abs(post.time - time.time()) < 5


def test_the_demo_goes_on_posting(demo, connect):
    posts = Posts(connect(at=demo), product="demo")
    times = [posts.next().time for _ in range(5)]
    assert times == sorted(times) and times[0] < times[-1]


def test_the_demo_has_a_rule_that_publishes(demo, connect):
    client = connect(at=demo)
    client.subscribe("#", 1)
    message = client.receive_where(lambda message: not message.topic.startswith("/sys/"), timeout=60)
    assert message.payload


def test_the_demo_refuses_a_command_for_a_point_that_it_does_not_have(demo, connect):
    client = connect(at=demo)
    device = Posts(client, product="demo").next().device
    reply = Commands(connect("commander", at=demo), "demo", device).set(no_such_point=1)
    assert reply["code"] != 200 and reply["message"]


def test_code_that_only_the_start_needed_is_given_back(demo):
    peak = proc.peak_resident_bytes(demo.pid)
    eventually(lambda: proc.resident_bytes(demo.pid) < 0.8 * peak, "less resident memory than at the start")


def test_sigterm_ends_the_box_with_status_0(demo):
    assert demo.terminate() == 0
    assert not answers_mqtt(demo.port)


def test_the_box_ends_with_clients_connected(demo, connect):
    clients = [connect(f"client-{n}", at=demo) for n in range(20)]
    assert demo.terminate() == 0
    for client in clients:
        client.wait_until_disconnected()


def test_the_box_starts_again_where_it_ended(demo, connect):
    connect("sub", at=demo, persistent=True).subscribe("a", 1)
    demo.terminate()
    demo.start()
    assert connect("sub", at=demo, persistent=True).session_present


def test_logs_without_a_terminal_are_lines_of_key_and_value(demo):
    demo.terminate()
    lines = demo.log().splitlines()
    assert lines
    for line in lines:
        assert "\x1b" not in line
        assert re.match(r'^([\w.-]+=("(\\.|[^"\\])*"|[^\s"]*))( [\w.-]+=("(\\.|[^"\\])*"|[^\s"]*))*$', line), line


def test_a_port_that_is_taken_ends_the_start_with_a_message(demo, tmp_path):
    second = run_martlet("run", "--port", demo.port, "--data-directory", tmp_path / "second")
    assert second.returncode != 0
    assert str(demo.port) in second.stderr
    assert demo.is_alive()


def test_a_data_directory_serves_one_process_at_a_time(demo, tmp_path):
    second = run_martlet("run", "--port", free_port(), "--data-directory", tmp_path / "demo" / "data")
    assert second.returncode != 0 and "data" in second.stderr


def test_a_terminal_shows_a_live_summary(tmp_path, keep):
    near, far = pty.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    command = [str(martlet_binary()), "run", "--port", str(free_port()), "--data-directory", str(tmp_path / "data")]
    process = keep(Process("martlet", command, tmp_path / "terminal.log", {"TERM": "xterm"}))
    process.launch(terminal=far)
    os.close(far)
    shown = bytearray()

    def summary():
        while select.select([near], [], [], 0)[0]:
            shown.extend(os.read(near, 65536))
        return b"demo" in shown and b"good" in shown.lower() and shown.count(b"\x1b[") > 20

    process.wait_until(summary, "a summary with the demo's points")
    assert process.terminate() == 0
    os.close(near)
