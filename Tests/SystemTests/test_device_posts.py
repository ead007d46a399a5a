"""Devices that post by themselves: calculated points, and values that have become old."""

import json

import pytest

from harness.posts import GOOD, Posts, topic

pytestmark = pytest.mark.martlet_only

PRODUCT = """
[[product]]
key = "meter"
[[product.point]]
identifier = "voltage"
type = "LREAL"
maximum = 400
[[product.point]]
identifier = "flow-in"
type = "LREAL"
stale-after = "1s"
[[product.point]]
identifier = "high"
type = "BOOL"
expression = "voltage > 240"
report = "on-change"
[[product.point]]
identifier = "litres"
type = "LREAL"
expression = "`flow-in` * 1000"
"""


@pytest.fixture
def box(martlet, connect):
    box = martlet(PRODUCT)
    client = connect("device", at=box)

    def post(**points):
        body = {"id": "5", "version": "1.1", "method": "thing.measurepoint.post", "params": {"measurepoints": points, "time": 1000}}
        payload = json.dumps(body)
        client.publish(topic("meter", "m1", "measurepoint/post"), payload, qos=1)
        return payload

    box.post = post
    return box


def wrapped(value):
    return {"value": value, "quality": GOOD}


def test_what_is_calculated_is_a_post_of_its_own_behind_the_devices_unchanged_one(box, connect):
    watcher = connect("watcher", at=box)
    watcher.subscribe(topic("meter", "+", "measurepoint/post"), 1)
    sent = box.post(voltage=250, other="x")
    assert watcher.receive().payload == sent.encode()
    added = json.loads(watcher.receive().payload)
    assert added["params"] == {"measurepoints": {"high": {"value": True, "quality": GOOD}}, "time": 1000}
    assert int(added["id"]) > 2**61
    sent = box.post(voltage=251)
    again = box.post(voltage=1000)
    assert [watcher.receive().payload for _ in range(2)] == [sent.encode(), again.encode()], "unchanged, it is left out"
    assert json.loads(watcher.receive().payload)["params"]["measurepoints"]["high"]["reason"] == "out-of-range"


def test_an_old_value_is_told_as_stale_and_a_new_one_as_good(box, connect):
    posts = Posts(connect("watcher", at=box))
    box.post(**{"flow-in": wrapped(2)})
    assert posts.point("litres").value == 2000
    stale = posts.until(lambda post: post.points["flow-in"].reason == "stale" if "flow-in" in post.points else False)[-1]
    assert stale.time == 1 and stale.points["litres"].reason == "stale" and stale.points["litres"].value == 2000
    box.post(**{"flow-in": wrapped(3)})
    fresh = posts.point("litres", lambda point: point.quality == GOOD)
    assert fresh.value == 3000
