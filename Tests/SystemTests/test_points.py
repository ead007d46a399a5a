"""Points: bits, limits and enumerations, reports by change, calculated and stale values."""

import time

import pytest

from harness.broker import run_martlet
from harness.modbus import Device, ModbusTcp
from harness.plant import bus, device, point, product
from harness.posts import GOOD, UNCERTAIN, Commands, Posts

pytestmark = pytest.mark.martlet_only


def calculated(identifier, type, expression, keys=""):
    return f'[[product.point]]\nidentifier = "{identifier}"\ntype = "{type}"\nexpression = "{expression}"\n{keys}\n'


def configuration(server, points):
    return (
        product("meter", points, interval="50ms")
        + bus("line", server, 'timeout = "200ms"\nretries = 0\nmax-back-off = "200ms"')
        + device("meter", "m1", "line")
    )


@pytest.fixture
def field(keep):
    device = Device()
    return device, keep(ModbusTcp({1: device})).start()


def test_bits_limits_and_texts(field, martlet, connect):
    device, server = field
    device.holding[0:4] = [0x35A1, 150, 150, 1]
    box = martlet(
        configuration(
            server,
            point("nibble", "UINT", 0, 'bits = "4..7"')
            + point("beyond", "INT", 1, "maximum = 100")
            + point("clamped", "INT", 2, 'maximum = 100\nwhen-outside = "clamp"')
            + point("state", "UINT", 3, 'enumeration = { 0 = "off", 1 = "on" }\nwritable = true'),
        )
    )
    posts = Posts(connect(at=box))
    assert posts.good("nibble").value == 0xA
    assert posts.bad("beyond").reason == "out-of-range"
    clamped = posts.point("clamped")
    assert (clamped.value, clamped.quality, clamped.reason) == (100, UNCERTAIN, "out-of-range")
    assert posts.good("state").value == "on"
    commands = Commands(connect("writer", at=box))
    assert commands.set(state="off")["code"] == 200
    assert device.holding[3] == 0
    assert commands.set(state="maybe")["code"] != 200
    assert posts.point("state", lambda point: point.value == "off").quality == GOOD


def test_only_changes_beyond_the_deadband_are_published_and_a_silence_is_broken(field, martlet, connect):
    device, server = field
    device.holding[0:3] = [0, 7, 0]
    box = martlet(
        configuration(
            server,
            point("level", "INT", 0, 'report = "on-change"\ndeadband = 10')
            + point("quiet", "INT", 1, 'report = "on-change"\nmax-silence = "500ms"')
            + point("always", "INT", 2),
        )
    )
    posts = Posts(connect(at=box))
    posts.good("always")
    seen = []
    for value in (1000, 1005, 1009, 1010, 1001, 1020):
        device.holding[0] = value
        device.holding[2] += 1
        # Until a poll has surely seen it.
        for post in posts.until(lambda post: post.points.get("always") and post.points["always"].value == device.holding[2]):
            if "level" in post.points:
                seen.append(post.points["level"].value)
    assert seen == [1000, 1010, 1020]
    times = [posts.until(lambda post: "quiet" in post.points)[-1].time for _ in range(2)]
    assert times[1] - times[0] >= 0.45, "unchanged, it comes only to break the silence"


def test_a_calculated_point_follows_its_inputs_with_their_quality(field, martlet, connect):
    device, server = field
    device.holding[0:2] = [230, 10]
    box = martlet(
        configuration(
            server,
            point("voltage", "INT", 0, "maximum = 400")
            + point("current", "INT", 1)
            + calculated("power", "LREAL", "voltage * current")
            + calculated("high", "BOOL", "power > 2500"),
        )
    )
    posts = Posts(connect(at=box))
    post = posts.until(lambda post: "power" in post.points)[-1]
    assert post.points["power"].value == 2300 and post.points["high"].value is False
    assert {"voltage", "current"} <= set(post.points), "it comes with what it is made of"
    device.holding[1] = 20
    assert posts.point("high", lambda point: point.value is True).quality == GOOD
    device.holding[0] = 500
    assert posts.bad("power").reason == "out-of-range"


def test_a_point_without_new_values_becomes_uncertain_with_its_own_time(field, martlet, connect):
    device, server = field
    device.holding[0] = 42
    box = martlet(configuration(server, point("temp", "INT", 0, 'stale-after = "1s"')).replace('"50ms"', '"5s"'))
    posts = Posts(connect(at=box))
    seen = posts.until(lambda post: post.points["temp"].quality == GOOD)
    seen += posts.until(lambda post: post.points["temp"].quality != GOOD)
    fresh, stale = seen[-2:]
    assert (stale.points["temp"].value, stale.points["temp"].reason) == (42, "stale")
    assert stale.time == fresh.time and time.time() - stale.time >= 1
    posts.until(lambda post: post.points["temp"].quality == GOOD)


def test_mistakes_in_points_are_told_at_their_place(tmp_path):
    file = tmp_path / "m.toml"
    file.write_text(
        '[[product]]\nkey = "p"\n'
        '[[product.point]]\nidentifier = "a"\ntype = "REAL"\nbits = "3"\n'
        '[[product.point]]\nidentifier = "b"\ntype = "REAL"\nexpression = "a + c"\n'
        '[[product.point]]\nidentifier = "d"\ntype = "INT"\ndeadband = 3\n'
    )
    result = run_martlet("check", file)
    said = (result.stdout + result.stderr).splitlines()
    assert result.returncode != 0
    assert any("m.toml:6:8: bits has a meaning only when type is an integer" in line for line in said)
    assert any('m.toml:14:12: deadband has a meaning only when report is "on-change"' in line for line in said)
    file.write_text(file.read_text().replace('bits = "3"\n', "").replace("deadband = 3\n", ""))
    said = run_martlet("check", file).stderr
    assert 'm.toml:9:14: expression names "c", and the product has no such point' in said
