"""Polling a Modbus device over TCP and over RTU: areas, types, word orders, scaling, intervals, source time."""

import math
import time
from dataclasses import dataclass

import pytest

from harness.broker import Martlet
from harness.modbus import Device, ModbusRtu, ModbusTcp
from harness.mqtt_client import Client
from harness.posts import GOOD, Posts
from harness.registers import registers_of
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only


@dataclass
class Case:
    """A point, what lies at its address, and the value that it must show."""

    identifier: str
    type: str
    area: str
    contents: list
    expected: object
    keys: str = ""


def _cases():
    values = {
        "INT": -12_345,
        "UINT": 54_321,
        "DINT": -1_234_567_890,
        "UDINT": 3_234_567_890,
        "LINT": -1_234_567_890_123_456_789,
        "ULINT": 18_446_744_073_709_551_557,
        "REAL": 21.5,
        "LREAL": 3.141592653589793,
    }
    for type, value in values.items():
        for order in ("abcd", "cdab", "badc", "dcba"):
            contents = registers_of(type, value, order)
            keys = f'word-order = "{order}"'
            yield Case(f"{type}-{order}", type, "holding-register", contents, value, keys)
        yield Case(f"{type}-input", type, "input-register", registers_of(type, value), value)
    for text, length in (("boiler 7", 8), ("Kessel °C", 16), ("odd", 5), ("", 4)):
        contents = registers_of("STRING", text, length=length)
        yield Case(f"STRING-{length}", "STRING", "holding-register", contents, text, f"length = {length}")
    swapped = registers_of("STRING", "MARTLET!", "badc", 8)
    yield Case("STRING-badc", "STRING", "input-register", swapped, "MARTLET!", 'length = 8\nword-order = "badc"')
    for area in ("coil", "discrete-input"):
        yield Case(f"{area}-on", "BOOL", area, [True], True)
        yield Case(f"{area}-off", "BOOL", area, [False], False)
    for bit in (0, 3, 15):
        yield Case(f"bit-{bit}-on", "BOOL", "holding-register", [1 << bit], True, f"bit = {bit}")
        yield Case(f"bit-{bit}-off", "BOOL", "input-register", [0xFFFF ^ 1 << bit], False, f"bit = {bit}")
    for name, type, raw, expected, keys in (
        ("scale", "INT", -215, -21.5, "scale = 0.1"),
        ("offset", "UINT", 215, 175.0, "offset = -40.0"),
        ("scale-offset", "DINT", 1000, 60.0, "scale = 0.1\noffset = -40.0"),
        ("scale-REAL", "REAL", 1.5, 150.0, "scale = 100.0"),
    ):
        yield Case(name, type, "holding-register", registers_of(type, raw), expected, keys)


CASES = list(_cases())


@pytest.fixture(scope="module", params=["tcp", "rtu"])
def readings(request, tmp_path_factory):
    """The first reading of each point of one device that has all the points of CASES."""
    directory = tmp_path_factory.mktemp("types")
    device = Device()
    configuration = '[[product]]\nkey = "meter"\n[[product.group]]\nname = "all"\ninterval = "200ms"\n'
    places = dict.fromkeys(device.areas, 0)
    for case in CASES:
        address = places[case.area]
        device.areas[case.area][address : address + len(case.contents)] = case.contents
        # Every third point leaves a gap after it, so that reads of many points have some to run over.
        places[case.area] += len(case.contents) + (3 if len(case.identifier) % 3 == 0 else 0)
        configuration += (
            f'[[product.point]]\nidentifier = "{case.identifier}"\ntype = "{case.type}"\ngroup = "all"\n'
            f'area = "{case.area}"\naddress = {address}\n{case.keys}\n'
        )
    server = ModbusTcp({7: device}) if request.param == "tcp" else ModbusRtu({7: device}, directory)
    server.start()
    configuration += (
        f'[[bus]]\nname = "line"\n{server.bus}\n'
        '[[device]]\nproduct = "meter"\nkey = "m1"\nbus = "line"\nunit-identifier = 7\n'
    )
    martlet = Martlet(directory, configuration)
    client = None
    try:
        martlet.start()
        client = Client(martlet.port, "3.1.1", "reader").connect()
        posts = Posts(client)
        seen = {}
        while len(seen) < len(CASES):
            seen.update(posts.next().points)
        yield seen
    finally:
        if client:
            client.drop()
        martlet.forget()
        server.stop()
        if request.param == "rtu":
            server.close_line()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.identifier)
def test_a_point_arrives_with_its_value_and_good_quality(readings, case):
    point = readings[case.identifier]
    assert point.quality == GOOD
    assert type(point.value) is type(case.expected)
    if isinstance(case.expected, float):
        assert math.isclose(point.value, case.expected, rel_tol=1e-12)
    else:
        assert point.value == case.expected


METER = """
[[product]]
key = "meter"
[[product.group]]
name = "fast"
interval = "100ms"
[[product.group]]
name = "slow"
interval = "1s"
[[product.point]]
identifier = "temp"
type = "INT"
group = "fast"
area = "holding-register"
address = 0
[[product.point]]
identifier = "energy"
type = "UDINT"
group = "slow"
area = "input-register"
address = 100
[[bus]]
name = "line"
{bus}
{device}
"""
DEVICE = """
[[device]]
product = "meter"
key = "m{unit}"
bus = "line"
unit-identifier = {unit}
"""


def meter(server, units=(1,)):
    return METER.format(bus=server.bus, device="".join(DEVICE.format(unit=unit) for unit in units))


def test_a_changed_register_arrives_as_a_new_value(field, martlet, connect):
    device = Device()
    box = martlet(meter(field({1: device})))
    posts = Posts(connect(at=box))
    for value in (5, -5, 32767):
        device.holding[0] = registers_of("INT", value)[0]
        posts.point("temp", lambda point, value=value: point.value == value)


def test_each_device_of_a_line_posts_its_own_values(field, martlet, connect):
    devices = {unit: Device() for unit in (1, 2, 3)}
    for unit, device in devices.items():
        device.holding[0] = 10 * unit
    box = martlet(meter(field(devices), devices))
    posts = Posts(connect(at=box))
    for unit in devices:
        assert posts.good("temp", device=f"m{unit}").value == 10 * unit


def test_each_group_is_read_at_its_own_interval(field, martlet):
    device = Device()
    martlet(meter(field({1: device})))
    eventually(lambda: device.reads(100), "the first read of the slow group")
    start = len(device.reads(100)), len(device.reads(0))
    eventually(lambda: len(device.reads(100)) >= start[0] + 3, "three reads of the slow group", 30)
    slow, fast = len(device.reads(100)) - start[0], len(device.reads(0)) - start[1]
    assert 7 * slow <= fast <= 11 * slow + 10


def test_reads_keep_to_the_grid_of_their_interval(field, martlet):
    device = Device()
    martlet(meter(field({1: device})))
    reads = eventually(lambda: len(device.reads(0)) >= 41 and device.reads(0), "41 reads", 30)
    # 40 intervals of 100 ms; a timer that started anew after each read would drift by the time that each read takes.
    assert 3.8 <= reads[40].time - reads[0].time <= 4.6


def test_a_post_carries_the_time_of_its_reading(field, martlet, connect):
    device = Device()
    box = martlet(meter(field({1: device})))
    posts = Posts(connect(at=box))
    read_at = {}

    def count():
        device.holding[0] += 1
        read_at[device.holding[0]] = time.time()

    device.before_read = count
    post = posts.until(lambda post: post.points.get("temp") and post.points["temp"].value >= 3)[-1]
    # The source time is when the answer arrived; on a busy machine that is some time after the device read its clock.
    assert -0.002 <= post.time - read_at[post.points["temp"].value] < 0.5


def test_points_that_lie_together_are_read_with_one_request(field, martlet):
    device = Device()
    server = field({1: device})
    points = "".join(
        f'[[product.point]]\nidentifier = "p{n}"\ntype = "INT"\ngroup = "g"\narea = "holding-register"\naddress = {n}\n'
        for n in range(0, 60, 2)
    )
    martlet(
        '[[product]]\nkey = "meter"\n[[product.group]]\nname = "g"\ninterval = "200ms"\n'
        + points
        + f'[[bus]]\nname = "line"\nmax-gap = 8\n{server.bus}\n'
        + DEVICE.format(unit=1)
    )
    reads = eventually(lambda: len(device.reads()) >= 5 and device.reads(), "five reads")
    assert {(read.address, read.quantity) for read in reads} == {(0, 59)}


def test_a_serial_line_may_have_parity(tmp_path, keep, martlet, connect):
    device = Device()
    device.holding[0] = 42
    server = keep(ModbusRtu({1: device}, tmp_path, parity="even")).start()
    assert Posts(connect(at=martlet(meter(server)))).good("temp").value == 42


def test_unit_identifier_255_may_be_used_over_tcp(keep, martlet, connect):
    device = Device()
    device.holding[0] = 42
    server = keep(ModbusTcp({255: device})).start()
    assert Posts(connect(at=martlet(meter(server, [255])))).good("temp").value == 42
