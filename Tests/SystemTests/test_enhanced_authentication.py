"""MQTT 5.0's enhanced authentication: SCRAM-SHA-256 at CONNECT and on an open connection, and what is not it."""

import os
import random
import subprocess

import pytest

from harness import raw_mqtt, scram
from harness.broker import Martlet, run_martlet
from harness.raw_mqtt import AUTH, CONNACK, DISCONNECT, PINGRESP, RawConnection

pytestmark = pytest.mark.martlet_only

SUCCESS, CONTINUE, RE_AUTHENTICATE = 0x00, 0x18, 0x19
METHOD, DATA = 0x15, 0x16


@pytest.fixture
def guarded(tmp_path, keep):
    """A broker with the user sue, who has a SCRAM verifier, and everything allowed."""
    directory = tmp_path / "martlet"
    directory.mkdir()
    made = run_martlet("passwd", "--scram", "-b", "pencil", directory / "users", "sue")
    assert made.returncode == 0, made.stderr
    configuration = '[authentication]\npassword-file = "users"\ndefault-access = "allow"\n[protection]\nban-after = 0\n'
    return keep(Martlet(directory, configuration)).start()


def log_in(connection, user, password, identifier="c"):
    """The exchange up to the broker's last packet, which is returned with the client's side."""
    client = scram.Scram(user, password)
    connection.send(scram.connect_packet(identifier, client.first()))
    challenge = connection.expect(AUTH)
    assert challenge.body[0] == CONTINUE
    properties = scram.properties_of(challenge.body[1:])
    assert properties[METHOD] == scram.METHOD.encode()
    connection.send(scram.auth_packet(CONTINUE, client.final(properties[DATA])))
    return client, connection.read()


def test_scram_lets_in_who_has_the_password_and_shows_that_the_broker_has_it_too(guarded):
    with RawConnection(guarded.port) as connection:
        client, answer = log_in(connection, "sue", "pencil")
        assert answer.type == CONNACK and answer.body[1] == SUCCESS
        properties = scram.properties_of(answer.body[2:])
        assert properties[METHOD] == scram.METHOD.encode()
        assert client.is_right(properties[DATA])
        connection.send(raw_mqtt.packet(raw_mqtt.PINGREQ, 0))
        connection.expect(PINGRESP)


@pytest.mark.parametrize(("user", "password"), [("sue", "pen"), ("eve", "pencil")])
def test_scram_keeps_out_who_has_not(guarded, user, password):
    with RawConnection(guarded.port) as connection:
        _, answer = log_in(connection, user, password)
        assert answer.type == CONNACK and answer.body[1] == 0x86
        assert connection.read() is None


def test_a_method_that_is_not_known_is_refused(guarded):
    with RawConnection(guarded.port) as connection:
        connection.send(scram.connect_packet("c", b"x", method="GS2-KRB5"))
        answer = connection.expect(CONNACK)
        assert answer.body[1] == 0x8C
        assert connection.read() is None


def test_a_client_proves_anew_who_it_is(guarded):
    with RawConnection(guarded.port) as connection:
        log_in(connection, "sue", "pencil")
        client = scram.Scram("sue", "pencil")
        connection.send(scram.auth_packet(RE_AUTHENTICATE, client.first()))
        challenge = connection.expect(AUTH)
        connection.send(raw_mqtt.packet(raw_mqtt.PINGREQ, 0))
        connection.expect(PINGRESP)
        connection.send(scram.auth_packet(CONTINUE, client.final(scram.properties_of(challenge.body[1:])[DATA])))
        answer = connection.expect(AUTH)
        assert answer.body[0] == SUCCESS and client.is_right(scram.properties_of(answer.body[1:])[DATA])


def test_a_client_that_fails_to_is_disconnected(guarded):
    with RawConnection(guarded.port) as connection:
        log_in(connection, "sue", "pencil")
        client = scram.Scram("sue", "wrong")
        connection.send(scram.auth_packet(RE_AUTHENTICATE, client.first()))
        challenge = connection.expect(AUTH)
        connection.send(scram.auth_packet(CONTINUE, client.final(scram.properties_of(challenge.body[1:])[DATA])))
        answer = connection.expect(DISCONNECT)
        assert answer.body[0] >= 0x80
        assert connection.read() is None


def test_a_user_with_a_verifier_may_send_the_password_plainly(guarded, connect):
    client = connect("plain", "5.0", at=guarded, user="sue", password="pencil")
    assert client.is_connected


def test_garbage_in_auth_packets_ends_the_connection_and_nothing_else(guarded):
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    generator = random.Random(seed)
    for number in range(150):
        client = scram.Scram("sue", "pencil")
        with RawConnection(guarded.port) as connection:
            connection.send(scram.connect_packet(f"g{number}", client.first()))
            challenge = connection.expect(AUTH)
            final = client.final(scram.properties_of(challenge.body[1:])[DATA])
            good = scram.auth_packet(CONTINUE, final)
            kind = number % 3
            if kind == 0:
                bad = raw_mqtt.packet(AUTH, 0, generator.randbytes(generator.randrange(0, 60)))
            elif kind == 1:
                bad = bytearray(good)
                bad[generator.randrange(3, len(bad))] ^= 1 << generator.randrange(8)
                bad = bytes(bad)
            else:
                bad = scram.auth_packet(CONTINUE, generator.randbytes(generator.randrange(0, 5000)))
            # Behind it is what a client sends that gives up, so that bytes which are still missing come.
            connection.send(bad + raw_mqtt.packet(raw_mqtt.DISCONNECT, 0) * 4)
            answers = connection.read_until_closed()
            # One bit of the method's or the proof's text more or less may not matter.
            assert kind == 1 or not any(one.type == CONNACK and one.body[1] == SUCCESS for one in answers)
    with RawConnection(guarded.port) as connection:
        _, answer = log_in(connection, "sue", "pencil")
        assert answer.type == CONNACK and answer.body[1] == SUCCESS


def test_the_log_says_who_has_only_a_hash_that_scram_cannot_use(tmp_path, keep):
    directory = tmp_path / "martlet"
    directory.mkdir()
    users = directory / "users"
    users.touch()
    subprocess.run(["mosquitto_passwd", "-b", users, "ann", "secret"], check=True, capture_output=True)
    configuration = '[authentication]\npassword-file = "users"\n[protection]\nban-after = 0\n'
    broker = keep(Martlet(directory, configuration)).start()
    with RawConnection(broker.port) as connection:
        _, answer = log_in(connection, "ann", "secret")
        assert answer.type == CONNACK and answer.body[1] == 0x86
    assert "has no SCRAM verifier in the password file; `martlet passwd --scram` makes one" in broker.log()
