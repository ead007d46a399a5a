"""Every scenario of `martlet bench` with few messages, against Martlet and against mosquitto, and the commands around it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.broker import Martlet, Mosquitto, martlet_binary, run_martlet
from harness.ports import free_port

pytestmark = pytest.mark.martlet_only

BENCHMARKS = Path(__file__).resolve().parents[1] / "Benchmarks"


@pytest.fixture(scope="module", params=["martlet", "mosquitto"])
def peer(request, tmp_path_factory):
    kind = Martlet if request.param == "martlet" else Mosquitto
    broker = kind(tmp_path_factory.mktemp(f"bench-{request.param}"))
    broker.start()
    yield broker
    broker.forget()


def bench(broker, *arguments, status=0):
    result = run_martlet("bench", *arguments, "-h", "127.0.0.1", "-p", broker.port, "--broker-pid", broker.pid, "--json")
    assert result.returncode == status, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("arguments", "messages", "deliveries"),
    [
        ("pairs --publishers 3 --messages 50 --qos 0", 150, 150),
        ("pairs --publishers 3 --messages 50 --qos 1", 150, 150),
        ("pairs --publishers 3 --messages 50 --qos 2 -V 5", 150, 150),
        ("pairs --publishers 2 --messages 20 --qos 1 --payload 65536", 40, 40),
        ("fan-in --publishers 4 --messages 25 --subscribers 2", 100, 200),
        ("fan-out --subscribers 20 --messages 10 --qos 1", 10, 200),
        ("fan-out --subscribers 5 --messages 100 --open-loop -V 5", 100, 500),
        ("wild --subscribers 40 --publishers 2 --messages 200 --topics 2000", 400, None),
        ("shared-sub --publishers 2 --subscribers 6 --groups 2 --messages 50 --qos 1", 100, 200),
        ("shared-sub --publishers 2 --subscribers 3 --messages 50 --qos 0 -V 5", 100, 100),
        ("pairs --publishers 5 --messages 10 --qos 1 --rate 50", 50, 50),
    ],
)
def test_everything_arrives_once_and_in_order(peer, arguments, messages, deliveries):
    found = bench(peer, *arguments.split())
    assert found["messages"] == messages
    assert found["deliveries"] == deliveries or (deliveries is None and found["deliveries"] > 0)
    assert (found["lost"], found["duplicates"], found["out_of_order"], found["strange"]) == (0, 0, 0, 0)
    assert found["broker_cpu_seconds"] > 0 and found["broker_rss_kib"] > 0 and found["latency_us"]["p50"] > 0


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize("scenario", ["retain", "durable"])
def test_what_is_stored_is_delivered(peer, scenario, protocol):
    arguments = ["--publishers", 3, "--messages", 40, "--subscribers", 2, "-V", protocol]
    for _ in range(2):
        # The second run finds nothing of the first.
        found = bench(peer, scenario, *arguments)
        assert found["stored"]["messages"] == 120 and found["stored"]["acknowledgement_us"]["p50"] > 0
        assert found["deliveries"] == 240
        assert (found["lost"], found["duplicates"], found["out_of_order"], found["strange"]) == (0, 0, 0, 0)


def test_connections_are_held_and_measured(peer):
    found = bench(peer, "conn", "--connections", 200, "--hold", 0.2)
    assert found["connections"] == 200 and found["lost"] == 0
    assert found["latency_us"]["max"] > 0 and "rss_bytes_per_connection" in found


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_connections_come_and_go(peer, protocol):
    found = bench(peer, "storm", "--connections", 150, "--qos", 1, "-V", protocol)
    assert found["connections"] == 150 and found["lost"] == 0


def test_the_probe_waits_for_the_broker(tmp_path, keep):
    port = free_port()
    probe = subprocess.Popen(
        [martlet_binary(), "bench", "probe", "-h", "127.0.0.1", "-p", str(port), "--wait", "20"], stdout=subprocess.PIPE, text=True
    )
    keep(Mosquitto(tmp_path / "late", port=port)).start()
    output, _ = probe.communicate(timeout=30)
    assert probe.returncode == 0 and float(output) > 1_700_000_000


def test_without_a_broker_there_is_nothing_to_measure():
    result = run_martlet("bench", "pairs", "-h", "127.0.0.1", "-p", 1)
    assert result.returncode == 1 and "cannot connect" in result.stderr


def test_a_broker_that_drops_messages_is_found_out(tmp_path, keep):
    broker = keep(Mosquitto(tmp_path / "small", options="max_inflight_messages 1\nmax_queued_messages 1")).start()
    arguments = ["fan-out", "--subscribers", 3, "--messages", 500, "--qos", 1, "--stall", 1]
    found = bench(broker, *arguments, status=3)
    assert found["lost"] > 0 and found["deliveries"] + found["lost"] == 1500


def benchmark(name, *arguments):
    """Runs one of the commands of Tests/Benchmarks. What it measures in a short run says nothing; that it works does."""
    command = [sys.executable, BENCHMARKS / name, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, env=None)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_benchmark_table_has_every_scenario(monkeypatch):
    monkeypatch.setenv("MARTLET_BINARY", str(martlet_binary()))
    table = benchmark("beside-mosquitto", "--short")
    for name in "fanin_q0 pairs_q0 pairs_q1 pairs_q2 fanout_q0 fanout_q1 wild_q0 sharedsub_q1 retain10k_q1 big64k_q1".split():
        assert name in table
    for name in ("conn_10k", "storm", "sparse", "ratio", "target"):
        assert name in table


def test_the_other_benchmarks_work(monkeypatch):
    monkeypatch.setenv("MARTLET_BINARY", str(martlet_binary()))
    assert "QoS 1 martlet" in benchmark("latency", "--short", "--pairs", "5")
    assert "fsync/s" in benchmark("storage", "--messages", "500", "--publishers", "5")


@pytest.mark.timeout(300)
def test_the_benchmarks_of_the_bridge_work(monkeypatch):
    monkeypatch.setenv("MARTLET_BINARY", str(martlet_binary()))
    table = benchmark("bridge-rate", "--short")
    assert all(f"{box}, backlog out" in table for box in ("Martlet", "mosquitto"))
    assert "peak memory since the start" in benchmark("cache-writes", "--short")
