"""The bridge over every transport to a real mosquitto, and what it says when one does not work."""

import shutil

import pytest

from harness.broker import run_martlet
from harness.certificates import Authority
from harness.mqtt_client import Client
from harness.ports import free_port
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only

KEY = "6c1f0b0f5a3d4d2a8f0e7b9c2d1e3f40"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority):
    return authority.issue("server", host="localhost")


@pytest.fixture(scope="module")
def own(authority):
    return authority.issue("box-1")


@pytest.fixture
def box(martlet):
    """`box(port, transport, *lines, keys=…)` starts Martlet with a bridge; lines are those of [bridge.tls]."""
    return lambda *arguments, **options: martlet(bridge(*arguments, **options))


def bridge(port, transport, *lines, host="127.0.0.1", keys=""):
    tls = "\n".join(["[bridge.tls]", *lines]) if lines else ""
    return f"""
[[bridge]]
name = "cloud"
host = "{host}"
port = {port}
transport = "{transport}"
client-identifier = "box-1"
{keys}
[[bridge.forward]]
filter = "up/#"
[[bridge.receive]]
filter = "down/#"
{tls}
"""


def secured(certificate, *lines):
    """A listener of mosquitto with TLS. Returns its port and its lines."""
    port = free_port()
    files = [f"certfile {certificate.file}", f"keyfile {certificate.key}"] if certificate else []
    return port, "\n".join([f"listener {port} 127.0.0.1", *files, *lines])


def carries(box, upstream, connect, keep):
    """Whether messages pass both ways, large ones too."""
    cloud = keep(Client(upstream.port, "3.1.1", "cloud")).connect()
    cloud.subscribe("up/#", 1)
    client = connect(at=box)
    client.subscribe("down/#", 1)
    eventually(lambda: "box-1 1 down/#" in upstream.log(), "the bridge's subscription")
    content = bytes(range(256)) * 1200
    client.publish("up/a", content, 1)
    assert cloud.receive().payload == content
    cloud.publish("down/a", content, 1)
    assert client.receive().payload == content
    return True


def error_of(box):
    """The bridge's last error, as its log has it."""
    lines = eventually(
        lambda: [line for line in box.log().splitlines() if "not connected" in line], "an attempt that failed"
    )
    return lines[0]


@pytest.mark.parametrize("version", ["3.1.1", "5.0"])
@pytest.mark.parametrize("transport", ["tcp", "tls", "tls-1.3", "mtls", "psk", "websocket", "wss"])
def test_messages_pass_both_ways(transport, version, mosquitto, box, connect, keep, authority, server, own, tmp_path):
    trust = f'ca-file = "{authority.file}"'
    keys = f'protocol = "{version}"'
    lines, kind, options = [], transport, ""
    port = None
    if transport in ("tls", "tls-1.3"):
        port, options = secured(server)
        lines, kind = [trust] + (['min-version = "1.3"'] if transport == "tls-1.3" else []), "tls"
    elif transport == "mtls":
        port, options = secured(server, f"cafile {authority.file}", "require_certificate true")
        lines = [trust, f'certificate-file = "{own.file}"', f'key-file = "{own.key}"']
        kind = "tls"
    elif transport == "psk":
        secret = tmp_path / "keys.psk"
        secret.write_text(f"other:{'00' * 16}\nbox:{KEY}\n")
        port, options = secured(None, "psk_hint upstream", f"psk_file {secret}")
        lines, kind = [f'psk-file = "{secret}"', 'psk-identity = "box"'], "tls"
    elif transport == "websocket":
        port, options = secured(None, "protocol websockets")
    elif transport == "wss":
        port, options = secured(server, "protocol websockets")
        lines = [trust]
    upstream = mosquitto(options=options, log="log_type all\nallow_anonymous true")
    assert carries(box(port or upstream.port, kind, *lines, keys=keys), upstream, connect, keep)


def test_the_name_is_that_of_the_host_or_the_one_that_is_said(mosquitto, box, connect, keep, authority):
    port, options = secured(authority.issue("elsewhere", alternatives="DNS:broker.test"))
    upstream = mosquitto(options=options)
    assert carries(
        box(port, "tls", f'ca-file = "{authority.file}"', 'server-name = "broker.test"'), upstream, connect, keep
    )


def test_a_certificate_of_another_name_is_refused_in_words(mosquitto, box, authority):
    port, options = secured(authority.issue("elsewhere", alternatives="DNS:broker.test"))
    mosquitto(options=options)
    said = error_of(box(port, "tls", f'ca-file = "{authority.file}"'))
    assert "the name does not match" in said and "is for broker.test, not for 127.0.0.1" in said


def test_an_expired_certificate_is_refused_in_words(mosquitto, box, authority):
    port, options = secured(authority.issue("old", host="localhost", days=-1))
    mosquitto(options=options)
    said = error_of(box(port, "tls", f'ca-file = "{authority.file}"'))
    assert "the server's certificate CN=old has expired at" in said


def test_a_certificate_of_an_unknown_authority_is_refused_in_words(mosquitto, box, server, tmp_path):
    port, options = secured(server)
    mosquitto(options=options)
    other = Authority(tmp_path / "other", "Other CA")
    said = error_of(box(port, "tls", f'ca-file = "{other.file}"'))
    assert "comes from an authority that is not trusted here, CN=Test CA" in said


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_client_certificate_that_is_wanted_and_missing_is_said_in_words(mosquitto, box, authority, server, version):
    port, options = secured(server, f"cafile {authority.file}", "require_certificate true", f"tls_version tlsv{version}")
    mosquitto(options=options)
    assert "the server wants a client certificate" in error_of(box(port, "tls", f'ca-file = "{authority.file}"'))


def test_a_port_without_tls_is_said_in_words(mosquitto, box, authority):
    upstream = mosquitto()
    said = error_of(box(upstream.port, "tls", f'ca-file = "{authority.file}"'))
    assert "TLS handshake failed" in said


def test_a_wrong_shared_key_is_refused(mosquitto, box, tmp_path):
    secret, wrong = tmp_path / "keys.psk", tmp_path / "wrong.psk"
    secret.write_text(f"box:{KEY}\n")
    wrong.write_text(f"box:{'11' * 16}\n")
    port, options = secured(None, "psk_hint upstream", f"psk_file {secret}")
    mosquitto(options=options)
    said = error_of(box(port, "tls", f'psk-file = "{wrong}"', 'psk-identity = "box"'))
    assert "TLS handshake failed" in said


def test_verification_is_switched_off_only_loudly(mosquitto, box, connect, keep, authority, tmp_path):
    port, options = secured(authority.issue("old", alternatives="DNS:broker.test", days=-1))
    upstream = mosquitto(options=options)
    started = box(port, "tls", "insecure-no-verification = true")
    assert carries(started, upstream, connect, keep)
    assert "TLS without verification" in started.log()


def test_a_renewed_authority_needs_no_restart(mosquitto, box, connect, keep, authority, server, tmp_path):
    port, options = secured(server)
    upstream = mosquitto(options=options)
    trusted = tmp_path / "trusted.pem"
    shutil.copy(Authority(tmp_path / "other").file, trusted)
    started = box(port, "tls", f'ca-file = "{trusted}"')
    assert "not trusted" in error_of(started)
    shutil.copy(authority.file, trusted)
    assert carries(started, upstream, connect, keep)


def test_a_renewed_password_needs_no_restart_and_is_in_no_log(mosquitto, martlet, keep, tmp_path):
    upstream = mosquitto(users={"box": "box-secret"})
    secret = tmp_path / "password"
    secret.write_text("wrong-secret\n")
    secret.chmod(0o600)
    keys = f'user-name = "box"\npassword-file = "{secret}"'
    started = martlet(bridge(upstream.port, "tcp", keys=keys), log_level="trace")
    eventually(lambda: "not authorised" in upstream.log(), "a refused connection")
    secret.write_text("box-secret\n")
    eventually(lambda: "box-1 1 down/#" in upstream.log(), "the bridge's subscription")
    assert "secret" not in started.log()


def test_a_file_that_is_gone_is_named_in_the_last_error(mosquitto, box, tmp_path, authority, server):
    port, options = secured(server)
    upstream = mosquitto(options=options)
    trusted = tmp_path / "trusted.pem"
    shutil.copy(authority.file, trusted)
    started = box(port, "tls", f'ca-file = "{trusted}"')
    eventually(lambda: "box-1 1 down/#" in upstream.log(), "the bridge's subscription")
    trusted.unlink()
    upstream.kill()
    eventually(lambda: "not connected" in started.log(), "the lost connection")
    upstream.start()
    eventually(lambda: f"{trusted}: cannot be opened" in started.log(), "the file's name", 40)


def check(tmp_path, text):
    file = tmp_path / "martlet.toml"
    file.write_text(text.lstrip())
    return run_martlet("check", file)


def test_check_refuses_certificates_that_cannot_be_used_at_their_place(tmp_path, authority, server):
    old = authority.issue("worn", days=-1)
    result = check(tmp_path, bridge(1, "tls", f'certificate-file = "{old.file}"', f'key-file = "{old.key}"'))
    assert result.returncode == 1
    line = next(n for n, text in enumerate((tmp_path / "martlet.toml").read_text().splitlines(), 1) if "certificate-file" in text)
    assert f"martlet.toml:{line}:20: " in result.stderr and "has expired at" in result.stderr
    result = check(tmp_path, bridge(1, "tls", f'certificate-file = "{server.file}"', f'key-file = "{old.key}"'))
    assert f"martlet.toml:{line + 1}:12: " in result.stderr and "is not the key of the certificate" in result.stderr
