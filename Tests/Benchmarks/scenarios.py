"""The scenarios of the benchmark table: what `martlet bench` and a C load generator are told, and what is aimed at."""

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass

from brokers import BINARY, DRIVER_CORE


@dataclass
class Scenario:
    name: str
    #: Arguments of `martlet bench`.
    bench: str
    #: The same for the C load generator.
    tool: str
    #: The broker's CPU as a share of mosquitto's that is aimed at.
    target: float
    #: What the CPU time is divided by: deliveries or connections.
    unit: str = "deliveries"


# QoS 0 runs are closed loops, so that no broker has a reason to drop messages.
SCENARIOS = [
    Scenario(
        "fanin_q0", "fan-in --publishers 10 --subscribers 1 --messages 25000 --window 2000",
        "-m fanin -P 10 -S 1 -n 25000 -O 2000", 0.09,
    ),
    Scenario("pairs_q0", "pairs --publishers 50 --messages 4000 --window 5000", "-m pairs -P 50 -n 4000 -O 5000", 0.065),
    Scenario(
        "pairs_q1", "pairs --publishers 50 --qos 1 --window 20 --messages 1600", "-m pairs -P 50 -q 1 -w 20 -n 1600", 0.08
    ),
    Scenario(
        "pairs_q2", "pairs --publishers 20 --qos 2 --window 20 --messages 1500", "-m pairs -P 20 -q 2 -w 20 -n 1500", 0.075
    ),
    Scenario(
        "fanout_q0", "fan-out --subscribers 500 --messages 400 --window 50000", "-m fanout -S 500 -n 400 -O 50000", 0.055
    ),
    Scenario("fanout_q1", "fan-out --subscribers 100 --qos 1 --messages 1500", "-m fanout -S 100 -q 1 -n 1500", 0.095),
    Scenario(
        "wild_q0", "wild --subscribers 500 --publishers 10 --messages 5000 --window 10000",
        "-m wild -S 500 -P 10 -n 5000 -O 10000", 0.095,
    ),
    Scenario(
        "sharedsub_q1", "shared-sub --publishers 10 --subscribers 10 --qos 1 --messages 5000",
        "-m sharedsub -P 10 -S 10 -q 1 -n 5000", 0.115,
    ),
    Scenario(
        "retain10k_q1", "retain --publishers 10 --messages 1000 --subscribers 5 --qos 1",
        "-m retain -P 10 -n 1000 -S 5 -q 1", 0.27,
    ),
    Scenario(
        "big64k_q1", "pairs --publishers 10 --qos 1 --window 20 --payload 65536 --messages 300",
        "-m pairs -P 10 -q 1 -w 20 -l 65536 -n 300", 0.5,
    ),
    Scenario("conn_10k", "conn --connections 10000 --hold 3", "-m conn -C 10000 -T 3", 1.0, "connections"),
    Scenario("storm", "storm --connections 4000", "-m storm -C 4000", 1.0, "connections"),
    Scenario(
        "sparse", "pairs --publishers 100 --qos 1 --rate 100 --messages 200", "-m pairs -P 100 -q 1 -r 100 -n 200", 1.0
    ),
]

#: What is scaled down in a short run, and how far down at most.
_COUNTS = {"--messages": 10, "--connections": 50, "-n": 10, "-C": 50}


def scaled(arguments, share):
    """Arguments with fewer messages and connections."""
    words = arguments.split()
    for at, word in enumerate(words[:-1]):
        if word in _COUNTS:
            words[at + 1] = str(max(_COUNTS[word], int(int(words[at + 1]) * share)))
    return words


def run_bench(broker, arguments):
    """Runs `martlet bench`. Returns what it says as JSON."""
    command = [*DRIVER_CORE, str(BINARY), "bench", *arguments, "--host", "127.0.0.1", "--port", str(broker.port)]
    return _run([*command, "--broker-pid", str(broker.pid), "--json"])


def run_tool(path, broker, arguments):
    """Runs the C load generator. Returns what it says, under the names that `martlet bench` has for it."""
    command = [*DRIVER_CORE, path, *arguments, "-h", "127.0.0.1", "-p", str(broker.port), "-B", str(broker.pid)]
    said = _run(command)
    names = {
        "recv_per_s": "deliveries_per_second", "conn_per_s": "connections_per_second",
        "broker_cpu_s_per_M": "broker_cpu_per_million", "broker_cpu_ms_per_k": "broker_cpu_per_million",
        "tool_cpu_util": "tool_cpu_share", "lost": "lost", "dup": "duplicates", "ooo": "out_of_order",
        "rss_per_conn_b": "rss_bytes_per_connection",
    }
    result = {ours: said[theirs] for theirs, ours in names.items() if theirs in said}
    result["latency_us"] = {name: said[f"lat_{name}_us"] for name in ("p50", "p90", "p99") if f"lat_{name}_us" in said}
    result.setdefault("lost", said.get("failed", 0) + said.get("closed", 0))
    return result


def _run(command):
    result = subprocess.run(command, capture_output=True, text=True, timeout=900)
    # 3: something was lost, which the table shows.
    if result.returncode not in (0, 3) or not result.stdout.strip():
        sys.exit(f"{' '.join(command)}\nended with status {result.returncode}:\n{result.stderr}")
    return json.loads(result.stdout.splitlines()[-1])


def median(results, *path):
    """The median of a figure; None if no result has it."""
    values = []
    for value in results:
        for key in path:
            value = value.get(key) if value is not None else None
        if value is not None:
            values.append(value)
    return statistics.median(values) if values else None


def per_second(results):
    return median(results, "deliveries_per_second") or median(results, "connections_per_second") or 0


def faults(results):
    return sum(result.get(name, 0) for result in results for name in ("lost", "duplicates", "out_of_order"))


def number(value, digits=2):
    """A figure for a table."""
    return "–" if value is None else f"{value:,.{digits}f}"
