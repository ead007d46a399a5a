"""Rules: SQL over messages, whose results are published again."""

import json

import pytest

from harness.broker import run_martlet
from harness.modbus import Device, ModbusTcp
from harness.posts import topic

pytestmark = pytest.mark.martlet_only

POST = topic("meter", "m1", "measurepoint/post")
HOT = """
[[rule]]
name = "hot"
sql = 'SELECT measurepoints.temp AS t FROM "/sys/+/+/thing/measurepoint/post" WHERE t > 50'
topic = "alarms/${topic[2]}/hot"
qos = 1
"""


def post(**points):
    measurepoints = {name: {"value": value, "quality": 9} for name, value in points.items()}
    return json.dumps(
        {
            "id": "1",
            "version": "1.1",
            "method": "thing.measurepoint.post",
            "params": {"measurepoints": measurepoints, "time": 1_700_000_000_000},
        }
    )


def rule(sql, target="out", keys=""):
    return f"[[rule]]\nname = \"rule\"\nsql = '''{sql}'''\ntopic = \"{target}\"\n{keys}\n"


@pytest.fixture
def results(martlet, connect):
    """`results(configuration, messages, filter)` publishes the messages and returns what the rules made of them."""

    def run(configuration, messages, topic_filter="out/#"):
        box = martlet(configuration)
        watcher, publisher = connect("watcher", at=box), connect("publisher", at=box)
        watcher.subscribe(topic_filter, 1)
        for name, payload in messages:
            publisher.publish(name, payload, 1)
        return watcher.everything_before_a_marker(publisher)

    return run


def test_a_matching_message_gives_its_result_to_the_topic_of_the_rule(results):
    (message,) = results(HOT, [(POST, post(temp=60.5))], "alarms/#")
    assert message.topic == "alarms/meter/hot"
    assert json.loads(message.payload) == {"t": 60.5}


def test_a_message_that_does_not_match_gives_nothing(results):
    assert results(HOT, [(POST, post(temp=50)), (POST, post(pressure=99))], "alarms/#") == []


def test_a_message_of_another_topic_gives_nothing(results):
    assert results(HOT, [("sys/meter/m1/thing/measurepoint/post", post(temp=60))], "alarms/#") == []


def test_only_the_matching_messages_of_many_give_a_result_each_in_order(results):
    received = results(HOT, [(POST, post(temp=value)) for value in range(0, 100, 7)], "alarms/#")
    assert [json.loads(message.payload)["t"] for message in received] == [56, 63, 70, 77, 84, 91, 98]


def test_a_plain_number_is_as_good_as_a_value_with_quality(results):
    body = json.dumps({"id": "1", "params": {"measurepoints": {"temp": 70}}})
    (message,) = results(HOT, [(POST, body)], "alarms/#")
    assert json.loads(message.payload) == {"t": 70}


@pytest.mark.parametrize("payload", ["", "no json", '{"params":', "[]", "\x00\xff", '{"params":{"measurepoints":7}}'])
def test_a_payload_that_the_rule_cannot_read_gives_nothing_and_does_no_harm(results, payload):
    (message,) = results(HOT, [(POST, payload), (POST, post(temp=60))], "alarms/#")
    assert json.loads(message.payload) == {"t": 60}


@pytest.mark.parametrize(
    "select, expected",
    [
        ("a + b * 2 AS x", {"x": 11}),
        ("(a + b) * 2 AS x", {"x": 16}),
        ("a / 2.0 AS x, b % 2 AS y", {"x": 2.5, "y": 1}),
        ("a > b AND NOT (b > a) AS x", {"x": True}),
        ("CASE WHEN a > 4 THEN 'high' ELSE 'low' END AS x", {"x": "high"}),
        ("name LIKE 'boiler-%' AS x, name LIKE 'oven%' AS y", {"x": True, "y": False}),
        ("list[1] AS x, deep.er.est AS y", {"x": 20, "y": "found"}),
        ("missing AS x", {"x": None}),
    ],
)
def test_an_expression_gives_its_value(results, select, expected):
    body = {"a": 5, "b": 3, "name": "boiler-7", "list": [10, 20], "deep": {"er": {"est": "found"}}}
    (message,) = results(rule(f'SELECT {select} FROM "in"'), [("in", json.dumps(body))], "out")
    assert json.loads(message.payload) == expected


def test_the_target_topic_may_take_levels_of_the_source_topic(results):
    configuration = rule('SELECT v FROM "line/+/+"', "out/${topic[2]}/${topic[-1]}")
    (message,) = results(configuration, [("line/a/b", '{"v":1}')])
    assert message.topic == "out/a/b"


def test_a_result_may_be_retained(martlet, connect):
    box = martlet(rule('SELECT v FROM "in"', "out", "retain = true\nqos = 1"))
    publisher, watcher = connect("publisher", at=box), connect("watcher", at=box)
    watcher.subscribe("out", 1)
    publisher.publish("in", '{"v":1}', 1)
    watcher.receive()
    later = connect("later", at=box)
    later.subscribe("out", 1)
    message = later.receive()
    assert message.retain and json.loads(message.payload) == {"v": 1}


def test_a_rule_may_use_the_result_of_another_rule(results):
    first = rule('SELECT v * 2 AS v FROM "in"', "middle")
    second = rule('SELECT v + 1 AS v FROM "middle"', "out").replace('"rule"', '"second"')
    (message,) = results(first + second, [("in", '{"v":5}')], "out")
    assert json.loads(message.payload) == {"v": 11}


def test_a_rule_that_feeds_itself_does_not_stop_the_box(martlet, connect):
    box = martlet(rule('SELECT v + 1 AS v FROM "loop"', "loop"))
    publisher, watcher = connect("publisher", at=box), connect("watcher", at=box)
    publisher.publish("loop", '{"v":1}', 1)
    watcher.subscribe("alive", 1)
    publisher.publish("alive", b"x", 1)
    assert watcher.receive().payload == b"x"


def test_a_rule_sees_what_is_polled_from_a_bus(keep, martlet, connect):
    device = Device()
    server = keep(ModbusTcp({1: device})).start()
    box = martlet(
        HOT
        + f"""
[[product]]
key = "meter"
[[product.group]]
name = "fast"
interval = "100ms"
[[product.point]]
identifier = "temp"
type = "INT"
group = "fast"
area = "holding-register"
address = 0
[[bus]]
name = "line"
{server.bus}
[[device]]
product = "meter"
key = "m1"
bus = "line"
unit-identifier = 1
"""
    )
    watcher = connect("watcher", at=box)
    watcher.subscribe("alarms/meter/hot", 1)
    device.holding[0] = 77
    assert json.loads(watcher.receive().payload) == {"t": 77}


@pytest.mark.parametrize(
    "sql, place",
    [
        ('SELECT a FRM "in"', "FRM"),
        ('SELECT a + FROM "in"', "FROM"),
        ('SELECT nosuch(a) AS x FROM "in"', "nosuch"),
        ('SELECT a FROM "in/#/x"', '"in/#/x"'),
    ],
)
def test_check_refuses_a_mistake_in_sql_with_its_place(tmp_path, sql, place):
    file = tmp_path / "martlet.toml"
    file.write_text(f"[[rule]]\nname = \"bad\"\nsql = '{sql}'\ntopic = \"out\"\n")
    result = run_martlet("check", file)
    assert result.returncode == 1
    column = len("sql = '") + sql.index(place) + 1
    assert f"{file}:3:{column}: " in result.stderr
