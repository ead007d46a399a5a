"""SIGHUP with changed buses, products and devices: what has changed begins anew, the rest goes on."""

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


def test_a_changed_product_begins_its_bus_anew_and_leaves_the_other_alone(box, connect):
    posts = {product: Posts(connect(product, at=box), product) for product in ("first", "second")}
    assert (posts["first"].good("power").value, posts["second"].good("power").value) == (100, 101)
    requests = box.value("martlet_bus_requests_total", bus="two")
    box.write(PRODUCT.format(key="first", address=7), PRODUCT.format(key="first", address=8))
    assert "[[product]]" in box.reload()
    posts["first"].point("power", lambda point: point.value == 200)
    posts["second"].good("power")
    assert box.value("martlet_bus_opens_total", bus="two") == 1
    assert box.value("martlet_bus_requests_total", bus="two") > requests


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
    assert box.value("martlet_bus_opens_total", bus="one") == 1
