"""SIGHUP with changed buses, products and devices: what has changed begins anew, the rest goes on."""

import threading
import time

import pytest

from harness.modbus import Device, ModbusTcp
from harness.plant import bus, device, point, product
from harness.posts import Commands, Posts
from harness.waiting import eventually
from test_metrics import Box as MeasuredBox
from test_reload import Box as ChangingBox

pytestmark = pytest.mark.martlet_only


class Box(MeasuredBox, ChangingBox):
    """Has metrics and a file that can be changed."""


def writable(name, type, address):
    return point(name, type, address, "writable = true")


def first_product(address=7):
    return product("first", writable("power", "INT", address))


def line(name, server, key):
    """A bus with a device of this product."""
    return bus(name, server) + device(key, "m1", name)


SPARES = "".join(writable(f"spare{n}", "UINT", 100 + n) for n in range(60))


@pytest.fixture
def servers(keep):
    meters = [Device(), Device()]
    servers = [keep(ModbusTcp({1: meter, 2: meter})).start() for meter in meters]
    for number, (server, meter) in enumerate(zip(servers, meters)):
        server.device = meter
        meter.holding[7] = 100 + number
        meter.holding[8] = 200 + number
    return servers


@pytest.fixture
def box(tmp_path, keep, servers):
    text = first_product() + product("second", writable("power", "INT", 7))
    text += line("one", servers[0], "first") + line("two", servers[1], "second")
    return keep(Box(tmp_path / "box", text, broker='sys-interval = "1s"')).start()


def test_a_changed_product_begins_its_bus_anew_and_leaves_the_other_alone(box, servers, connect):
    posts = {product: Posts(connect(product, at=box), product) for product in ("first", "second")}
    assert (posts["first"].good("power").value, posts["second"].good("power").value) == (100, 101)
    box.write(first_product(), first_product(address=8))
    assert "[[product]]" in box.reload()
    posts["first"].point("power", lambda point: point.value == 200)
    posts["second"].good("power")
    assert servers[1].connections == 1 and servers[0].connections == 2


def test_a_device_is_added_and_removed(box, servers, connect):
    client = connect(at=box)
    posts = Posts(client, "first")
    posts.good("power")
    added = device("first", "m2", "one", 2)
    box.add(added)
    box.reload()
    assert posts.good("power", device="m2").value == 100
    posts.good("power", device="m1")
    commands = Commands(connect("writer", at=box), "first", "m2")
    assert commands.set(power=7)["code"] == 200
    assert servers[0].device.holding[7] == 7
    box.write(added, "")
    box.reload()
    assert posts.bad("power", device="m2").reason == "not-connected"
    posts.good("power", device="m1")
    eventually(lambda: box.value("martlet_device_good", device="first/m1") == 1, "the device that stays")
    assert box.value("martlet_device_good", device="first/m2") is None


def test_a_bus_is_removed_and_another_takes_its_line(box, servers, connect):
    Posts(connect("watcher", at=box), "second").good("power")
    system = connect("system", at=box)
    system.subscribe("$SYS/broker/bus/two/state")
    assert system.receive().text == "1"
    box.write(line("two", servers[1], "second"), line("three", servers[1], "second"))
    box.reload()
    Posts(connect("again", at=box), "second").good("power")
    eventually(lambda: box.value("martlet_bus_open", bus="three") == 1, "the new bus")
    assert box.value("martlet_bus_open", bus="two") is None
    # Its topics are withdrawn.
    assert system.receive().text == ""


def test_a_mistake_in_a_bus_leaves_all_of_them_running(box, servers, connect):
    posts = Posts(connect(at=box), "first")
    posts.good("power")
    box.write("unit-identifier = 1", "unit-identifier = 900")
    assert "unit-identifier" in box.reload("the configuration stays as it was")
    posts.good("power")
    assert servers[0].connections == 1


def test_a_long_command_does_not_hold_up_a_reload(box, servers, connect):
    meter = servers[0].device
    box.write(first_product(), first_product() + SPARES)
    box.reload()
    Posts(connect(at=box), "first").good("power")
    commands = Commands(connect("writer", at=box), "first", "m1")
    meter.before_read = lambda: time.sleep(0.05)
    replies = []
    writer = threading.Thread(target=lambda: replies.append(commands.set(**{f"spare{n}": n + 1 for n in range(60)})))
    writer.start()
    eventually(lambda: meter.holding[103] == 4, "the first values to be written")
    box.write(SPARES, "")
    box.reload()
    writer.join(30)
    # What was left of it was refused, and the line was not opened once more for it.
    assert "not-connected" in replies[0]["message"]
    assert meter.holding[159] == 0
    Posts(connect("again", at=box), "first").good("power")
    assert servers[0].connections == 3


def test_a_command_under_way_when_the_box_stops_is_answered(box, servers, connect):
    meter = servers[0].device
    Posts(connect(at=box), "first").good("power")
    commands = Commands(connect("writer", at=box), "first", "m1")
    meter.before_read = lambda: time.sleep(0.2)
    replies = []
    writer = threading.Thread(target=lambda: replies.append(commands.set(power=5)))
    writer.start()
    eventually(lambda: meter.holding[7] == 5, "the value to be written")
    box.terminate()
    writer.join(30)
    assert replies and replies[0]["code"] == 200
