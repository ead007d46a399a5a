"""SIGHUP: the configuration is read again while everything runs."""

import os
import signal
import socket
import subprocess

import pytest

from harness import raw_mqtt
from harness.broker import Martlet, answers_mqtt
from harness.certificates import Authority
from harness.mqtt_client import Client
from harness.ports import free_port
from harness.proc import open_sockets
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only

NOT_AUTHORIZED = 0x87


class Box(Martlet):
    """Martlet with a file that can be changed."""

    def write(self, old, new):
        text = self.file.read_text()
        assert old in text, f"{old!r} is not in {text}"
        self.file.write_text(text.replace(old, new))

    def add(self, text):
        self.file.write_text(self.file.read_text() + text)

    def reload(self, expected="configuration reloaded"):
        """SIGHUP; waits for the line that tells of its outcome, and returns what was logged meanwhile."""
        before = len(self.log())
        os.kill(self.pid, signal.SIGHUP)
        self.wait_until(lambda: expected in self.log()[before:], f"{expected!r} in the log")
        return self.log()[before:]


@pytest.fixture
def box(tmp_path, keep):
    return keep(Box(tmp_path / "box", broker='max-packet-size = "100KiB"')).start()


def test_a_reload_keeps_connections_and_changes_a_limit(box, connect):
    client = connect("stays", "5.0", at=box, keep_alive=60)
    client.subscribe("a", 1)
    client.publish("a", bytes(50_000), 1)
    client.receive()
    box.write('"100KiB"', '"20KiB"')
    assert "changed=[broker]" in box.reload().replace('"', "")
    client.publish("a", bytes(10_000), 1)
    assert client.receive().payload == bytes(10_000)
    client.start_publish("a", bytes(50_000), 1)
    assert client.wait_until_disconnected() == 0x95


def test_a_file_with_mistakes_changes_nothing_and_all_of_them_are_logged(box, connect):
    client = connect("stays", at=box)
    box.write('"100KiB"', '"20KiB"')
    box.write('name = "local"', 'name = "local"\nprot = 1')
    box.add('[[rule]]\nname = "r"\nsql = "SELEC"\ntopic = "t"\n')
    log = box.reload("the configuration stays as it was")
    assert "unknown key" in log and "martlet.toml:" in log and "mistakes=2" in log
    client.subscribe("a", 1)
    client.publish("a", bytes(50_000), 1)
    assert client.receive().payload == bytes(50_000)


def test_a_file_that_is_gone_changes_nothing(box, connect):
    client = connect("stays", at=box)
    box.file.rename(box.file.with_suffix(".away"))
    box.reload("the configuration stays as it was")
    client.subscribe("a", 1)
    client.publish("a", b"x", 1)
    assert client.receive().payload == b"x"


def test_a_listener_is_added(box, connect):
    client = connect("stays", at=box)
    port = free_port()
    box.add(f'[[listener]]\nname = "second"\nport = {port}\n')
    box.reload()
    assert answers_mqtt(port) and client.is_connected


def test_a_listener_is_removed_with_its_clients(box, connect, keep):
    port = free_port()
    second = f'[[listener]]\nname = "second"\nport = {port}\n'
    box.add(second)
    box.reload()
    stays = connect("stays", "5.0", at=box)
    goes = keep(Client(port, "5.0", "goes")).connect()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as silent:
        box.write(second, "")
        box.reload()
        assert goes.wait_until_disconnected() == 0x98
        assert silent.recv(1) == b""
    eventually(lambda: not answers_mqtt(port), "the port to be closed")
    stays.subscribe("a", 1)
    stays.publish("a", b"x", 1)
    assert stays.receive().payload == b"x"


def test_a_port_that_is_taken_leaves_everything_as_it_was(box, connect):
    client = connect("stays", "5.0", at=box)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        free = free_port()
        box.add(f'[[listener]]\nname = "free"\nport = {free}\n[[listener]]\nname = "taken"\nport = {taken.getsockname()[1]}\n')
        box.write('"100KiB"', '"20KiB"')
        box.reload("the configuration stays as it was")
    assert not answers_mqtt(free)
    client.subscribe("a", 1)
    client.publish("a", bytes(50_000), 1)
    client.receive()


def widen(box, address="0.0.0.0"):
    box.write('address = "127.0.0.1"', f'address = "{address}"\nallow-anonymous = true')
    box.add('[authentication]\ndefault-access = "allow"\n')


def takes(address, port):
    try:
        with socket.create_connection((address, port), timeout=10):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_a_listener_is_opened_to_all_addresses_and_keeps_its_clients(box, connect, address):
    client = connect("stays", "5.0", at=box, keep_alive=60)
    assert not takes("127.0.0.2", box.port)
    widen(box, address)
    assert "changed=[[listener]]" in box.reload().replace('"', "")
    assert takes("127.0.0.2", box.port)
    client.subscribe("a", 1)
    client.publish("a", b"x", 1)
    assert client.receive().payload == b"x"
    # It belongs to the listener that is there now: with that, it goes.
    other = free_port()
    box.write(f"port = {box.port}", f"port = {other}")
    box.reload()
    assert client.wait_until_disconnected() == 0x98
    assert not takes("127.0.0.1", box.port) and takes("127.0.0.2", other)


def test_a_listener_that_cannot_be_opened_to_all_addresses_stays_where_it_was(box, connect):
    client = connect("stays", "5.0", at=box, keep_alive=60)
    descriptors = open_sockets(box.pid)
    with socket.socket() as taken:
        taken.bind(("127.0.0.2", box.port))
        taken.listen()
        widen(box)
        box.write('"100KiB"', '"20KiB"')
        log = box.reload("the configuration stays as it was")
        assert f"0.0.0.0:{box.port} is taken by another process (see ss -ltnp)" in log
        assert answers_mqtt(box.port)
        client.subscribe("a", 1)
        client.publish("a", bytes(50_000), 1)
        assert client.receive().payload == bytes(50_000)
        eventually(lambda: open_sockets(box.pid) == descriptors, "no descriptor to be left")
    box.reload()
    assert takes("127.0.0.3", box.port) and client.is_connected


def test_a_listener_that_was_opened_to_all_addresses_goes_back_when_another_cannot_be_opened(box, connect):
    client = connect("stays", "5.0", at=box, keep_alive=60)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        widen(box)
        box.add(f'[[listener]]\nname = "taken"\nport = {taken.getsockname()[1]}\n')
        box.reload("the configuration stays as it was")
        assert answers_mqtt(box.port) and not takes("127.0.0.2", box.port)
        client.subscribe("a", 1)
        client.publish("a", b"x", 1)
        assert client.receive().payload == b"x"


def test_a_listener_that_is_closed_to_other_addresses_sends_its_clients_away(box, connect):
    widen(box)
    box.reload()
    client = connect("goes", "5.0", at=box, keep_alive=60)
    box.write('address = "0.0.0.0"', 'address = "127.0.0.1"')
    box.reload()
    assert client.wait_until_disconnected() == 0x98
    assert answers_mqtt(box.port) and not takes("127.0.0.2", box.port)


def test_whoever_has_sent_no_connect_to_a_listener_that_changes_has_to_come_again(box):
    with socket.create_connection(("127.0.0.1", box.port), timeout=10) as silent:
        # Another connection has been accepted after it.
        assert answers_mqtt(box.port)
        box.write('name = "local"', 'name = "local"\nallow-anonymous = false')
        box.reload()
        assert silent.recv(1) == b""


def test_a_socket_gets_another_mode_and_keeps_its_clients(box, tmp_path):
    path = tmp_path / "box" / "mqtt.sock"
    box.add(f'[[listener]]\nname = "programs"\ntransport = "unix"\npath = "{path}"\nsocket-mode = "0660"\n')
    box.reload()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(raw_mqtt.connect_packet("3.1.1", "programs"))
        assert connection.recv(4) == b"\x20\x02\x00\x00"
        box.write('"0660"', '"0600"')
        box.reload()
        assert path.stat().st_mode & 0o777 == 0o600
        connection.sendall(b"\xc0\x00")
        assert connection.recv(2) == b"\xd0\x00"


def test_the_log_level_changes_at_once(box, connect):
    box.write('log-level = "info"', 'log-level = "debug"')
    box.reload()
    connect("one", at=box)
    box.wait_until(lambda: "level=debug" in box.log(), "a line at level debug")
    box.write('log-level = "debug"', 'log-level = "notice"')
    box.reload()
    before = box.log()
    connect("two", at=box).drop()
    connect("three", at=box)
    assert "level=info" not in box.log()[len(before) :] and "level=debug" not in box.log()[len(before) :]


def test_rules_are_added_changed_and_removed(box, connect):
    client = connect(at=box)
    client.subscribe("out/#", 1)
    rule = '[[rule]]\nname = "r"\nsql = \'SELECT t FROM "in" WHERE t > 1\'\ntopic = "out/1"\nqos = 1\n'
    box.add(rule)
    box.reload()
    client.publish("in", b'{"t":5}', 1)
    assert client.receive().topic == "out/1"
    box.write("out/1", "out/2")
    box.reload()
    client.publish("in", b'{"t":5}', 1)
    assert client.receive().topic == "out/2"
    box.file.write_text(box.file.read_text().split("[[rule]]")[0])
    box.reload()
    client.publish("in", b'{"t":5}', 1)
    assert client.everything_before_a_marker() == []


def bridge(port, prefix):
    return f"""
[[bridge]]
name = "cloud"
host = "127.0.0.1"
port = {port}
client-identifier = "box"
reconnect-interval = "1s"
  [[bridge.forward]]
  filter = "up/#"
  prefix = "{prefix}"
"""


def test_a_bridge_is_added_changed_and_removed_without_a_loss(box, connect, mosquitto):
    upstream = mosquitto()
    far = connect("far", at=upstream, persistent=True)
    far.subscribe("+/up/#", 1)
    near = connect("near", at=box)
    box.add(bridge(upstream.port, "one/"))
    box.reload()
    near.publish("up/a", b"", 1)
    assert far.receive().topic == "one/up/a"
    upstream.terminate()
    near.publish("up/b", b"", 1)
    box.write('prefix = "one/"', 'prefix = "two/"')
    box.reload()
    near.publish("up/c", b"", 1)
    box.file.write_text(box.file.read_text().split("[[bridge]]")[0])
    box.reload()
    near.publish("up/while-there-is-no-bridge", b"", 1)
    box.add(bridge(upstream.port, "three/"))
    box.reload()
    near.publish("up/e", b"", 1)
    upstream.start()
    far = connect("far", at=upstream, persistent=True)
    topics = []
    while not topics or topics[-1] != "e":
        topic = far.receive().topic.rsplit("/", 1)[1]
        if topic not in topics:
            topics.append(topic)
    assert topics == ["b", "c", "e"]


def test_what_needs_a_restart_is_said(box):
    box.add('[cache]\nmax-age = "5d"\n')
    log = box.reload("changes that wait for the next start")
    assert "tables=[cache]" in log.replace('"', "")
    assert "changes that wait" in box.reload("changes that wait for the next start")


def test_metrics_are_opened_to_all_addresses_or_stay_where_they_were(box):
    port = free_port()
    box.add(f'[metrics]\nport = {port}\naddress = "127.0.0.1"\n# end\n')
    box.reload()
    box.write('address = "127.0.0.1"\n# end', 'address = "0.0.0.0"\nallow-anonymous = true\n# end')
    with socket.socket() as taken:
        taken.bind(("127.0.0.2", port))
        taken.listen()
        box.reload("the configuration stays as it was")
        assert b"200 OK" in get(port, "/metrics")
    box.reload()
    assert takes("127.0.0.3", port) and b"200 OK" in get(port, "/metrics")


def test_metrics_come_and_go(box):
    port = free_port()
    metrics = f"[metrics]\nport = {port}\n"
    box.add(metrics)
    box.reload()
    answers = lambda path: b"200 OK" in get(port, path)  # noqa: E731
    assert answers("/metrics")
    box.write(metrics, metrics + 'path = "/other"\n')
    box.reload()
    assert answers("/other") and not answers("/metrics")
    box.write(metrics + 'path = "/other"\n', "")
    box.reload()
    with pytest.raises(OSError):
        get(port, "/other")


def get(port, path):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = b""
        while part := connection.recv(65_536):
            answer += part
        return answer


def test_the_service_manager_is_told(tmp_path, keep):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(20)
        box = Box(tmp_path / "box")
        box._environment["NOTIFY_SOCKET"] = path
        keep(box).start()
        assert manager.recv(100) == b"READY=1"
        box.reload()
        assert manager.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert manager.recv(100) == b"READY=1"
        assert box.terminate() == 0
        assert manager.recv(100) == b"STOPPING=1"


def set_password(file, user, password):
    file.touch()
    subprocess.run(["mosquitto_passwd", "-b", file, user, password], check=True, capture_output=True)


def test_users_and_access_rules_change_with_the_connections_that_they_concern(tmp_path, keep):
    (tmp_path / "box").mkdir()
    users = tmp_path / "box" / "users"
    set_password(users, "ann", "a")
    set_password(users, "bob", "b")
    rules = '[[access-rule]]\naccess = "allow"\ntopic = "one"\n'
    box = keep(Box(tmp_path / "box", f'[authentication]\npassword-file = "users"\n{rules}')).start()
    ann = keep(Client(box.port, "5.0", "ann", user="ann", password="a")).connect()
    bob = keep(Client(box.port, "5.0", "bob", user="bob", password="b")).connect()
    assert ann.publish("two", b"", 1) == NOT_AUTHORIZED
    subprocess.run(["mosquitto_passwd", "-D", users, "bob"], check=True, capture_output=True)
    set_password(users, "eve", "e")
    box.write('topic = "one"', 'topic = "two"')
    box.reload()
    assert bob.wait_until_disconnected() == NOT_AUTHORIZED
    assert ann.publish("two", b"", 1) != NOT_AUTHORIZED
    assert ann.publish("one", b"", 1) == NOT_AUTHORIZED
    keep(Client(box.port, "5.0", "eve", user="eve", password="e")).connect()


def test_a_listener_with_another_name_keeps_its_clients(box, connect):
    client = connect("stays", "5.0", at=box)
    box.write('name = "local"', 'name = "renamed"')
    box.reload()
    # The next one does not know of the old name.
    box.reload()
    client.subscribe("a", 1)
    client.publish("a", b"x", 1)
    assert client.receive().payload == b"x"


def test_what_was_read_anew_is_named_though_the_file_is_the_same(tmp_path, keep):
    authority = Authority(tmp_path / "authority")
    server, client = authority.issue("server", host="box.test"), authority.issue("client")
    crl = authority.revoke()
    directory = tmp_path / "box"
    directory.mkdir()
    users, keys = directory / "users", directory / "keys"
    set_password(users, "ann", "a")
    keys.write_text("pump:00112233445566778899aabbccddeeff\n")
    box = keep(
        Box(
            directory,
            '[authentication]\npassword-file = "users"\n'
            f'[[listener]]\nname = "tls"\nport = {free_port()}\npsk-file = "keys"\nclient-certificate = "optional"\n'
            f'certificate-file = "{server.file}"\nkey-file = "{server.key}"\n'
            f'client-ca-file = "{authority.file}"\ncrl-file = "{crl}"\n',
        )
    ).start()

    def changed():
        line = next(line for line in box.reload().splitlines() if "configuration reloaded" in line)
        return line.split("changed=", 1)[1].replace("\\", "").replace('"', "").strip()

    assert changed() == "nothing"
    authority.issue("server", host="box.test")
    assert changed() == "certificates of listener tls"
    authority.revoke(client)
    assert changed() == "revocation list of listener tls"
    keys.write_text("fan:00112233445566778899aabbccddeeff\n")
    assert changed() == "shared keys of listener tls"
    set_password(users, "bob", "b")
    box.add('[[access-rule]]\naccess = "allow"\n')
    assert changed() == "[[access-rule]], password file"
