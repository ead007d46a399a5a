"""Modbus devices that fail: quality, reason, back-off, and the other devices that must not notice."""

import time

import pytest

from harness.modbus import Device, ModbusRtu, ModbusTcp
from harness.posts import BAD, GOOD, Posts
from harness.waiting import eventually, until

pytestmark = pytest.mark.martlet_only


def configuration(bus, units=(1,), *, timeout="200ms", retries=0, max_back_off="1s", interval="100ms", type="INT"):
    text = f"""
[[product]]
key = "meter"
[[product.group]]
name = "g"
interval = "{interval}"
[[product.point]]
identifier = "temp"
type = "{type}"
group = "g"
area = "holding-register"
address = 0
[[product.point]]
identifier = "far"
type = "INT"
group = "g"
area = "holding-register"
address = 5000
[[bus]]
name = "line"
timeout = "{timeout}"
retries = {retries}
max-back-off = "{max_back_off}"
{bus}
"""
    for unit in units:
        text += f'[[device]]\nproduct = "meter"\nkey = "m{unit}"\nbus = "line"\nunit-identifier = {unit}\n'
    return text


def test_a_device_that_stops_answering_is_bad_at_once_with_the_reason_timeout(field, martlet, connect):
    device = Device()
    box = martlet(configuration(field({1: device}).bus))
    posts = Posts(connect(at=box))
    posts.good("temp")
    device.silent = True
    start = time.time()
    post = posts.until(lambda post: post.points.get("temp") and post.points["temp"].quality == BAD)[-1]
    assert post.points["temp"].reason == "timeout" and post.points["temp"].value is None
    assert post.received - start < 2


def test_all_points_of_a_device_that_stops_answering_become_bad(field, martlet, connect):
    device = Device()
    box = martlet(configuration(field({1: device}).bus))
    posts = Posts(connect(at=box))
    posts.good("temp")
    device.silent = True
    bad = set()
    while bad != {"temp", "far"}:
        bad |= {name for name, point in posts.next().points.items() if point.quality == BAD}


def test_a_device_that_answers_again_is_good_again(field, martlet, connect):
    device = Device()
    box = martlet(configuration(field({1: device}).bus))
    posts = Posts(connect(at=box))
    posts.good("temp")
    device.silent = True
    posts.bad("temp")
    device.holding[0] = 77
    device.silent = False
    assert posts.good("temp").value == 77


def test_a_device_that_never_answered_is_bad(field, martlet, connect):
    device = Device()
    device.silent = True
    box = martlet(configuration(field({1: device}).bus))
    # Nobody can listen to the first post of a box that just starts, except a session that waits for it.
    watcher = connect("watcher", at=box, persistent=True)
    Posts(watcher)
    box.terminate()
    box.start()
    posts = Posts(connect("watcher", at=box, persistent=True))
    assert posts.bad("temp").reason == "timeout"


def test_a_lost_answer_is_repaired_by_a_retry(field, martlet, connect):
    device = Device()
    box = martlet(configuration(field({1: device}).bus, retries=2))
    posts = Posts(connect(at=box))
    posts.good("temp")
    for value in range(1, 4):
        device.holding[0] = value
        device.requests_to_drop = 2
        eventually(lambda: device.requests_to_drop == 0, "the dropped requests")
        seen = posts.until(lambda post, value=value: post.points.get("temp") and post.points["temp"].value == value)
        assert all(point.quality == GOOD for post in seen for point in post.points.values())


def test_a_device_gets_as_many_retries_as_configured_and_no_more(field, martlet, connect):
    device = Device()
    box = martlet(configuration(field({1: device}).bus, retries=3, max_back_off="60s"))
    posts = Posts(connect(at=box))
    posts.good("temp")
    device.silent = True
    seen = len(device.requests)
    posts.bad("temp")
    assert len(device.requests) - seen == 4


def test_a_silent_device_is_asked_less_and_less_often(field, martlet, connect):
    device = Device()
    box = martlet(configuration(field({1: device}).bus, max_back_off="60s"))
    posts = Posts(connect(at=box))
    posts.good("temp")
    device.silent = True
    posts.bad("temp")
    first = len(device.requests)
    eventually(lambda: len(device.requests) >= first + 3, "three more tries", 40)
    times = [request.time for request in device.requests[first - 1 : first + 3]]
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    assert gaps[1] > 1.3 * gaps[0] and gaps[2] > 1.3 * gaps[1]


def test_other_devices_of_the_line_keep_their_rate_beside_a_silent_one(field, martlet, connect):
    devices = {unit: Device() for unit in (1, 2, 3)}
    box = martlet(configuration(field(devices).bus, devices, interval="200ms", retries=1))
    posts = Posts(connect(at=box))
    for unit in devices:
        posts.good("temp", device=f"m{unit}")
    devices[2].silent = True
    posts.bad("temp", device="m2")
    start = time.time()
    until(time.monotonic() + 6)
    for unit in (1, 3):
        times = [read.time for read in devices[unit].reads(0) if read.time >= start]
        longest = max(later - earlier for earlier, later in zip(times, times[1:]))
        # 30 polls are due; one that waits for a probe of the silent device is late by at most its time-out.
        assert len(times) >= 24 and longest < 1.0


def test_a_device_is_polled_between_any_two_tries_of_one_that_falls_silent(field, martlet, connect):
    devices = {1: Device(), 2: Device()}
    box = martlet(configuration(field(devices).bus, devices, timeout="300ms", retries=5, max_back_off="60s"))
    posts = Posts(connect(at=box))
    for unit in devices:
        posts.good("temp", device=f"m{unit}")
    devices[2].silent = True
    posts.bad("temp", device="m2")
    tries = [request.time for request in devices[2].requests[-6:]]
    reads = [request.time for request in devices[1].requests]
    for earlier, later in zip(tries, tries[1:]):
        assert any(earlier < read < later for read in reads)


def test_the_devices_beside_a_silent_one_stay_good(field, martlet, connect):
    devices = {1: Device(), 2: Device()}
    box = martlet(configuration(field(devices).bus, devices))
    posts = Posts(connect(at=box))
    posts.good("temp", device="m1")
    devices[2].silent = True
    posts.bad("temp", device="m2")
    seen = []
    for _ in range(40):
        seen.append(posts.next())
    assert all(point.quality == GOOD for post in seen if post.device == "m1" for point in post.points.values())


@pytest.mark.parametrize(
    "code, reason",
    [
        (1, "illegal-function"),
        (2, "illegal-data-address"),
        (3, "illegal-data-value"),
        (4, "device-failure"),
        (6, "device-busy"),
        (10, "gateway-target-failed"),
        (11, "gateway-target-failed"),
    ],
)
def test_an_exception_of_the_device_is_the_reason(field, martlet, connect, code, reason):
    device = Device()
    box = martlet(configuration(field({1: device}).bus))
    posts = Posts(connect(at=box))
    posts.good("temp")
    device.exceptions = {0: code}
    assert posts.bad("temp").reason == reason


def test_an_exception_for_one_point_leaves_the_others_good(field, martlet, connect):
    device = Device()
    device.exceptions = {5000: 2}
    device.holding[0] = 7
    box = martlet(configuration(field({1: device}).bus))
    posts = Posts(connect(at=box))
    for _ in range(3):
        assert posts.good("temp").value == 7


def test_an_exception_for_one_of_two_neighbours_leaves_the_other_good(field, martlet, connect):
    device = Device()
    text = configuration(field({1: device}).bus).replace("address = 5000", "address = 1")
    device.exceptions = {1: 2}
    device.holding[0] = 7
    posts = Posts(connect(at=martlet(text)))
    assert posts.good("temp").value == 7


def test_a_broken_answer_is_bad_with_the_reason_bad_response(field, martlet, connect):
    device = Device()
    box = martlet(configuration(field({1: device}).bus))
    posts = Posts(connect(at=box))
    posts.good("temp")
    device.corrupt = True
    assert posts.bad("temp").reason == "bad-response"
    device.corrupt = False
    posts.good("temp")


def test_a_value_that_is_no_number_is_bad_with_the_reason_out_of_range(field, martlet, connect):
    device = Device()
    device.holding[0:2] = [0x7FC0, 0]
    box = martlet(configuration(field({1: device}).bus, type="REAL"))
    posts = Posts(connect(at=box))
    assert posts.point("temp").reason == "out-of-range"
    device.holding[0:2] = [0x41AC, 0]
    assert posts.good("temp").value == 21.5


def test_a_tcp_host_that_goes_away_is_bad_with_the_reason_not_connected_and_comes_back(keep, martlet, connect):
    server = keep(ModbusTcp({1: Device()})).start()
    posts = Posts(connect(at=martlet(configuration(server.bus))))
    posts.good("temp")
    server.stop()
    assert posts.bad("temp").reason == "not-connected"
    server.start()
    posts.good("temp")


def test_a_tcp_host_that_refuses_from_the_start_is_bad_and_then_good(keep, martlet, connect):
    server = keep(ModbusTcp({1: Device()}))
    box = martlet(configuration(server.bus))
    Posts(connect("watcher", at=box, persistent=True))
    box.terminate()
    box.start()
    posts = Posts(connect("watcher", at=box, persistent=True))
    assert posts.bad("temp").reason == "not-connected"
    server.start()
    posts.good("temp")


def test_a_dead_tcp_host_does_not_delay_the_devices_of_another_bus(keep, martlet, connect):
    alive = Device()
    server, dead = keep(ModbusTcp({1: alive})).start(), ModbusTcp({1: Device()})
    text = configuration(server.bus) + (
        f'[[bus]]\nname = "dead"\n{dead.bus}\n'
        '[[device]]\nproduct = "meter"\nkey = "gone"\nbus = "dead"\nunit-identifier = 1\n'
    )
    posts = Posts(connect(at=martlet(text)))
    posts.good("temp", device="m1")
    reads = eventually(lambda: len(alive.reads(0)) >= 31 and alive.reads(0), "31 reads", 30)
    assert reads[30].time - reads[0].time < 4.5


def test_a_serial_line_that_vanishes_is_bad_and_comes_back(tmp_path, keep, martlet, connect):
    server = keep(ModbusRtu({1: Device()}, tmp_path)).start()
    posts = Posts(connect(at=martlet(configuration(server.bus))))
    posts.good("temp")
    server.stop()
    server.close_line()
    assert posts.bad("temp").reason in ("not-connected", "timeout")
    server.start()
    posts.good("temp", timeout=30)
