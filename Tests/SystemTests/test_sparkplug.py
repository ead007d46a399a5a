"""The bridge as a Sparkplug B edge node, with mosquitto between it and a host application that checks every message."""

import json
import time

import pytest

from harness.modbus import Device, ModbusTcp, meter
from harness.mqtt_client import Client
from harness.sparkplug_host import SparkplugHost
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only

GROUP, NODE = "site-7", "box-1"


def bridge(port, keys='primary-host = "scada"'):
    return f"""
[[bridge]]
name = "scada"
host = "127.0.0.1"
port = {port}
client-identifier = "box-1"
max-back-off = "1s"
  [[bridge.forward]]
  filter = "/sys/#"
  [bridge.sparkplug]
  group = "{GROUP}"
  edge-node = "{NODE}"
  {keys}
"""


@pytest.fixture
def host(mosquitto, keep):
    """A host that is online at a broker of its own: `host.broker`."""
    broker = mosquitto()
    host = SparkplugHost(broker.port, GROUP, NODE)
    host.broker = broker
    return keep(host).start()


def post(client, number, device="counter/c1"):
    """A post of a device that speaks MQTT itself, with a time that tells the number too."""
    payload = {"id": "1", "version": "1.0", "params": {"measurepoints": {"n": number}, "time": 1_700_000_000_000 + number}}
    client.publish(f"/sys/{device}/thing/measurepoint/post", json.dumps(payload), 1)


def numbers(events, *, historical=None):
    """The values of `n`, in the order in which they came."""
    return [
        value.value
        for event in events
        if event.type == "DDATA"
        for name, value in event.metrics
        if name == "n" and historical in (None, value.historical)
    ]


def test_births_come_before_data_and_tell_every_point(martlet, host, keep):
    device = Device()
    device.holding[0] = 20
    server = keep(ModbusTcp({1: device})).start()
    martlet(meter(server) + bridge(host.broker.port))
    birth, device_birth = host.next(), host.next()
    assert (birth.type, birth.bdseq) == ("NBIRTH", 0)
    assert (device_birth.type, device_birth.device) == ("DBIRTH", "meter:m1")
    assert set(device_birth.values) == {"temp", "setpoint"}
    # What was read before the node was born comes first, as history.
    data = host.until(lambda event: event.type == "DDATA" and not event.values["setpoint"].historical)[-1]
    assert data.values["setpoint"].value == 20
    assert abs(data.values["setpoint"].timestamp / 1000 - time.time()) < 30


def test_a_host_sets_a_point_and_sees_its_value(martlet, host, keep):
    device = Device()
    server = keep(ModbusTcp({1: device})).start()
    box = martlet(meter(server) + bridge(host.broker.port))
    host.until_type("DDATA")
    host.set("meter:m1", host.alias("meter:m1", "setpoint"), int_value=0xFFF6)
    host.until(lambda event: event.type == "DDATA" and "setpoint" in event.values and event.values["setpoint"].value == -10)
    assert device.holding[0] == 0xFFF6
    host.set("meter:m1", name="temp", int_value=1)
    eventually(lambda: "temp of meter/m1, which cannot be written" in box.log(), "the refusal of a read-only point in the log")


def test_a_rebirth_repeats_the_births_with_the_same_bdseq(martlet, host, keep):
    server = keep(ModbusTcp({1: Device()})).start()
    martlet(meter(server) + bridge(host.broker.port))
    host.until_type("DDATA")
    host.rebirth()
    assert host.until_type("NBIRTH").bdseq == 0
    assert host.next().type == "DBIRTH"
    host.until_type("DDATA")


def test_a_device_that_is_lost_dies_and_is_born_again(martlet, host, keep):
    server = keep(ModbusTcp({1: Device()})).start()
    martlet(meter(server) + bridge(host.broker.port))
    host.until_type("DDATA")
    server.stop()
    events = host.until(lambda event: event.type == "DDEATH")
    assert events[-1].device == "meter:m1"
    assert events[-2].values["temp"].value is None and events[-2].values["temp"].quality == 0
    server.start()
    host.until_type("DBIRTH")
    host.until(lambda event: event.type == "DDATA" and event.values["temp"].quality == 192)


def test_the_node_says_its_death_when_it_is_stopped(martlet, host):
    box = martlet(bridge(host.broker.port))
    assert host.until_type("NBIRTH").bdseq == 0
    box.terminate()
    assert host.next().type == "NDEATH"


def test_the_broker_says_the_death_of_a_node_that_is_killed(martlet, host):
    box = martlet(bridge(host.broker.port))
    host.until_type("NBIRTH")
    box.crash()
    death = host.next()
    assert (death.type, death.bdseq) == ("NDEATH", 0)


def test_a_late_death_of_a_killed_box_never_matches_its_next_birth(martlet, host):
    box = martlet(bridge(host.broker.port))
    numbers = [host.until_type("NBIRTH").bdseq]
    for _ in range(3):
        box.crash()
        death = host.next()
        assert (death.type, death.bdseq) == ("NDEATH", numbers[-1])
        box.start()
        numbers.append(host.until_type("NBIRTH").bdseq)
    assert numbers == [0, 1, 2, 3]
    box.terminate()
    death = host.next()
    assert (death.type, death.bdseq) == ("NDEATH", 3)


def test_bdseq_goes_on_over_a_stop_and_what_cannot_be_read_of_it_is_no_obstacle(martlet, host):
    box = martlet(bridge(host.broker.port))
    assert host.until_type("NBIRTH").bdseq == 0
    box.terminate()
    kept = box.directory / "data" / "bridge-scada.state"
    assert kept.read_text() == "0"
    box.start()
    assert host.until_type("NBIRTH").bdseq == 1
    box.terminate()
    kept.unlink()
    kept.mkdir()
    box.start()
    assert host.until_type("NBIRTH").bdseq == 0
    assert "cannot be read" in box.log() and "cannot be kept" in box.log()


def test_nothing_is_sent_while_the_host_is_offline(martlet, host, keep):
    box = martlet(bridge(host.broker.port))
    host.until_type("NBIRTH")
    device = keep(Client(box.port, identifier="device")).connect()
    post(device, 0)
    host.until(lambda event: numbers([event]) == [0])
    host.offline()
    assert host.until_type("NDEATH").bdseq == 0
    for number in range(1, 51):
        post(device, number)
    # The node is connected again, and could send.
    eventually(lambda: host.broker.log().count(f" as {NODE} ") >= 2, "the edge node to connect anew")
    assert host.client.messages.empty()
    host.online()
    birth = host.next()
    assert (birth.type, birth.bdseq) == ("NBIRTH", 1)
    events = host.until(lambda event: 50 in numbers([event]))
    assert numbers(events, historical=True) == list(range(1, 51))
    post(device, 51)
    assert numbers(host.until(lambda event: 51 in numbers([event])), historical=False) == [51]


def test_an_outage_and_a_restart_lose_nothing_and_become_history(martlet, host, keep, mosquitto):
    box = martlet(bridge(host.broker.port))
    before_outage = host.until_type("NBIRTH").bdseq
    device = keep(Client(box.port, identifier="device")).connect()
    for number in range(10):
        post(device, number)
    before = host.until(lambda event: 9 in numbers([event]))
    assert numbers(before, historical=False) == list(range(10))

    host.broker.crash()
    for number in range(10, 60):
        post(device, number)
    box.crash()
    box.start()
    device = keep(Client(box.port, identifier="device-2")).connect()
    for number in range(60, 110):
        post(device, number)

    host.broker.start()
    again = keep(SparkplugHost(host.broker.port, GROUP, NODE)).start()
    events = again.until(lambda event: 109 in numbers([event]), timeout=60)
    post(device, 110)
    events += again.until(lambda event: 110 in numbers([event]))
    # What was not confirmed before the outage may come once more; nothing may be missing.
    missing = set(range(10, 111)) - set(numbers(events))
    deadline = time.monotonic() + 60
    while missing and time.monotonic() < deadline:
        events.append(again.next())
        missing -= set(numbers(events[-1:]))
    assert not missing
    for event in events:
        for name, value in event.metrics:
            if event.type == "DDATA" and name == "n":
                assert value.timestamp == 1_700_000_000_000 + value.value
                assert value.historical == (value.value < 110)
    assert events[0].type == "NBIRTH" and events[0].bdseq != before_outage
