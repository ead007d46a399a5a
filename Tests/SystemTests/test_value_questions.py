"""A local client asks for the last values of a device on a bus."""

import time

import pytest

from harness.modbus import Device, ModbusTcp, meter
from harness.posts import Commands, Posts

pytestmark = pytest.mark.martlet_only


@pytest.fixture
def device():
    device = Device()
    device.areas["input-register"][0] = 215
    device.holding[0] = 42
    return device


@pytest.fixture
def server(keep, device):
    return keep(ModbusTcp({1: device})).start()


@pytest.fixture
def box(martlet, server):
    return martlet(meter(server))


def test_the_values_that_were_read_last_are_told_with_their_quality_and_time(box, connect, device):
    posts = Posts(connect("reader", at=box))
    posts.good("setpoint")
    questions = Commands(connect("asker", at=box), verb="get")
    before = time.time()
    reply = questions.send(["setpoint", "temp"])
    assert (reply["code"], reply["message"], list(reply["data"])) == (200, "", ["setpoint", "temp"])
    assert (reply["data"]["setpoint"]["value"], reply["data"]["temp"]["value"]) == (42, 215)
    assert all(point["quality"] == 9 and abs(point["time"] / 1000 - before) < 30 for point in reply["data"].values())
    device.holding[0] = 43
    posts.point("setpoint", lambda point: point.value == 43)
    assert questions.send(["setpoint"])["data"]["setpoint"]["value"] == 43
    assert set(questions.send([])["data"]) == {"setpoint", "temp"}


def test_a_device_that_is_lost_and_a_point_that_it_does_not_have(box, connect, server):
    posts = Posts(connect("reader", at=box))
    posts.good("temp")
    questions = Commands(connect("asker", at=box), verb="get")
    refused = questions.send(["temp", "speed"])
    assert (refused["code"], refused["data"]) == (1204, {}) and refused["message"] == "speed: the device has no such point"
    server.stop()
    posts.bad("temp")
    point = questions.send(["temp"])["data"]["temp"]
    assert point["value"] is None and point["quality"] == 0 and point["reason"]
