"""`[metrics]`: the page that Prometheus scrapes, read with Prometheus' own parser."""

import http.client
import socket
import subprocess
import time

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from harness.broker import Martlet, run_martlet
from harness.ports import free_port
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only

RULE = """
[[rule]]
name = "hot"
sql = 'SELECT t FROM "temp" WHERE t > 50'
topic = "hot"
"""


class Box(Martlet):
    def __init__(self, directory, configuration="", **options):
        self.metrics_port = free_port()
        super().__init__(directory, f"[metrics]\nport = {self.metrics_port}\n{configuration}", **options)

    def wait(self):
        """Until the metrics are there too, which are opened after the listeners."""
        super().wait()
        self.wait_until(lambda: "msg=running" in self.log(), "everything to be open")
        return self

    def get(self, path="/metrics", method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=10)
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response, body.decode()

    def families(self):
        return {family.name: family for family in text_string_to_metric_families(self.get()[1])}

    def value(self, name, **labels):
        """The value of a sample."""
        for family in self.families().values():
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return None


@pytest.fixture
def box(tmp_path, keep):
    return keep(Box(tmp_path / "box", RULE)).start()


def test_the_page_is_openmetrics_and_describes_itself(box):
    response, text = box.get()
    assert response.status == 200
    assert response.getheader("Content-Type") == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert text.endswith("# EOF\n")
    families = box.families()
    assert len(families) > 40
    for family in families.values():
        assert family.documentation and family.type in ("counter", "gauge", "histogram", "info"), family.name
        assert not family.unit or family.name.endswith(family.unit)


def test_messages_are_counted(box, connect):
    client = connect(at=box)
    client.subscribe("temp", 1)
    for _ in range(7):
        client.publish("temp", b'{"t":60}', 1)
    client.publish("temp", b'{"t":10}', 0)
    client.receive_many(8)
    assert box.value("martlet_mqtt_messages_received_total", qos="1") == 7
    eventually(lambda: box.value("martlet_mqtt_messages_sent_total", qos="0") == 1, "the QoS 0 message")
    assert box.value("martlet_mqtt_payload_received_bytes_total") == 64
    assert box.value("martlet_rule_matches_total", rule="hot") == 7
    assert box.value("martlet_mqtt_clients") == 1
    assert box.value("martlet_mqtt_listener_connections", listener="local") == 1
    assert box.value("martlet_mqtt_subscriptions") == 1


def test_ends_of_connections_are_counted_with_their_reason(box, connect):
    client = connect("a", "5.0", at=box)
    connect("a", "5.0", at=box).disconnect()
    client.wait_until_disconnected()
    ended = lambda reason: box.value("martlet_mqtt_disconnects_total", by="client", reason=reason)  # noqa: E731
    eventually(lambda: ended("normal") == 1, "the end by the client")
    assert ended("disconnect-with-will") == 0
    assert box.value("martlet_mqtt_disconnects_total", by="broker", reason="session-taken-over") == 1


def test_commits_are_timed(box, connect):
    connect(at=box, persistent=True).subscribe("a", 1)
    assert box.value("martlet_store_commit_duration_seconds_count") >= 1
    assert box.value("martlet_store_commit_duration_seconds_bucket", le="+Inf") >= 1
    assert box.value("martlet_store_failing") == 0


def test_the_process_is_measured(box):
    assert 4e6 < box.value("process_resident_memory_bytes") < 1e9
    assert 5 < box.value("process_open_fds") < box.value("process_max_fds")
    assert 0 < box.value("process_cpu_seconds_total") < 60
    assert abs(box.value("process_start_time_seconds") - time.time()) < 60


def test_curl_reads_it_and_other_paths_and_methods_are_refused(box):
    url = f"http://127.0.0.1:{box.metrics_port}"
    run = subprocess.run(["curl", "-sS", "-f", f"{url}/metrics"], capture_output=True, text=True, timeout=20)
    assert run.returncode == 0 and "martlet_mqtt_clients 0" in run.stdout
    assert box.get("/")[0].status == 404
    response, _ = box.get(method="POST")
    assert response.status == 405 and response.getheader("Allow") == "GET, HEAD"
    response, body = box.get(method="HEAD")
    assert response.status == 200 and body == "" and int(response.getheader("Content-Length")) > 1000


def test_one_connection_serves_many_scrapes(box):
    connection = http.client.HTTPConnection("127.0.0.1", box.metrics_port, timeout=10)
    for _ in range(20):
        connection.request("GET", "/metrics")
        assert connection.getresponse().read().endswith(b"# EOF\n")
    connection.close()


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00", b"\r\n\r\n\x00\xff", b"GET /" + b"x" * 100_000], ids=["tls", "bytes", "long"])
def test_garbage_ends_its_connection_only(box, garbage):
    with socket.create_connection(("127.0.0.1", box.metrics_port), timeout=10) as raw:
        try:
            raw.sendall(garbage)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(65_536):
                pass
        except OSError:
            # It was closed before all of it was taken.
            pass
    assert box.get()[0].status == 200


def test_more_connections_than_there_may_be_are_closed(box):
    held = [socket.create_connection(("127.0.0.1", box.metrics_port), timeout=10) for _ in range(64)]
    with socket.create_connection(("127.0.0.1", box.metrics_port), timeout=10) as one_more:
        assert one_more.recv(1) == b""
    for connection in held:
        connection.close()
    eventually(lambda: answers(box), "the endpoint to answer again")


def answers(box):
    try:
        return box.get()[0].status == 200
    except OSError:
        return False


def test_an_address_beyond_loopback_must_be_stated(tmp_path):
    file = tmp_path / "martlet.toml"
    file.write_text('[metrics]\nport = 9464\naddress = "0.0.0.0"\n')
    run = run_martlet("check", file)
    assert run.returncode == 1 and "martlet.toml:3:11" in run.stderr and "allow-anonymous" in run.stderr


def test_a_port_that_is_taken_ends_the_start_with_a_message(box, tmp_path):
    file = tmp_path / "martlet.toml"
    file.write_text(
        f'[appliance]\ndata-directory = "{tmp_path}/data"\n[metrics]\nport = {box.metrics_port}\n[[listener]]\nport = {free_port()}\n'
    )
    run = run_martlet("run", file)
    assert run.returncode == 1 and str(box.metrics_port) in run.stderr
