"""mosquitto_pub and mosquitto_sub as they come with Debian."""

import pytest

from harness.programs import lines_of, mosquitto_pub, mosquitto_sub, wait_subscribed


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mosquitto_sub_gets_what_mosquitto_pub_publishes(broker, version, root, qos):
    with mosquitto_sub(broker.port, f"{root}/+/state", 2, version=version, qos=qos) as subscriber:
        wait_subscribed(subscriber)
        mosquitto_pub(broker.port, f"{root}/1/state", "on", version=version, qos=qos)
        mosquitto_pub(broker.port, f"{root}/2/state", "off and on", version=version, qos=qos)
        assert lines_of(subscriber) == [
            [f"{root}/1/state", str(qos), "0", "on"],
            [f"{root}/2/state", str(qos), "0", "off and on"],
        ]


def test_mosquitto_sub_gets_a_retained_message(broker, version, root):
    mosquitto_pub(broker.port, f"{root}/state", "kept", version=version, qos=1, retain=True)
    with mosquitto_sub(broker.port, f"{root}/#", 1, version=version, qos=1) as subscriber:
        assert lines_of(subscriber) == [[f"{root}/state", "1", "1", "kept"]]


def test_mosquitto_sub_gets_what_waited_for_its_session(broker, version, root):
    options = ["-i", f"{root}-sub", "-c"] + (["-x", "3600"] if version == "5.0" else [])
    with mosquitto_sub(broker.port, f"{root}/a", 1, version=version, qos=1, options=options) as subscriber:
        wait_subscribed(subscriber)
        mosquitto_pub(broker.port, f"{root}/a", "first", version=version, qos=1)
        lines_of(subscriber)
    mosquitto_pub(broker.port, f"{root}/a", "second", version=version, qos=1)
    with mosquitto_sub(broker.port, f"{root}/a", 1, version=version, qos=1, options=options) as subscriber:
        assert [line[3] for line in lines_of(subscriber)] == ["second"]


def test_versions_understand_each_other(broker, root):
    with mosquitto_sub(broker.port, f"{root}/a", 1, version="3.1.1", qos=2) as subscriber:
        wait_subscribed(subscriber)
        mosquitto_pub(broker.port, f"{root}/a", "x", version="5.0", qos=2)
        assert [line[3] for line in lines_of(subscriber)] == ["x"]
