"""What the other tests take for granted about their own tools."""

import os
import signal
import subprocess
import sys

from harness.broker import REPOSITORY
from harness.modbus import Device, ModbusTcp
from harness.programs import mbpoll_registers
from harness.waiting import eventually


def test_no_process_outlives_a_pytest_that_is_killed(tmp_path):
    script = (
        "import sys, time, pathlib\n"
        "from harness.broker import Mosquitto\n"
        "broker = Mosquitto(pathlib.Path(sys.argv[1])).start()\n"
        "print(broker.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    tests = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "peer"],
        cwd=REPOSITORY / "Tests" / "SystemTests",
        stdout=subprocess.PIPE,
        text=True,
    )
    peer = int(tests.stdout.readline())
    tests.send_signal(signal.SIGKILL)
    tests.wait()

    def is_gone():
        try:
            os.kill(peer, 0)
        except ProcessLookupError:
            return True
        # A zombie that waits for init is gone as well.
        with open(f"/proc/{peer}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"

    eventually(is_gone, "the end of the peer")


def test_the_modbus_server_and_mbpoll_agree(keep):
    device = Device()
    device.holding[10:13] = [1, 65535, 42]
    server = keep(ModbusTcp({1: device})).start()
    assert mbpoll_registers(server.port, 1, 10, 3) == [1, 65535, 42]
