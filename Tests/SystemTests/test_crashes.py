"""kill -9 at any moment: nothing that was acknowledged is lost, and QoS 2 stays exactly once.

MARTLET_CRASHES=50 makes the loop that long; it takes about half a second for each.
"""

import os
import random
import time

import pytest

from harness.crashes import SCENARIOS
from harness.ledger import Publisher, Subscriber
from harness.waiting import eventually, until

pytestmark = pytest.mark.martlet_only

CRASHES = int(os.environ.get("MARTLET_CRASHES", "5"))


@pytest.fixture
def box(martlet):
    return martlet(broker='max-queued-messages = 1000000\nmax-queued-bytes = "1GiB"')


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_was_acknowledged_is_there_after_a_crash(box, scenario):
    found, acknowledged = SCENARIOS[scenario](box)
    assert found == acknowledged


@pytest.mark.parametrize("presence", ["there", "away"])
def test_crashes_at_random_moments_lose_nothing(box, keep, presence):
    seed = int(os.environ.get("MARTLET_CRASH_SEED", time.time_ns() % 1_000_000))
    print("MARTLET_CRASH_SEED =", seed)
    moments = random.Random(seed)
    subscribers = [keep(Subscriber(box.port, f"s{qos}", f"c/{qos}", qos)) for qos in (1, 2)]
    for subscriber in subscribers:
        subscriber.start()
        assert subscriber.is_subscribed.wait(20)
    if presence == "away":
        for subscriber in subscribers:
            subscriber.stop()
    publishers = [keep(Publisher(box.port, f"p{qos}-{n}", f"c/{qos}", qos)) for qos in (1, 2) for n in range(3)]
    for publisher in publishers:
        publisher.start()

    for _ in range(CRASHES):
        until(time.monotonic() + moments.uniform(0.0, 0.4), interval=0.001)
        box.crash()
        box.start()

    for publisher in publishers:
        publisher.finish()
    for publisher in publishers:
        eventually(lambda: publisher.is_finished or publisher.failure, f"the last acknowledgements of {publisher.identifier}")
        assert publisher.failure is None
    if presence == "away":
        subscribers = [back_again(keep, box, subscriber) for subscriber in subscribers]
    for publisher in publishers:
        check(publisher, subscribers[publisher.qos - 1])
    assert sum(len(publisher.acknowledged) for publisher in publishers) > 20 * CRASHES


def back_again(keep, box, subscriber):
    """The subscriber's next connection."""
    back = keep(Subscriber(box.port, subscriber.identifier, None))
    back.is_subscribed.set()
    back.start()
    return back


def check(publisher, subscriber):
    def received():
        return [int(text.split()[1]) for text in list(subscriber.received) if text.split()[0] == publisher.identifier]

    acknowledged = set(publisher.acknowledged)
    eventually(
        lambda: subscriber.failure or acknowledged <= set(received()),
        f"all that was acknowledged to {publisher.identifier} to arrive",
    )
    assert subscriber.failure is None
    numbers = received()
    if publisher.qos == 2:
        assert len(numbers) == len(set(numbers)), f"{publisher.identifier}: a message of QoS 2 arrived twice"
        assert numbers == sorted(numbers), f"{publisher.identifier}: out of order"
    else:
        firsts = list(dict.fromkeys(numbers))
        assert firsts == sorted(firsts), f"{publisher.identifier}: out of order"
