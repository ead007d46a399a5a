"""What is on the board: serial devices that send frames, the machine's own points, GPIO lines."""

import functools
import operator
import os

import pytest

from harness.broker import Martlet, run_martlet
from harness.posts import Commands, Posts
from harness.process import Process
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only

PRODUCT = """
[[product]]
key = "thing"
[[product.group]]
name = "all"
interval = "50ms"
"""
DEVICE = """
[[device]]
product = "thing"
key = "t1"
bus = "line"
"""


def point(identifier, kind, keys):
    return f'[[product.point]]\nidentifier = "{identifier}"\ntype = "{kind}"\n{keys}\n'


def sentence(body):
    return f"${body}*{functools.reduce(operator.xor, body.encode()):02X}\r\n".encode()


class Line:
    """Two ends of a serial line that can be pulled out."""

    def __init__(self, directory):
        self.near, self._far = directory / "near", directory / "far"
        self._log = directory / "socat.log"
        self._file = None
        self.plug_in()

    def plug_in(self):
        ends = [f"pty,rawer,link={self.near}", f"pty,rawer,link={self._far}"]
        self._socat = Process("socat", ["socat", *ends], self._log)
        self._socat.launch()
        self._socat.wait_until(lambda: self.near.exists() and self._far.exists(), "the pseudo terminals")
        self._file = os.open(self._far, os.O_RDWR | os.O_NOCTTY)

    def pull_out(self):
        os.close(self._file)
        self._file = None
        self._socat.forget()
        for end in (self.near, self._far):
            end.unlink(missing_ok=True)

    def send(self, data):
        os.write(self._file, data)

    def receive(self, count):
        data = b""
        while len(data) < count:
            data += os.read(self._file, count - len(data))
        return data

    def stop(self):
        if self._file is not None:
            self.pull_out()


@pytest.fixture
def line(tmp_path):
    line = Line(tmp_path)
    yield line
    line.stop()


@pytest.fixture
def box(tmp_path, keep):
    return lambda text: keep(Martlet(tmp_path, text)).start()


def receiver(line):
    return (
        f'[[bus]]\nname = "line"\nprotocol = "serial-text"\nserial-port = "{line.near}"\nbaud-rate = 4800\n'
        + 'start = "$"\nmax-back-off = "500ms"\n' + PRODUCT
        + point("latitude", "LREAL", 'field = "nmea:GGA.latitude"')
        + point("time", "STRING", 'field = "nmea:RMC.date-time"')
        + point("rate", "UINT", "send = 'PRATE,{value}\\r\\n'\nwritable = true") + DEVICE
    )


POSITION = sentence("GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,")
MINIMUM = sentence("GPRMC,220516,A,5133.82,N,00042.24,W,173.8,231.8,130626,004.2,W")


def test_a_receiver_s_sentences_become_values_and_what_is_damaged_does_not(box, connect, line):
    running = box(receiver(line))
    posts = Posts(connect("test", "5.0", at=running), "thing")
    eventually(lambda: "the line is open" in running.log(), "the line to be open")
    line.send(POSITION.replace(b"4807", b"4907") + b"\x00\xff$GPGGA,12" + POSITION + MINIMUM)
    assert posts.good("latitude").value == pytest.approx(48.1173)
    assert posts.good("time").value == "2026-06-13T22:05:16Z"


def test_a_command_is_sent(box, connect, line):
    running = box(receiver(line))
    eventually(lambda: "the line is open" in running.log(), "the line to be open")
    commands = Commands(connect("writer", "5.0", at=running), "thing", "t1")
    assert commands.set(rate=5)["code"] == 200
    assert line.receive(9) == b"PRATE,5\r\n"
    assert commands.set(rate="fast")["code"] != 200


def test_an_adapter_that_is_pulled_out_and_plugged_in_again_is_found(box, connect, line):
    running = box(receiver(line))
    posts = Posts(connect("test", "5.0", at=running), "thing")
    eventually(lambda: "the line is open" in running.log(), "the line to be open")
    line.send(POSITION)
    posts.good("latitude")
    line.pull_out()
    assert posts.bad("latitude").reason == "not-connected"
    line.plug_in()
    eventually(lambda: running.log().count("the line is open") >= 2, "the line to be open again")
    line.send(POSITION)
    posts.good("latitude")


def test_points_of_the_machine_come_from_its_files(box, connect, tmp_path):
    root = tmp_path / "root"
    sensor = root / "sys/bus/w1/devices/28-1/w1_slave"
    for path, text in [
        (root / "sys/class/thermal/thermal_zone0/temp", "48312\n"),
        (root / "proc/uptime", "100.5 90\n"),
        (sensor, "4b : crc=57 YES\n4b t=23125\n"),
    ]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    running = box(
        f'[[bus]]\nname = "line"\nprotocol = "system"\nroot = "{root}"\n' + PRODUCT
        + point("cpu", "REAL", 'source = "cpu-temperature"') + point("up", "UDINT", 'source = "uptime"')
        + point("room", "LREAL", 'source = "one-wire:28-1"') + point("wear", "UINT", 'source = "emmc-life:mmcblk0"')
        + point("free", "ULINT", 'source = "storage-free:/"') + point("nobody", "BOOL", 'source = "reachable:127.0.0.1:1"') + DEVICE
    )
    posts = Posts(connect("test", "5.0", at=running), "thing")
    assert posts.good("cpu").value == pytest.approx(48.312)
    assert posts.good("room").value == 23.125
    assert posts.good("free").value > 0
    assert posts.good("nobody").value is False
    assert posts.bad("wear").reason == "not-connected"
    sensor.unlink()
    assert posts.bad("room").reason == "not-connected"


def test_a_gpio_line_that_is_not_there_is_a_mistake_in_the_file(tmp_path):
    file = tmp_path / "m.toml"
    file.write_text(
        '[[bus]]\nname = "line"\nprotocol = "gpio"\n' + PRODUCT
        + point("door", "BOOL", 'line = "no-such-chip:1"') + DEVICE
    )
    result = run_martlet("check", file)
    assert result.returncode != 0
    assert f"{file}:13:8: GPIO line no-such-chip:1: " in result.stderr + result.stdout
