"""Files of the data directory that are damaged while the box is off: it comes up, says so, and works."""

import json
import os
import random
import subprocess

import pytest

from harness.broker import Martlet, run_martlet
from harness.mqtt_client import Client

pytestmark = pytest.mark.martlet_only


def truncate(path, random):
    os.truncate(path, path.stat().st_size // 2)


def empty(path, random):
    os.truncate(path, 0)


def overwrite_header(path, random):
    with path.open("r+b") as file:
        file.write(random.randbytes(100))


def overwrite_middle(path, random):
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 3)
        file.write(random.randbytes(size // 3))


def overwrite_all(path, random):
    path.write_bytes(random.randbytes(path.stat().st_size))


def make_garbage(suffix):
    def garbage(path, random):
        path.with_name(path.name + suffix).write_bytes(random.randbytes(20_000))

    return garbage


@pytest.fixture
def box(tmp_path, keep, mosquitto):
    """A box that was used and then stopped: a session with messages, a retained one, and messages for an upstream."""
    upstream = mosquitto()
    martlet = keep(
        Martlet(
            tmp_path / "martlet",
            f"""[[bridge]]
name = "cloud"
host = "127.0.0.1"
port = {upstream.port}
client-identifier = "box"
[[bridge.forward]]
filter = "up/#"
""",
        )
    ).start()
    use(martlet, keep)
    upstream.kill()
    publisher = keep(Client(martlet.port, "5.0", "pub")).connect()
    for number in range(200):
        publisher.publish("t", f"{number} ".encode() + bytes(100), 1)
        publisher.publish("up/t", f"{number} ".encode() + bytes(100), 1)
    publisher.publish("kept", b"kept", 1, retain=True)
    martlet.terminate()
    return martlet


def use(martlet, keep):
    """Makes the session `away`, or takes it up. Returns its client."""
    away = keep(Client(martlet.port, "5.0", "away", persistent=True)).connect()
    away.subscribe("t", 1)
    away.subscribe("kept", 1)
    away.drop()
    return away


def alarms(martlet):
    return [line for line in martlet.log().splitlines() if "a damaged file was set aside" in line]


@pytest.mark.parametrize("name", ["sessions.db", "cache.db"])
@pytest.mark.parametrize("damage", [truncate, empty, overwrite_header, overwrite_middle, overwrite_all])
def test_a_damaged_file_is_set_aside_with_an_alarm_and_the_box_works(box, keep, name, damage):
    data = box.directory / "data"
    before = (data / name).read_bytes()
    damage(data / name, random.Random(7))
    damaged = (data / name).read_bytes()
    assert damaged != before
    box.start()
    if (name, damage) != ("cache.db", overwrite_middle):
        # What lies inside the cache is found only when it is read.
        assert len(alarms(box)) == 1 and "level=critical" in alarms(box)[0] and name in alarms(box)[0]
        (aside,) = (path for path in data.glob(f"{name}.damaged-*") if not path.name.endswith(("-wal", "-journal")))
        assert aside.read_bytes() == damaged
    assert use(box, keep).session_present == (name == "cache.db")
    publisher = keep(Client(box.port, "5.0", "pub")).connect()
    assert publisher.publish("t", b"after", 1).value == 0
    assert publisher.publish("up/t", b"after", 1).value == 0
    box.crash()
    already = len(alarms(box))
    box.start()
    assert len(alarms(box)) == already, "the alarm came again"
    away = keep(Client(box.port, "5.0", "away", persistent=True)).connect()
    assert away.session_present
    assert away.receive_where(lambda message: message.topic == "t" and message.payload == b"after")


def alarm(martlet, keep):
    """The retained event that tells of damaged files; None if there is none."""
    client = keep(Client(martlet.port, "5.0", "watcher")).connect()
    client.subscribe("$events/storage/#", 1)
    messages = client.everything_before_a_marker()
    client.drop()
    assert all(message.topic == "$events/storage/damaged" and message.retain for message in messages)
    return json.loads(messages[-1].payload) if messages else None


def test_the_alarm_of_a_damaged_file_lasts_over_restarts_until_the_file_is_taken_away(box, keep):
    data = box.directory / "data"
    overwrite_all(data / "sessions.db", random.Random(9))
    box.start()
    said = alarm(box, keep)
    (aside,) = said["files"]
    assert aside.startswith(str(data / "sessions.db.damaged-")) and aside.endswith(str(said["time"]))
    assert "is damaged" in said["detail"] and aside in said["detail"]
    box.crash()
    box.start()
    again = alarm(box, keep)
    assert again["files"] == [aside] and aside in again["detail"]
    assert "a damaged file from before is still there" in box.log()
    watcher = keep(Client(box.port, "5.0", "w")).connect()
    watcher.subscribe("$events/storage/damaged", 0)
    assert watcher.receive().retain
    os.rename(aside, box.directory / "looked-into")
    assert watcher.receive().payload == b""
    assert alarm(box, keep) is None


@pytest.mark.parametrize("name", ["sessions.db", "cache.db"])
@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_garbage_in_place_of_a_journal_takes_nothing_away(box, keep, name, suffix):
    make_garbage(suffix)(box.directory / "data" / name, random.Random(8))
    box.start()
    assert alarms(box) == []
    away = keep(Client(box.port, "5.0", "away", persistent=True)).connect()
    assert away.session_present
    messages = away.receive_many(201)
    assert sorted(message.topic for message in messages) == ["kept"] + 200 * ["t"]


def test_a_data_directory_that_cannot_be_used_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("no directory")
    martlet = Martlet(tmp_path / "martlet", data=tmp_path / "data")
    for path in (tmp_path / "file", tmp_path / "missing" / "data"):
        result = run_martlet("run", martlet.file, "--data-directory", path)
        assert result.returncode == 1
        assert str(path) in result.stderr


def test_a_data_directory_on_a_read_only_file_system_is_an_error_that_names_it(tmp_path):
    directory = tmp_path / "disk"
    directory.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", directory], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"needs root, to mount a file system of its own: {mounted.stderr.strip()}")
    try:
        martlet = Martlet(tmp_path / "martlet", data=tmp_path / "data")
        result = run_martlet("run", martlet.file, "--data-directory", directory)
        assert result.returncode == 1
        assert str(directory) in result.stderr and "Read-only file system" in result.stderr
    finally:
        subprocess.run(["umount", "-l", directory], check=True)
