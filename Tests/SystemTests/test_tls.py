"""TLS: who is trusted, who is refused, shared keys, certificates that are wrong or renewed."""

import os
import shutil
import signal
import socket
import ssl
import subprocess

import pytest

from harness import raw_mqtt
from harness.broker import Martlet, run_martlet
from harness.certificates import Authority
from harness.mqtt_client import Client
from harness.ports import free_port
from harness.programs import lines_of, mosquitto_pub, mosquitto_sub, wait_subscribed
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority):
    return authority.issue("server", host="box.test")


def listener(port, *lines, name="secure"):
    return f'[[listener]]\nname = "{name}"\nport = {port}\n' + "\n".join(lines) + "\n"


def files(certificate):
    return f'certificate-file = "{certificate.file}"\nkey-file = "{certificate.key}"'


@pytest.fixture
def secure(tmp_path, keep, server):
    """`secure("…keys…")` starts a broker with a TLS listener; returns it and the listener's port."""

    def start(*lines):
        port = free_port()
        box = keep(Martlet(tmp_path / "box", listener(port, files(server), *lines))).start()
        # The listener that a start waits for is there a moment before this one.
        box.wait_until(lambda: "msg=running" in box.log(), "all listeners to be open")
        return box, port

    return start


def is_refused(port, context):
    """Whether TLS ends the connection before MQTT gets a word: in the handshake, or with TLS 1.3 at the first read."""
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as plain:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
                connection.sendall(raw_mqtt.connect_packet("3.1.1", "probe"))
                return connection.recv(1) != b"\x20"
    except (ssl.SSLError, ConnectionError):
        return True


def peer_name(port, context, host):
    """The common name of the certificate that the server shows to a client that asks for `host`."""
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        with context.wrap_socket(plain, server_hostname=host) as connection:
            subject = dict(part[0] for part in connection.getpeercert()["subject"])
            return subject["commonName"]


# Versions


@pytest.mark.parametrize("tls_version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_both_versions_of_tls_are_spoken(secure, authority, keep, tls_version):
    _, port = secure()
    context = authority.client_context()
    context.minimum_version = context.maximum_version = tls_version
    client = keep(Client(port, "5.0", "client", tls=context)).connect()
    client.subscribe("a", 1)
    client.publish("a", b"x" * 100_000, 1)
    assert client.receive().payload == b"x" * 100_000


def test_an_older_version_than_the_listeners_is_refused(secure, authority):
    _, port = secure('min-tls-version = "1.3"')
    context = authority.client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert is_refused(port, context)
    assert not is_refused(port, authority.client_context())


def test_a_client_that_does_not_trust_the_authority_ends_the_handshake(secure, tmp_path):
    _, port = secure()
    stranger = Authority(tmp_path / "other", "Another CA")
    assert is_refused(port, stranger.client_context())


def test_plain_mqtt_on_a_tls_port_is_closed(secure):
    _, port = secure()
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02ab" + bytes(200))
        answer = b""
        try:
            while piece := connection.recv(100):
                answer += piece
        except ConnectionError:
            pass
        assert not answer.startswith(b"\x20")


# Certificates of clients


@pytest.fixture
def mutual(secure, authority):
    def start(*lines):
        return secure('client-certificate = "required"', f'client-ca-file = "{authority.file}"', *lines)

    return start


def test_a_client_with_a_good_certificate_gets_in_and_others_do_not(mutual, authority, keep, tmp_path):
    broker, port = mutual()
    keep(Client(port, "5.0", "client", tls=authority.client_context(authority.issue("pump-7")))).connect()
    assert is_refused(port, authority.client_context())
    assert is_refused(port, authority.client_context(authority.issue("old", days=-1)))
    impostor = Authority(tmp_path / "other").issue("pump-7")
    assert is_refused(port, authority.client_context(impostor))
    assert "certificate" in broker.log()


def test_a_revoked_certificate_is_refused(mutual, authority, keep):
    good, bad = authority.issue("good"), authority.issue("bad")
    _, port = mutual(f'crl-file = "{authority.revoke(bad)}"')
    keep(Client(port, "5.0", "client", tls=authority.client_context(good))).connect()
    assert is_refused(port, authority.client_context(bad))


def test_an_optional_certificate_may_be_missing_but_not_be_wrong(secure, authority, keep, tmp_path):
    _, port = secure('client-certificate = "optional"', f'client-ca-file = "{authority.file}"')
    keep(Client(port, "5.0", "without", tls=authority.client_context())).connect()
    keep(Client(port, "5.0", "with", tls=authority.client_context(authority.issue("pump-8")))).connect()
    assert is_refused(port, authority.client_context(Authority(tmp_path / "other").issue("pump-8")))


# Names


def test_a_client_gets_the_certificate_of_the_host_that_it_asks_for(secure, authority):
    exact, wild = authority.issue("exact", host="one.example.com"), authority.issue("wild", host="*.example.org")
    _, port = secure(
        f'[[listener.server-name]]\nhost = "one.example.com"\n{files(exact)}',
        f'[[listener.server-name]]\nhost = "*.example.org"\n{files(wild)}',
    )
    context = authority.client_context()
    assert peer_name(port, context, "one.example.com") == "exact"
    assert peer_name(port, context, "any.example.org") == "wild"
    assert peer_name(port, context, "box.test") == "server"


# mosquitto's clients


def test_mosquitto_clients_over_tls(secure, authority, version):
    _, port = secure()
    options = ["--cafile", str(authority.file)]
    with mosquitto_sub(port, "a/#", 1, version=version, qos=1, options=options) as subscriber:
        wait_subscribed(subscriber)
        mosquitto_pub(port, "a/b", "x" * 5000, version=version, qos=1, options=options)
        assert lines_of(subscriber) == [["a/b", "1", "0", "x" * 5000]]


@pytest.fixture
def shared_key(tmp_path, keep):
    """A broker with a listener for shared keys; returns its port."""
    port = free_port()
    (tmp_path / "psk.txt").write_text("# pumps\npump-7:0123456789abcdef0123456789abcdef\n")
    keep(Martlet(tmp_path / "box", listener(port, f'psk-file = "{tmp_path / "psk.txt"}"', "user-from-psk = true"))).start()
    return port


def test_mosquitto_clients_over_tls_with_a_shared_key(shared_key, version):
    options = ["--psk-identity", "pump-7", "--psk", "0123456789abcdef0123456789abcdef"]
    with mosquitto_sub(shared_key, "a", 1, version=version, qos=1, options=options) as subscriber:
        wait_subscribed(subscriber)
        mosquitto_pub(shared_key, "a", "x", version=version, qos=1, options=options)
        assert [line[3] for line in lines_of(subscriber)] == ["x"]


@pytest.mark.parametrize("identity, key", [("pump-7", "00112233"), ("pump-8", "0123456789abcdef0123456789abcdef")])
def test_a_wrong_key_or_identity_is_refused(shared_key, identity, key):
    with pytest.raises(subprocess.CalledProcessError):
        mosquitto_pub(shared_key, "a", "x", options=["--psk-identity", identity, "--psk", key])


# Certificates of the server that cannot be used


def refusal(tmp_path, *lines):
    """What `martlet run` and `martlet check` say, which is the same."""
    broker = Martlet(tmp_path / "box", listener(free_port(), *lines))
    results = [run_martlet(command, broker.file) for command in ("check", "run")]
    assert all(result.returncode != 0 for result in results)
    first, second = (result.stderr + result.stdout for result in results)
    assert f"{broker.file}:" in first and f"{broker.file}:" in second
    return first


def test_an_expired_certificate_is_refused_at_the_start(tmp_path, authority):
    old = authority.issue("old-server", host="box.test", days=-1)
    text = refusal(tmp_path, files(old))
    assert "expired" in text and str(old.file) in text


def test_a_key_of_another_certificate_is_refused_at_the_start(tmp_path, authority, server):
    other = authority.issue("other", host="other.test")
    text = refusal(tmp_path, f'certificate-file = "{server.file}"\nkey-file = "{other.key}"')
    assert str(other.key) in text or str(server.file) in text


@pytest.mark.parametrize("key", ["certificate-file", "key-file", "client-ca-file", "psk-file"])
def test_a_missing_file_is_refused_at_the_start_at_its_place(tmp_path, authority, server, key):
    named = {"certificate-file": server.file, "key-file": server.key, "client-ca-file": authority.file}
    if key == "psk-file":
        named = {}
    named[key] = tmp_path / "missing"
    lines = [f'{key} = "{path}"' for key, path in named.items()]
    if named.get("client-ca-file"):
        lines.append('client-certificate = "required"')
    text = refusal(tmp_path, *lines)
    assert str(tmp_path / "missing") in text
    number = (tmp_path / "box" / "martlet.toml").read_text().splitlines().index(f'{key} = "{tmp_path / "missing"}"') + 1
    assert f"martlet.toml:{number}:" in text


# Renewal


def test_new_certificates_are_taken_in_while_connections_go_on(tmp_path, keep, authority, server):
    port = free_port()
    folder = tmp_path / "certificates"
    folder.mkdir()

    def install(certificate):
        shutil.copy(certificate.file, folder / "server.crt")
        shutil.copy(certificate.key, folder / "server.key")

    install(server)
    keys = f'certificate-file = "{folder / "server.crt"}"\nkey-file = "{folder / "server.key"}"'
    broker = keep(Martlet(tmp_path / "box", listener(port, keys))).start()
    context = authority.client_context()
    client = keep(Client(port, "5.0", "client", tls=context)).connect()
    client.subscribe("a", 1)
    install(authority.issue("renewed", host="box.test"))
    os.kill(broker.pid, signal.SIGHUP)
    eventually(lambda: peer_name(port, context, "box.test") == "renewed", "the new certificate")
    # What cannot be used changes nothing.
    shutil.copy(server.key, folder / "server.key")
    os.kill(broker.pid, signal.SIGHUP)
    eventually(lambda: "the configuration stays as it was" in broker.log(), "the refusal in the log")
    client.publish("a", b"x", 1)
    assert client.receive().payload == b"x"
    assert peer_name(port, context, "box.test") == "renewed"
    assert client.is_connected


def check(directory, keys):
    file = directory / "martlet.toml"
    file.write_text(f'[[listener]]\nname = "tls"\n{keys}')
    return run_martlet("check", file)


def test_check_warns_of_what_should_be_mended_at_its_place(tmp_path):
    authority = Authority(tmp_path / "authority")
    server = authority.issue("server", host="box.test", days=7)
    server.key.chmod(0o644)
    done = check(tmp_path, f'certificate-file = "{server.file}"\nkey-file = "{server.key}"\n')
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 2, done.stderr
    assert ":3:20: warning: " in lines[0] and lines[0].endswith("expires in 6 days: renew it")
    assert ":4:12: warning: " in lines[1] and "chmod 600" in lines[1]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ('ciphers = "ECDHE+AESGCM:FOO"', ":5:11: ciphers: cipher FOO is not known"),
        ('min-tls-version = "1.2"\ncipher-suites = "TLS_FOO"', ":6:17: cipher-suites: cipher suite TLS_FOO is not known"),
    ],
)
def test_check_tells_of_a_cipher_at_its_key(tmp_path, keys, expected):
    server = Authority(tmp_path / "authority").issue("server", host="box.test")
    done = check(tmp_path, f'certificate-file = "{server.file}"\nkey-file = "{server.key}"\n{keys}\n')
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert expected in line


def test_a_mistake_is_told_once_and_at_the_start_as_by_check(tmp_path):
    authority = Authority(tmp_path / "authority")
    server, other = authority.issue("server", host="box.test"), authority.issue("other")
    certificate, key = f'certificate-file = "{server.file}"\n', f'key-file = "{server.key}"\n'
    for keys, expected in [
        (certificate, 'needs the key "key-file"'),
        (certificate + key + 'crl-file = "c"\n', "crl-file has a meaning only"),
        (certificate + key + 'client-certificate = "required"\n', 'needs the key "client-ca-file"'),
        (certificate + 'key-file = "missing"\n', "missing: cannot be opened"),
        (certificate + f'key-file = "{other.key}"\n', "is not the key of the certificate"),
    ]:
        done = check(tmp_path, keys)
        assert done.returncode != 0
        (line,) = done.stderr.splitlines()
        assert expected in line
        started = run_martlet("run", tmp_path / "martlet.toml")
        assert started.returncode != 0 and line in started.stderr
