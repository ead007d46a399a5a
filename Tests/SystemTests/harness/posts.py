"""The measurement-point posts of a device, and the commands to it."""

import itertools
import json
import time
from dataclasses import dataclass

from .waiting import DEFAULT_TIMEOUT

GOOD, UNCERTAIN, BAD = 9, 4, 0
_numbers = itertools.count(1)


def topic(product, device, tail):
    return f"/sys/{product}/{device}/thing/{tail}"


@dataclass
class Point:
    value: object
    quality: int
    #: Why the quality is not good; None when it is.
    reason: str | None


@dataclass
class Post:
    device: str
    #: Source time in seconds, wall clock.
    time: float
    points: dict
    #: When the test received it.
    received: float


def parse(message):
    """A Post from an MQTT message; fails when it is not what the topic asks for."""
    _, _, product, device, *_ = message.topic.split("/")
    assert message.topic == topic(product, device, "measurepoint/post")
    body = json.loads(message.payload)
    assert set(body) == {"id", "version", "method", "params"}
    assert body["method"] == "thing.measurepoint.post" and body["version"] == "1.1"
    points = {}
    for name, point in body["params"]["measurepoints"].items():
        if point["quality"] == BAD:
            assert point["value"] is None and point["reason"]
        elif point["quality"] == UNCERTAIN:
            assert point["value"] is not None and point["reason"]
        else:
            assert point["quality"] == GOOD and "reason" not in point
        points[name] = Point(point["value"], point["quality"], point.get("reason"))
    return Post(device, body["params"]["time"] / 1000, points, time.time())


class Posts:
    """Everything that the devices of a product post from now on."""

    def __init__(self, client, product="meter", device="+"):
        self._client = client
        client.subscribe(topic(product, device, "measurepoint/post"), 1)

    def next(self, timeout=DEFAULT_TIMEOUT):
        return parse(self._client.receive(timeout))

    def until(self, condition, timeout=DEFAULT_TIMEOUT):
        """All posts up to the first that fulfils `condition`, with that one last."""
        deadline = time.monotonic() + timeout
        posts = []
        while True:
            left = deadline - time.monotonic()
            assert left > 0, f"no post fulfilled the condition within {timeout:g} s; the last ones: {posts[-3:]}"
            posts.append(self.next(left))
            if condition(posts[-1]):
                return posts

    def point(self, name, condition=lambda point: True, device=None, timeout=DEFAULT_TIMEOUT):
        """The next reading of a point that fulfils `condition`."""

        def found(post):
            return (device is None or post.device == device) and name in post.points and condition(post.points[name])

        return self.until(found, timeout)[-1].points[name]

    def good(self, name, **options):
        return self.point(name, lambda point: point.quality == GOOD, **options)

    def bad(self, name, **options):
        return self.point(name, lambda point: point.quality == BAD, **options)


class Commands:
    """Sends `measurepoint/set` to a device, or another command of that kind, and receives its replies."""

    def __init__(self, client, product="meter", device="m1", verb="set"):
        self._client = client
        self._topic = topic(product, device, f"service/measurepoint/{verb}")
        self._method = f"thing.service.measurepoint.{verb}"
        client.subscribe(f"{self._topic}_reply", 1)

    def set(self, **points):
        return self.send(points)

    def send(self, parameters, identifier=None, method=None):
        """Sends a command and returns its reply."""
        method = method or self._method
        identifier = str(next(_numbers)) if identifier is None else identifier
        command = {"id": identifier, "version": "1.0", "method": method, "params": parameters}
        reply = self.send_raw(json.dumps(command))
        assert reply["id"] == identifier
        return reply

    def send_raw(self, payload):
        return json.loads(self.send_for_text(payload))

    def send_for_text(self, payload):
        self._client.publish(self._topic, payload, 1)
        return self._client.receive_where(lambda message: message.topic == f"{self._topic}_reply").text
