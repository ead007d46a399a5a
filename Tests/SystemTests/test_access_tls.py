"""Users that TLS knows: by their certificates, and by the keys that they share with the broker."""

import subprocess

import pytest

from harness.broker import Martlet, run_martlet
from harness.certificates import Authority
from harness.mqtt_client import Client
from harness.ports import free_port
from harness.programs import mosquitto_pub

pytestmark = pytest.mark.martlet_only

OWN = '[[access-rule]]\naccess = "allow"\ntopic = "own/%u/#"\n[[access-rule]]\naccess = "allow"\nlistener = "local"\n'
NOT_AUTHORIZED = 135


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority):
    return authority.issue("server", host="box.test")


@pytest.fixture
def secure(tmp_path, keep):
    """`secure("…keys…")` starts a broker with another listener, "secure"; returns it and that listener's port."""

    def start(keys, rules=OWN):
        port = free_port()
        listener = f'[[listener]]\nname = "secure"\nport = {port}\n{keys}\n'
        return keep(Martlet(tmp_path / "box", listener + rules)).start(), port

    return start


@pytest.mark.parametrize(
    ("kind", "name"),
    [("common-name", "pump"), ("subject", "CN=pump,O=Works"), ("san-dns", "pump.works"), ("san-uri", "urn:works:pump")],
)
def test_a_certificate_gives_its_user(secure, authority, server, keep, kind, name):
    pump = authority.issue("pump", subject="/O=Works/CN=pump", alternatives="DNS:pump.works,URI:urn:works:pump")
    broker, port = secure(
        f'certificate-file = "{server.file}"\nkey-file = "{server.key}"\nclient-certificate = "required"\n'
        f'client-ca-file = "{authority.file}"\nuser-from-certificate = "{kind}"'
    )
    watcher = keep(Client(broker.port, "5.0", "watcher")).connect()
    watcher.subscribe("#", 1)
    # The name of the CONNECT does not count.
    client = keep(Client(port, "5.0", "c", user="root", password="x", tls=authority.client_context(pump))).connect()
    assert client.publish(f"own/{name}/a", b"x", 1).value == 0
    assert client.publish("own/root/a", b"x", 1).value == NOT_AUTHORIZED
    assert [m.topic for m in watcher.everything_before_a_marker()] == [f"own/{name}/a"]


def test_a_certificate_without_the_name_is_refused(secure, authority, server):
    plain = authority.issue("plain")
    _, port = secure(
        f'certificate-file = "{server.file}"\nkey-file = "{server.key}"\nclient-certificate = "required"\n'
        f'client-ca-file = "{authority.file}"\nuser-from-certificate = "san-email"'
    )
    client = Client(port, "5.0", "c", tls=authority.client_context(plain))
    client.connect(expected=NOT_AUTHORIZED)
    client.drop()


def test_a_shared_key_gives_its_user(secure, tmp_path, keep):
    keys = tmp_path / "keys"
    keys.write_text("pump:00112233445566778899aabbccddeeff\n")
    broker, port = secure(f'psk-file = "{keys}"\nuser-from-psk = true')
    watcher = keep(Client(broker.port, "5.0", "watcher")).connect()
    watcher.subscribe("#", 1)
    options = ["--psk", "00112233445566778899aabbccddeeff", "--psk-identity", "pump"]
    mosquitto_pub(port, "own/pump/a", "x", version="5.0", qos=1, options=options)
    mosquitto_pub(port, "own/other/a", "x", version="5.0", qos=1, options=options)
    assert [m.topic for m in watcher.everything_before_a_marker()] == ["own/pump/a"]


def with_users(directory, *users):
    (directory / "box").mkdir()
    for user in users:
        made = run_martlet("passwd", "-b", f"{user}-secret", directory / "box" / "users", user)
        assert made.returncode == 0, made.stderr
    return 'password-file = "users"\nrequire-password = true\n'


def mutual(authority, server):
    return (
        f'certificate-file = "{server.file}"\nkey-file = "{server.key}"\nclient-certificate = "required"\n'
        f'client-ca-file = "{authority.file}"\n'
    )


def test_a_certificate_and_a_password_are_both_required_and_the_user_is_that_of_the_password(
    secure, authority, server, keep, tmp_path
):
    door = authority.client_context(authority.issue("door"))
    _, port = secure(mutual(authority, server) + with_users(tmp_path, "pump"))
    client = keep(Client(port, "5.0", "c", user="pump", password="pump-secret", tls=door)).connect()
    assert client.publish("own/pump/a", b"x", 1).value in (0, 16)
    assert client.publish("own/door/a", b"x", 1).value == NOT_AUTHORIZED
    keep(Client(port, "5.0", "none", tls=door)).connect(expected=NOT_AUTHORIZED)
    keep(Client(port, "5.0", "wrong", user="pump", password="x", tls=door)).connect(expected=134)
    without = keep(Client(port, "5.0", "no-certificate", user="pump", password="pump-secret", tls=authority.client_context()))
    with pytest.raises((OSError, AssertionError), match="certificate required|ended before its CONNACK"):
        without.connect()


def test_with_the_name_of_the_certificate_the_password_has_to_be_of_the_same_user(secure, authority, server, keep, tmp_path):
    pump = authority.client_context(authority.issue("pump"))
    broker, port = secure(
        mutual(authority, server) + 'user-from-certificate = "common-name"\n' + with_users(tmp_path, "pump", "fan")
    )
    keep(Client(port, "5.0", "c", user="pump", password="pump-secret", tls=pump)).connect()
    keep(Client(port, "5.0", "d", user="fan", password="fan-secret", tls=pump)).connect(expected=NOT_AUTHORIZED)
    broker.wait_until(lambda: "the password is that of" in broker.log(), "the reason in the log")


def test_a_shared_key_and_a_password_are_both_required(secure, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("door:00112233445566778899aabbccddeeff\n")
    _, port = secure(f'psk-file = "{keys}"\n' + with_users(tmp_path, "pump"))
    options = ["--psk", "00112233445566778899aabbccddeeff", "--psk-identity", "door"]
    mosquitto_pub(port, "own/pump/a", "x", qos=1, options=[*options, "-u", "pump", "-P", "pump-secret"])
    with pytest.raises(subprocess.CalledProcessError) as failure:
        mosquitto_pub(port, "own/pump/a", "x", qos=1, options=options)
    # What CONNACK said: Not authorized.
    assert failure.value.returncode == 5
