"""Commands that write points of a Modbus device, and their replies."""

import json

import pytest

from harness.modbus import Device, ModbusTcp
from harness.posts import Commands, Posts
from harness.programs import mbpoll_registers
from harness.registers import registers_of

pytestmark = pytest.mark.martlet_only

#: identifier, type, address, further keys
POINTS = [
    ("setpoint", "INT", 0, ""),
    ("count", "UDINT", 10, 'word-order = "cdab"'),
    ("level", "REAL", 20, ""),
    ("total", "LREAL", 30, ""),
    ("energy", "LINT", 40, ""),
    ("label", "STRING", 50, "length = 8"),
    ("limit", "INT", 60, "scale = 0.1"),
    ("flag", "BOOL", 70, "bit = 3"),
]


def configuration(server):
    text = '[[product]]\nkey = "meter"\n[[product.group]]\nname = "g"\ninterval = "200ms"\n'
    for identifier, type, address, keys in POINTS:
        text += (
            f'[[product.point]]\nidentifier = "{identifier}"\ntype = "{type}"\ngroup = "g"\n'
            f'area = "holding-register"\naddress = {address}\nwritable = true\n{keys}\n'
        )
    return text + f"""
[[product.point]]
identifier = "valve"
type = "BOOL"
group = "g"
area = "coil"
address = 5
writable = true
[[product.point]]
identifier = "temp"
type = "INT"
group = "g"
area = "input-register"
address = 0
[[bus]]
name = "line"
timeout = "200ms"
retries = 0
{server.bus}
[[device]]
product = "meter"
key = "m1"
bus = "line"
unit-identifier = 1
"""


@pytest.fixture
def device():
    return Device()


@pytest.fixture
def box(field, martlet, device):
    return martlet(configuration(field({1: device})))


@pytest.fixture
def commands(box, connect):
    return Commands(connect("commander", at=box))


def assert_refused(reply):
    assert reply["code"] != 200 and isinstance(reply["code"], int)
    assert isinstance(reply["message"], str) and reply["message"]


@pytest.mark.parametrize(
    "point, value, address, expected",
    [
        ("setpoint", 55, 0, registers_of("INT", 55)),
        ("setpoint", -1, 0, [0xFFFF]),
        ("count", 3_000_000_000, 10, registers_of("UDINT", 3_000_000_000, "cdab")),
        ("level", 21.5, 20, registers_of("REAL", 21.5)),
        ("level", 21, 20, registers_of("REAL", 21.0)),
        ("total", 0.1, 30, registers_of("LREAL", 0.1)),
        ("energy", -9_007_199_254_740_993, 40, registers_of("LINT", -9_007_199_254_740_993)),
        ("label", "Ofen 2", 50, registers_of("STRING", "Ofen 2", length=8)),
        ("limit", 21.5, 60, registers_of("INT", 215)),
    ],
)
def test_a_written_value_is_in_the_registers_when_the_reply_comes(commands, device, point, value, address, expected):
    reply = commands.set(**{point: value})
    assert reply["code"] == 200 and reply["data"] == {}
    assert device.holding[address : address + len(expected)] == expected


def test_a_coil_can_be_written(commands, device):
    assert commands.set(valve=True)["code"] == 200
    assert device.areas["coil"][5] is True
    assert commands.set(valve=False)["code"] == 200
    assert device.areas["coil"][5] is False


def test_a_bit_of_a_register_is_written_and_its_neighbours_stay(commands, device):
    device.holding[70] = 0xA5A5
    assert commands.set(flag=True)["code"] == 200
    assert device.holding[70] == 0xA5A5 | 8
    assert commands.set(flag=False)["code"] == 200
    assert device.holding[70] == 0xA5A5 & ~8


def test_several_points_can_be_written_with_one_command(commands, device):
    assert commands.set(setpoint=1, level=2.0, valve=True)["code"] == 200
    assert device.holding[0] == 1 and device.holding[20:22] == registers_of("REAL", 2.0) and device.areas["coil"][5]


def test_another_modbus_client_reads_what_was_written(keep, martlet, connect, device):
    server = keep(ModbusTcp({1: device})).start()
    commands = Commands(connect(at=martlet(configuration(server))))
    assert commands.set(setpoint=1234)["code"] == 200
    assert mbpoll_registers(server.port, 1, 0, 1) == [1234]


def test_a_written_value_is_posted_afterwards(box, commands, connect):
    posts = Posts(connect("reader", at=box))
    assert commands.set(setpoint=99)["code"] == 200
    posts.point("setpoint", lambda point: point.value == 99)


def test_the_device_goes_on_being_polled_while_it_is_written(box, commands, connect):
    posts = Posts(connect("reader", at=box))
    for value in range(50):
        assert commands.set(setpoint=value)["code"] == 200
    posts.good("temp")


@pytest.mark.parametrize("identifier", ['"7"', "7", '"a-1"', "12345678901234567890", '"\\u00e9"'])
def test_the_reply_echoes_the_identifier_as_it_came(commands, identifier):
    text = commands.send_for_text(
        f'{{"id":{identifier},"version":"1.0","method":"thing.service.measurepoint.set","params":{{"setpoint":1}}}}'
    )
    reply = json.loads(text)
    assert reply["code"] == 200 and reply["id"] == json.loads(identifier)
    assert f'"id":{identifier}' in text.replace('"id": ', '"id":') or '"\\u' in identifier


def test_a_read_only_point_is_refused(commands, device):
    assert_refused(commands.set(temp=1))
    assert device.areas["input-register"][0] == 0


def test_an_unknown_point_is_refused(commands):
    reply = commands.set(pressure=1)
    assert_refused(reply)
    assert "pressure" in reply["message"]


@pytest.mark.parametrize(
    "point, value",
    [
        ("setpoint", 32_768),
        ("setpoint", 1.5),
        ("setpoint", "warm"),
        ("setpoint", None),
        ("count", -1),
        ("limit", 4000.0),
        ("label", "much too long"),
        ("valve", 7),
        ("energy", 9_223_372_036_854_775_808),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_nothing_is_written(commands, device, point, value):
    assert_refused(commands.set(**{point: value}))
    assert not [request for request in device.requests if request.function not in (1, 2, 3, 4)]


def test_a_command_to_a_device_that_does_not_answer_is_answered_with_the_reason(commands, device):
    device.silent = True
    reply = commands.set(setpoint=1)
    assert_refused(reply)
    assert "timeout" in reply["message"]


def test_an_exception_of_the_device_is_in_the_reply(commands, device):
    device.exceptions = {0: 2}
    reply = commands.set(setpoint=1)
    assert_refused(reply)
    assert "illegal-data-address" in reply["message"]


def test_a_value_that_the_device_does_not_keep_is_not_answered_with_200(commands, device):
    device.ignores_writes = True
    assert_refused(commands.set(setpoint=1))


@pytest.mark.parametrize("payload", ["", "no json", "{", "[]", '"text"', '{"id":"1"}', '{"id":"1","params":7}'])
def test_a_command_that_is_no_command_is_refused(commands, payload):
    assert_refused(commands.send_raw(payload))


def test_a_method_that_does_not_belong_to_the_topic_is_refused(commands, device):
    assert_refused(commands.send({"setpoint": 1}, method="thing.service.reboot"))
    assert device.holding[0] == 0


def test_a_broken_command_does_not_stop_the_next_one(commands):
    assert_refused(commands.send_raw("no json"))
    assert commands.set(setpoint=5)["code"] == 200


def test_a_command_of_each_quality_of_service_is_carried_out(box, commands, connect, device, version):
    sender = connect("sender", version, at=box)
    topic = "/sys/meter/m1/thing/service/measurepoint/set"
    for qos in (0, 1, 2):
        command = {"id": f"q{qos}", "method": "thing.service.measurepoint.set", "params": {"setpoint": qos}}
        sender.subscribe(f"{topic}_reply", 1)
        sender.publish(topic, json.dumps({"version": "1.0", **command}), qos)
        reply = json.loads(sender.receive_where(lambda message: message.topic == f"{topic}_reply").payload)
        assert reply["id"] == f"q{qos}" and reply["code"] == 200
        assert device.holding[0] == qos
