"""`martlet pub` and `martlet sub` over every transport, with Martlet and with mosquitto at the other end."""

import subprocess

import pytest

from harness.broker import Martlet, Mosquitto, run_martlet
from harness.martlet_client import Subscriber, at, pub, published
from harness.ports import free_port
from harness.programs import mosquitto_pub

pytestmark = pytest.mark.martlet_only

KEY = "0123456789abcdef0123456789abcdef"


def openssl(*arguments):
    subprocess.run(["openssl", *(str(argument) for argument in arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A folder with an authority, a server's and a client's certificate, and another authority that nobody trusts."""
    folder = tmp_path_factory.mktemp("certificates")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for name in ("ca", "other"):
        openssl(
            "req", "-x509", *new_key, "-days", 2, "-subj", f"/CN={name}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"
        )
    for name in ("server", "client"):
        openssl("req", *new_key, "-subj", f"/CN={name}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr")
        (folder / f"{name}.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl(
            "x509", "-req", "-days", 2, "-in", folder / f"{name}.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
            "-CAcreateserial", "-extfile", folder / f"{name}.ext", "-out", folder / f"{name}.pem",
        )
    return folder


class Transports:
    """A broker that listens in every way."""

    def __init__(self, kind, folder, certificates):
        self.certificates = certificates
        self.ports = {name: free_port() for name in ("ws", "tls", "mtls", "wss", "psk")}
        self.socket = folder / "socket"
        self.keys = folder / "keys"
        self.keys.write_text(f"box:{KEY}\n")
        self.broker = self._martlet(folder) if kind == "martlet" else self._mosquitto(folder)

    def _mosquitto(self, folder):
        secure = [f"certfile {self.certificates}/server.pem", f"keyfile {self.certificates}/server.key"]
        listeners = {
            "ws": ["protocol websockets"],
            "tls": secure,
            "mtls": [*secure, f"cafile {self.certificates}/ca.pem", "require_certificate true"],
            "wss": ["protocol websockets", *secure],
            "psk": ["psk_hint hint"],
        }
        options = [f"psk_file {self.keys}"]
        for name, lines in listeners.items():
            options += [f"listener {self.ports[name]} 127.0.0.1", *lines]
        options += [f"listener 0 {self.socket}"]
        return Mosquitto(folder, options="\n".join(options))

    def _martlet(self, folder):
        secure = [f'certificate-file = "{self.certificates}/server.pem"', f'key-file = "{self.certificates}/server.key"']
        listeners = {
            "ws": ['transport = "websocket"'],
            "tls": secure,
            "mtls": [*secure, 'client-certificate = "required"', f'client-ca-file = "{self.certificates}/ca.pem"'],
            "wss": ['transport = "websocket"', *secure],
            "psk": [f'psk-file = "{self.keys}"'],
        }
        tables = []
        for name, lines in listeners.items():
            tables += ["[[listener]]", f'name = "{name}"', f"port = {self.ports[name]}", *lines]
        tables += ["[[listener]]", 'name = "unix"', 'transport = "unix"', f'path = "{self.socket}"']
        return Martlet(folder, "\n".join(tables))

    def options(self, transport):
        """What leads to the broker."""
        authority = ["--cafile", self.certificates / "ca.pem"]
        own = ["--cert", self.certificates / "client.pem", "--key", self.certificates / "client.key"]
        local = {name: at(port) for name, port in self.ports.items()}
        return {
            "unix": ["--unix", self.socket],
            "ws": ["--ws", *local["ws"]],
            "ws-url": ["-L", f"ws://127.0.0.1:{self.ports['ws']}/mqtt"],
            "tls": [*local["tls"], *authority],
            "tls-1.2": [*local["tls"], *authority, "--tls-version", "tlsv1.2"],
            "tls-name": ["-h", "localhost", "-p", self.ports["tls"], *authority],
            "mtls": [*local["mtls"], *authority, *own],
            "wss": ["-L", f"wss://127.0.0.1:{self.ports['wss']}/mqtt", *authority],
            "psk": [*local["psk"], "--psk", KEY, "--psk-identity", "box"],
        }[transport]


@pytest.fixture(scope="module", params=["martlet", "mosquitto"])
def transports(request, tmp_path_factory, certificates):
    made = Transports(request.param, tmp_path_factory.mktemp("transports"), certificates)
    made.broker.start()
    yield made
    made.broker.forget()


@pytest.mark.parametrize("transport", ["unix", "ws", "ws-url", "tls", "tls-1.2", "tls-name", "mtls", "wss", "psk"])
def test_messages_come_and_go(transports, transport, root, tmp_path, keep):
    port = transports.broker.port
    subscriber = keep(Subscriber(tmp_path, *transports.options(transport), "-t", f"{root}/#", "-q", 1, "-C", 2, "-v"))
    subscriber.wait_for("subscribed to")
    mosquitto_pub(port, f"{root}/in", "from mosquitto", qos=1)
    published(*transports.options(transport), "-t", f"{root}/out", "-m", "from pub", "-q", 2)
    assert subscriber.messages() == [f"{root}/in from mosquitto", f"{root}/out from pub"]


@pytest.mark.parametrize("transport", ["unix", "ws", "tls", "wss", "psk"])
def test_a_large_message_arrives_byte_for_byte(transports, transport, root, tmp_path, keep):
    content = bytes(range(256)) * 1200
    (tmp_path / "content").write_bytes(content)
    subscriber = keep(Subscriber(tmp_path, *transports.options(transport), "-t", root, "-C", 1, "-N"))
    subscriber.wait_for("subscribed to")
    published(*transports.options(transport), "-t", root, "-f", tmp_path / "content")
    assert subscriber.result() == (0, content)


def refused(*arguments):
    result = pub(*arguments, "-t", "t", "-m", "x", "--connect-timeout", 5)
    assert result.returncode == 1
    return result.stderr.decode()


def test_a_certificate_of_an_unknown_authority_is_refused(transports, certificates):
    said = refused(*at(transports.ports["tls"]), "--cafile", certificates / "other.pem")
    assert "TLS handshake failed" in said


def test_a_certificate_for_another_host_is_refused_unless_that_is_wanted(certificates, tmp_path, keep):
    port = free_port()
    secure = f"certfile {certificates}/server.pem\nkeyfile {certificates}/server.key"
    # All of 127.0.0.0/8 is this machine; the certificate is for 127.0.0.1.
    keep(Mosquitto(tmp_path / "elsewhere", options=f"listener {port} 127.0.0.2\n{secure}")).start()
    elsewhere = ["-h", "127.0.0.2", "-p", port, "--cafile", certificates / "ca.pem"]
    assert "TLS handshake failed" in refused(*elsewhere)
    published(*elsewhere, "--insecure", "-t", "t", "-m", "x")


def test_a_client_without_a_certificate_is_refused_where_one_is_required(transports, certificates):
    refused(*at(transports.ports["mtls"]), "--cafile", certificates / "ca.pem")


def test_a_wrong_key_is_refused(transports):
    refused(*at(transports.ports["psk"]), "--psk", "00" * 16, "--psk-identity", "box")


def test_a_missing_file_is_named(transports, tmp_path):
    said = refused(*at(transports.ports["tls"]), "--cafile", tmp_path / "none.pem")
    assert "none.pem" in said


def test_a_broker_without_tls_is_no_broker_with_it(transports, certificates):
    refused(*at(transports.broker.port), "--cafile", certificates / "ca.pem")


def test_a_web_server_that_has_no_websocket_says_so(transports):
    said = refused("--ws", *at(transports.broker.port))
    assert "WebSocket handshake" in said


def test_the_bench_goes_over_tls(transports, certificates):
    options = transports.options("tls")
    result = run_martlet("bench", "pairs", *options, "--publishers", 3, "--messages", 50, "--qos", 1)
    assert result.returncode == 0, result.stderr
