"""What an idle TLS connection costs."""

import socket
import ssl

import pytest

from harness import raw_mqtt
from harness.broker import Martlet
from harness.certificates import Authority
from harness.ports import free_port

pytestmark = pytest.mark.martlet_only

WARM_UP = 50
CONNECTIONS = 400


def resident(pid):
    """Bytes."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


def connect(port, context, number):
    plain = socket.create_connection(("127.0.0.1", port), 20)
    connection = context.wrap_socket(plain, server_hostname="box.test")
    connection.sendall(raw_mqtt.connect_packet("3.1.1", f"idle-{number}"))
    assert connection.recv(4) == b"\x20\x02\x00\x00"
    return connection


@pytest.mark.parametrize("tls_version", ["TLSv1_2", "TLSv1_3"])
def test_an_idle_connection_keeps_no_buffers(tmp_path, keep, tls_version):
    authority = Authority(tmp_path / "authority")
    server = authority.issue("server", host="box.test")
    port = free_port()
    secure = f"""[[listener]]
name = "secure"
port = {port}
certificate-file = "{server.file}"
key-file = "{server.key}"
"""
    box = keep(Martlet(tmp_path / "box", secure, log_level="warning")).start()
    context = authority.client_context()
    context.minimum_version = context.maximum_version = ssl.TLSVersion[tls_version]
    kept = [connect(port, context, number) for number in range(WARM_UP)]
    before = resident(box.pid)
    kept += [connect(port, context, WARM_UP + number) for number in range(CONNECTIONS)]
    each = (resident(box.pid) - before) / CONNECTIONS
    print(f"{each / 1024:.1f} KiB for each idle connection of {tls_version}")
    assert each <= 24 * 1024
    for connection in kept:
        connection.close()
