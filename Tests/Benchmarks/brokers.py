"""The two brokers that the benchmarks compare, each alone on one core where there are two."""

import argparse
import os
import shutil
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "Tests" / "SystemTests"))

from harness.broker import Martlet, Mosquitto  # noqa: E402

# The harness finds the binary through this variable.
os.environ.setdefault("MARTLET_BINARY", str(REPOSITORY / ".build" / "release" / "martlet"))
BINARY = Path(os.environ["MARTLET_BINARY"])

#: What keeps a program on one core: brokers on the first, whatever drives them on the second.
_pinned = os.cpu_count() > 1 and shutil.which("taskset")
BROKER_CORE = ["taskset", "-c", "0"] if _pinned else []
DRIVER_CORE = ["taskset", "-c", "1"] if _pinned else []


def require_binary():
    if not BINARY.exists():
        sys.exit(f"{BINARY} is not there: run `swift build -c release --product martlet`, or set MARTLET_BINARY")


UNLIMITED = 'max-queued-messages = 1000000\nmax-queued-bytes = "1GiB"\nmax-outbox-bytes = "1GiB"\nmax-waiting-bytes = "8GiB"'


def brokers(directory):
    """Martlet and mosquitto by name, not yet started, without anything on disk to begin with."""
    result = {
        # Neither drops what its queues could hold: mosquitto's harness has no limit of queued messages either.
        "martlet": Martlet(directory / "martlet", broker=UNLIMITED, log_level="warning"),
        "mosquitto": Mosquitto(directory / "mosquitto", persistence=False, log="log_type error"),
    }
    for broker in result.values():
        broker.arguments[:0] = BROKER_CORE
    return result


def arguments(description):
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def resident_kib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ValueError(f"process {pid} has no VmRSS")


def table(head, rows):
    """Prints a table whose first column is text and whose others are numbers or texts to be aligned to the right."""
    lines = [[str(cell) for cell in line] for line in [head, *rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for number, line in enumerate(lines):
        first, *others = zip(line, widths)
        print("  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]))
        if number == 0:
            print("  ".join("-" * width for width in widths))
