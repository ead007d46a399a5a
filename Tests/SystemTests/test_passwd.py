"""`martlet passwd`, with mosquitto as a peer that reads and writes the same files."""

import os
import pty
import stat
import subprocess

import pytest

from harness.broker import Mosquitto, martlet_binary

pytestmark = pytest.mark.martlet_only


def mosquitto_accepts(port, user, password):
    command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-t", "t", "-m", "m", "-u", user, "-P", password]
    return subprocess.run(command, capture_output=True, timeout=30).returncode == 0


def passwd(*arguments, given=None):
    command = [str(martlet_binary()), "passwd", *(str(argument) for argument in arguments)]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60)


def test_mosquitto_takes_the_file(tmp_path, keep):
    users = tmp_path / "users"
    assert passwd(users, "anna", "-b", "first").returncode == 0
    assert passwd(users, "bert", given="zweites Pässwort\n").returncode == 0
    assert passwd(users, "anna", "--batch", "second", "--iterations", "500").returncode == 0
    assert stat.S_IMODE(users.stat().st_mode) == 0o600
    assert [line.split(":")[0] for line in users.read_text().splitlines()] == ["anna", "bert"]
    broker = keep(Mosquitto(tmp_path / "peer", options=f"password_file {users}")).start()
    assert mosquitto_accepts(broker.port, "anna", "second")
    assert mosquitto_accepts(broker.port, "bert", "zweites Pässwort")
    assert not mosquitto_accepts(broker.port, "anna", "first")


@pytest.mark.parametrize("kind", ["sha512", "sha512-pbkdf2"])
def test_a_file_of_mosquitto_is_edited(tmp_path, kind):
    users = tmp_path / "users"
    users.touch()
    for user in ("anna", "bert", "carl"):
        command = ["mosquitto_passwd", "-H", kind, "-b", users, user, "old"]
        subprocess.run(command, check=True, capture_output=True)
    before = users.read_text().splitlines()
    assert passwd(users, "bert", "-b", "new").returncode == 0
    assert passwd(users, "carl", "--delete").returncode == 0
    after = users.read_text().splitlines()
    assert len(after) == 2 and after[0] == before[0] and after[1] != before[1]
    assert after[1].startswith("bert:$7$20000$")


def test_the_password_is_asked_for_twice_at_a_terminal_and_not_shown(tmp_path):
    users = tmp_path / "users"
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [str(martlet_binary()), "passwd", str(users), "anna"], stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    shown = b""

    def read_until(text):
        nonlocal shown
        while text not in shown:
            shown += os.read(master, 1000)

    read_until(b"Password of anna: ")
    os.write(master, b"secret-1\n")
    read_until(b"Once more: ")
    os.write(master, b"secret-1\n")
    read_until(b"added anna")
    assert child.wait(20) == 0
    os.close(master)
    assert b"secret-1" not in shown
    assert users.read_text().startswith("anna:$7$")


def test_a_verifier_for_scram_has_the_given_iterations(tmp_path):
    users = tmp_path / "users"
    assert passwd(users, "anna", "--scram", "--iterations", "5000", "-b", "x").returncode == 0
    assert users.read_text().startswith("anna:SCRAM-SHA-256$5000:")


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["nobody", "--delete"], "there is no user nobody"),
        (["a:b", "-b", "x"], "colon"),
        (["anna", "-b", ""], "empty"),
        (["anna", "--iterations", "0", "-b", "x"], "1…1000000"),
        (["anna", "--delete", "-b", "x"], "--delete"),
    ],
)
def test_a_mistake_is_said_and_changes_nothing(tmp_path, arguments, reason):
    users = tmp_path / "users"
    assert passwd(users, "anna", "-b", "x").returncode == 0
    before = users.read_bytes()
    result = passwd(users, *arguments)
    assert result.returncode != 0 and reason in result.stderr
    assert users.read_bytes() == before


def test_a_plain_password_in_the_file_is_refused_with_advice_and_not_repeated(tmp_path):
    users = tmp_path / "users"
    users.write_text("# users\nanna:hunter2\n")
    result = passwd(users, "bert", "-b", "x")
    assert result.returncode == 1
    assert f"{users}:2: " in result.stderr and "martlet passwd" in result.stderr and "hunter2" not in result.stderr
