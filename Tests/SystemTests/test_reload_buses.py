"""SIGHUP with changed buses, products and devices: what has changed begins anew, the rest goes on."""

import threading
import time

import pytest

from harness.modbus import Device, ModbusTcp
from harness.posts import Commands, Posts
from harness.waiting import eventually
from test_metrics import Box as MeasuredBox
from test_reload import Box as ChangingBox

pytestmark = pytest.mark.martlet_only


class Box(MeasuredBox, ChangingBox):
    """Has metrics and a file that can be changed."""


PRODUCT = """
[[product]]
key = "{key}"
[[product.group]]
name = "all"
interval = "100ms"
[[product.point]]
identifier = "power"
type = "INT"
area = "holding-register"
address = {address}
writable = true
"""

BUS = """
[[bus]]
name = "{name}"
{bus}
[[device]]
product = "{product}"
key = "m1"
bus = "{name}"
unit-identifier = 1
"""


SPARES = "".join(
    f'''
[[product.point]]
identifier = "spare{n}"
type = "UINT"
area = "holding-register"
address = {100 + n}
writable = true
'''
    for n in range(60)
)


@pytest.fixture
def servers(keep):
    devices = [Device(), Device()]
    servers = [keep(ModbusTcp({1: device, 2: device})).start() for device in devices]
    for number, (server, device) in enumerate(zip(servers, devices)):
        server.device = device
        device.holding[7] = 100 + number
        device.holding[8] = 200 + number
    return servers


@pytest.fixture
def box(tmp_path, keep, servers):
    text = PRODUCT.format(key="first", address=7) + PRODUCT.format(key="second", address=7)
    text += BUS.format(name="one", bus=servers[0].bus, product="first")
    text += BUS.format(name="two", bus=servers[1].bus, product="second")
    return keep(Box(tmp_path / "box", text, broker='sys-interval = "1s"')).start()


def test_a_changed_product_begins_its_bus_anew_and_leaves_the_other_alone(box, servers, connect):
    posts = {product: Posts(connect(product, at=box), product) for product in ("first", "second")}
    assert (posts["first"].good("power").value, posts["second"].good("power").value) == (100, 101)
    box.write(PRODUCT.format(key="first", address=7), PRODUCT.format(key="first", address=8))
    assert "[[product]]" in box.reload()
    posts["first"].point("power", lambda point: point.value == 200)
    posts["second"].good("power")
    assert servers[1].connections == 1 and servers[0].connections == 2


def test_a_device_is_added_and_removed(box, servers, connect):
    client = connect(at=box)
    posts = Posts(client, "first")
    posts.good("power")
    added = '[[device]]\nproduct = "first"\nkey = "m2"\nbus = "one"\nunit-identifier = 2\n'
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
    box.write(BUS.format(name="two", bus=servers[1].bus, product="second"), BUS.format(name="three", bus=servers[1].bus, product="second"))
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
    device = servers[0].device
    product = PRODUCT.format(key="first", address=7)
    box.write(product, product + SPARES)
    box.reload()
    Posts(connect(at=box), "first").good("power")
    commands = Commands(connect("writer", at=box), "first", "m1")
    device.before_read = lambda: time.sleep(0.05)
    replies = []
    writer = threading.Thread(target=lambda: replies.append(commands.set(**{f"spare{n}": n + 1 for n in range(60)})))
    writer.start()
    eventually(lambda: device.holding[103] == 4, "the first values to be written")
    box.write(SPARES, "")
    box.reload()
    writer.join(30)
    # What was left of it was refused, and the line was not opened once more for it.
    assert "not-connected" in replies[0]["message"]
    assert device.holding[159] == 0
    Posts(connect("again", at=box), "first").good("power")
    assert servers[0].connections == 3


def test_a_command_under_way_when_the_box_stops_is_answered(box, servers, connect):
    device = servers[0].device
    Posts(connect(at=box), "first").good("power")
    commands = Commands(connect("writer", at=box), "first", "m1")
    device.before_read = lambda: time.sleep(0.2)
    replies = []
    writer = threading.Thread(target=lambda: replies.append(commands.set(power=5)))
    writer.start()
    eventually(lambda: device.holding[7] == 5, "the value to be written")
    box.terminate()
    writer.join(30)
    assert replies and replies[0]["code"] == 200
