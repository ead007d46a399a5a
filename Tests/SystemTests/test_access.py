"""Who may connect, and what they may do: passwords, access rules, bans and rates."""

import os
import signal
import subprocess
import time

import pytest

from harness import raw_mqtt
from harness.broker import Martlet
from harness.mqtt_client import Client
from harness.ports import free_port
from harness.programs import lines_of, mosquitto_pub, mosquitto_sub, wait_subscribed
from harness.raw_mqtt import RawConnection
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only

BAD_USER_NAME_OR_PASSWORD, NOT_AUTHORIZED, BANNED = 134, 135, 138

RULES = """
[[access-rule]]
access = "deny"
actions = ["receive"]
user = "ann"
topic = "plant/secret"
[[access-rule]]
access = "allow"
actions = ["publish", "subscribe"]
topic = "own/%u/#"
[[access-rule]]
access = "allow"
actions = "subscribe"
user = "ann"
topic = "plant/#"
[[access-rule]]
access = "allow"
user = "root"
"""


@pytest.fixture
def guarded(tmp_path, keep):
    """`guarded("…toml…")` starts a broker with the users ann, bob and root, whose passwords are their names backwards."""

    def start(configuration=RULES):
        directory = tmp_path / "martlet"
        directory.mkdir()
        passwords = directory / "users"
        passwords.touch()
        for user in ("ann", "bob", "root"):
            command = ["mosquitto_passwd", "-b", passwords, user, user[::-1] + "!"]
            subprocess.run(command, check=True, capture_output=True)
        access = '[authentication]\npassword-file = "users"\n'
        return keep(Martlet(directory, access + configuration)).start()

    return start


@pytest.fixture
def login(keep):
    """`login(broker, "ann", …)` gives a connected client of that user."""

    def connect(broker, user, version="5.0", **options):
        options.setdefault("password", user[::-1] + "!")
        return keep(Client(broker.port, version, f"{user}-{version}", user=user, **options)).connect()

    return connect


def test_only_those_who_know_a_password_get_in(guarded, login, keep, version):
    broker = guarded()
    login(broker, "ann", version)
    for number, (user, password, expected) in enumerate([
        ("ann", "wrong", BAD_USER_NAME_OR_PASSWORD),
        ("eve", "evil", BAD_USER_NAME_OR_PASSWORD),
        ("ann", None, BAD_USER_NAME_OR_PASSWORD),
        (None, None, NOT_AUTHORIZED),
    ]):
        client = Client(broker.port, version, f"c{number}", user=user, password=password)
        client.connect(expected=expected)
        client.drop()
    log = broker.log()
    assert "nna!" not in log and "wrong\"" not in log and "evil" not in log


def test_mosquitto_clients_log_in(guarded, version):
    broker = guarded()
    with mosquitto_sub(
        broker.port, "own/ann/#", 1, version=version, options=["-u", "ann", "-P", "nna!"]
    ) as subscriber:
        wait_subscribed(subscriber)
        mosquitto_pub(broker.port, "own/ann/x", "1", version=version, options=["-u", "root", "-P", "toor!"])
        assert lines_of(subscriber) == [["own/ann/x", "0", "0", "1"]]
    with pytest.raises(subprocess.CalledProcessError):
        mosquitto_pub(broker.port, "own/ann/x", "1", version=version, options=["-u", "ann", "-P", "no"])


def test_rules_say_what_is_published(guarded, login, version):
    broker = guarded()
    root = login(broker, "root")
    root.subscribe("#", 1)
    ann = login(broker, "ann", version)
    answers = []
    for topic in ("own/ann/a", "own/bob/a", "plant/a"):
        answers.append(ann.publish(topic, topic.encode(), 1))
        ann.publish(topic, topic.encode(), 2)
        ann.publish(topic, topic.encode(), 0)
    if version == "5.0":
        assert [answer.value for answer in answers] == [0, NOT_AUTHORIZED, NOT_AUTHORIZED]
    assert [m.topic for m in root.everything_before_a_marker()] == ["own/ann/a"] * 3


def test_rules_say_what_is_subscribed_to(guarded, login, version):
    ann = login(guarded(), "ann", version)
    refused = NOT_AUTHORIZED if version == "5.0" else 128
    wanted = ["own/ann/#", "own/ann/+/x", "plant/#", "plant/secret", "own/bob/#", "own/+/a", "#", "+/ann/a"]
    assert [ann.subscribe(f) for f in wanted] == [0, 0, 0, 0, refused, refused, refused, refused]


def test_rules_say_what_is_received(guarded, login, version):
    broker = guarded()
    root = login(broker, "root")
    root.publish("plant/secret", b"old", 1, True)
    root.publish("plant/open", b"old", 1, True)
    ann = login(broker, "ann", version)
    ann.subscribe("plant/#", 1)
    root.publish("plant/secret", b"new", 1)
    root.publish("plant/open", b"new", 1)
    root.publish("own/ann/end", b"", 1)
    ann.subscribe("own/ann/#")
    root.publish("own/ann/end", b"", 0)
    got = []
    while (message := ann.receive()).topic != "own/ann/end":
        got.append((message.topic, message.payload))
    assert got == [("plant/open", b"old"), ("plant/open", b"new")]


def test_a_will_needs_the_right_to_be_published(guarded, version):
    broker = guarded()
    options = {"user": "ann", "password": "nna!"}
    client = Client(broker.port, version, "w", will=("plant/a", b"", 0, False), **options)
    client.connect(expected=NOT_AUTHORIZED)
    client.drop()
    client = Client(broker.port, version, "w", will=("own/ann/a", b"", 0, False), **options)
    client.connect()
    client.drop()


def test_nobody_publishes_for_the_broker_itself(guarded, login):
    root = login(guarded('[[access-rule]]\naccess = "allow"\n'), "root")
    assert root.publish("$SYS/broker/uptime", b"", 1).value == NOT_AUTHORIZED
    assert root.publish("$events/x", b"", 1).value == NOT_AUTHORIZED
    assert root.publish("$other", b"", 1).value < 128


def test_repeated_failures_lead_to_a_ban(guarded, login, version):
    broker = guarded('[protection]\nban-after = 3\nban-time = "1h"\nban-by = ["client-identifier"]\n[[access-rule]]\naccess = "allow"\n')
    banned = BANNED if version == "5.0" else NOT_AUTHORIZED
    for password, expected in [("a", 134), ("b", 134), ("c", 134), ("nna!", banned)]:
        client = Client(broker.port, version, "guesser", user="ann", password=password)
        client.connect(expected=expected)
        client.drop()
    assert "banned" in broker.log()
    login(broker, "ann", version)


def test_a_flapping_client_is_banned(martlet, version):
    broker = martlet('[protection]\nflap-after = 3\n')
    for _ in range(3):
        Client(broker.port, version, "flapping").connect().drop()
    client = Client(broker.port, version, "flapping")
    client.connect(expected=BANNED if version == "5.0" else NOT_AUTHORIZED)
    client.drop()
    client = Client(broker.port, version, "calm").connect()
    client.disconnect()


def test_a_client_that_publishes_too_fast_is_slowed_down_and_loses_nothing(martlet, connect, version):
    broker = martlet("[protection]\npublish-rate = 100\n")
    subscriber = connect("sub", version, at=broker)
    subscriber.subscribe("a")
    with RawConnection(broker.port) as publisher:
        publisher.connect(version, "fast")
        start = time.monotonic()
        publisher.send(b"".join(raw_mqtt.publish_packet(version, "a", str(n).encode()) for n in range(250)))
        assert [int(m.text) for m in subscriber.receive_many(250)] == list(range(250))
        # A burst of 100 at once, then 100 a second.
        assert time.monotonic() - start > 1.2


def test_a_client_that_publishes_too_fast_is_disconnected_if_that_is_wanted(martlet, version):
    broker = martlet('[protection]\npublish-byte-rate = "1KiB"\npublish-policy = "disconnect"\n')
    with RawConnection(broker.port) as publisher:
        publisher.connect(version, "fast")
        publisher.send(raw_mqtt.publish_packet(version, "a", bytes(2000)))
        answers = publisher.read_until_closed()
        assert [answer.body[0] for answer in answers] == ([150] if version == "5.0" else [])


def test_connections_from_one_address_are_limited(martlet):
    broker = martlet("[protection]\nmax-connections-per-address = 3\n")
    with RawConnection(broker.port) as a, RawConnection(broker.port) as b, RawConnection(broker.port) as c:
        for number, connection in enumerate((a, b, c)):
            connection.connect("5.0", f"c{number}")
        with RawConnection(broker.port) as d:
            assert d.read() is None

    def again():
        with RawConnection(broker.port) as e:
            e.send(raw_mqtt.connect_packet("5.0", "e"))
            return e.read() is not None

    eventually(again, "room for one more connection")


def test_a_reload_changes_users_and_rules_for_those_who_are_connected(guarded, login):
    broker = guarded()
    ann, bob = login(broker, "ann"), login(broker, "bob")
    assert ann.publish("own/ann/a", b"", 1).value < 128 and ann.publish("new/ann", b"", 1).value == NOT_AUTHORIZED
    users = broker.directory / "users"
    users.write_text("".join(line for line in users.read_text().splitlines(True) if not line.startswith("bob:")))
    broker.file.write_text(broker.file.read_text().replace("own/%u/#", "new/%u"))
    os.kill(broker.pid, signal.SIGHUP)
    assert bob.wait_until_disconnected().value == NOT_AUTHORIZED
    assert ann.publish("own/ann/a", b"", 1).value == NOT_AUTHORIZED and ann.publish("new/ann", b"", 1).value < 128
    client = Client(broker.port, "5.0", "again", user="bob", password="bob!")
    client.connect(expected=BAD_USER_NAME_OR_PASSWORD)
    client.drop()


def test_a_listener_has_users_of_its_own(guarded, version, tmp_path):
    port = free_port()
    users = tmp_path / "technicians"
    users.touch()
    subprocess.run(["mosquitto_passwd", "-b", users, "tess", "fixit"], check=True, capture_output=True)
    broker = guarded(
        f'default-access = "allow"\n[[listener]]\nname = "service"\nport = {port}\npassword-file = "{users}"\n'
    )

    def comes_in(at, user, password):
        client = Client(at, version, f"{user}-{at}", user=user, password=password)
        try:
            client.connect()
        except AssertionError:
            return client.connect_reason.value
        finally:
            client.drop()
        return "in"

    assert comes_in(port, "tess", "fixit") == "in"
    assert comes_in(broker.port, "ann", "nna!") == "in"
    assert comes_in(port, "ann", "nna!") == BAD_USER_NAME_OR_PASSWORD
    assert comes_in(broker.port, "tess", "fixit") == BAD_USER_NAME_OR_PASSWORD


def test_a_listener_without_passwords_in_the_open_takes_none(guarded, keep):
    port = free_port()
    broker = guarded(
        f'default-access = "allow"\n[[listener]]\nname = "service"\nport = {port}\npassword-methods = "scram-sha-256"\n'
    )
    keep(Client(broker.port, "5.0", "ann", user="ann", password="nna!")).connect()
    Client(port, "5.0", "ann-2", user="ann", password="nna!").connect(expected=NOT_AUTHORIZED)


def test_somebody_who_is_refused_again_and_again_does_not_fill_the_log(martlet, version):
    broker = martlet()
    for _ in range(50):
        with RawConnection(broker.port) as connection:
            connection.send(b"GET / HTTP/1.1\r\n\r\n")
            connection.read_until_closed()
    assert sum("refused a connection" in line for line in broker.log().splitlines()) == 1


def test_behind_a_proxy_the_address_is_the_one_that_it_says(martlet):
    port = free_port()
    broker = martlet(
        f'[[listener]]\nname = "proxied"\nport = {port}\nproxy-protocol = true\n'
        '[[access-rule]]\naccess = "allow"\naddress = "192.0.2.0/24"\ntopic = "field/#"\n'
    )

    def publishes(header, topic):
        with RawConnection(port) as connection:
            connection.send(header)
            connection.connect("5.0", "c")
            connection.send(raw_mqtt.publish_packet("5.0", topic, b"x", qos=1, identifier=1))
            body = connection.expect(raw_mqtt.PUBACK).body
            return body[2] if len(body) > 2 else 0

    version_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\7\x7f\0\0\1\xc0\0\x22\xb3"
    assert publishes(version_2, "field/a") in (0, 16)
    assert publishes(version_2, "other") == NOT_AUTHORIZED
    assert publishes(b"PROXY TCP4 192.0.2.7 127.0.0.1 49152 1883\r\n", "field/a") in (0, 16)
    assert publishes(b"PROXY TCP4 198.51.100.7 127.0.0.1 49152 1883\r\n", "field/a") == NOT_AUTHORIZED
    with RawConnection(port) as connection:
        connection.send(raw_mqtt.connect_packet("5.0", "without"))
        assert connection.read() is None
    assert "PROXY header" in broker.log()
