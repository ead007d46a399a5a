"""`martlet modbus …` against pymodbus devices, and `martlet modbus simulate` asked by mbpoll and pymodbus."""

import contextlib
import json
import re

import pytest
from pymodbus import FramerType
from pymodbus.client import ModbusTcpClient

from harness.broker import martlet_binary, run_martlet
from harness.modbus import Device, ModbusRtu, ModbusTcp
from harness.ports import free_port
from harness.process import Process
from harness.programs import mbpoll_registers
from harness.registers import registers_of
from harness.waiting import eventually

pytestmark = pytest.mark.martlet_only


def modbus(*arguments, status=0):
    result = run_martlet("modbus", *arguments)
    assert result.returncode == status, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(params=["tcp", "serial"])
def device(request, tmp_path):
    """A pymodbus device, with the options that lead to it as `device.line`."""
    device = Device()
    if request.param == "serial":
        with serial({1: device}, tmp_path) as device.line:
            yield device
        return
    server = ModbusTcp({1: device}).start()
    device.line = ["--host", "127.0.0.1", "--port", server.port]
    yield device
    server.stop()


@contextlib.contextmanager
def serial(devices, tmp_path):
    """The options that lead to devices on a serial line."""
    server = ModbusRtu(devices, tmp_path).start()
    try:
        yield ["--serial", server.serial_port, "--baud-rate", 115200, "--parity", "none"]
    finally:
        server.stop()
        server.close_line()


def test_values_of_every_type_are_read_in_every_word_order(device):
    for type, value in [("INT", -3), ("UDINT", 4_000_000_000), ("LINT", -(2**62)), ("REAL", 21.5), ("LREAL", -0.1)]:
        for order in ("abcd", "cdab", "badc", "dcba"):
            registers = registers_of(type, value, order)
            device.holding[10 : 10 + len(registers)] = registers
            output = modbus("read", *device.line, "--address", 10, "--type", type, "--word-order", order)
            assert output.split() == ["10", str(value)]
    registers = registers_of("STRING", "Zähler 1", length=12)
    device.holding[50:56] = registers
    assert modbus("read", *device.line, "-r", 50, "-t", "STRING", "--length", 12).split("\t")[1] == "Zähler 1\n"


def test_many_values_are_read_in_requests_of_the_size_allowed(device):
    device.holding[0:300] = range(300)
    output = modbus("read", *device.line, "--count", 300, "--max-quantity", 50)
    assert [int(line.split()[1]) for line in output.splitlines()] == list(range(300))
    assert {request.quantity for request in device.requests} == {50}


def test_bits_are_read_and_written(device):
    modbus("write", *device.line, "-a", "coil", "-r", 3, "on", "off", "1", "true")
    assert device.areas["coil"][3:7] == [True, False, True, True]
    output = modbus("read", *device.line, "-a", "coil", "-r", 3, "--count", 4)
    assert [line.split()[1] for line in output.splitlines()] == ["true", "false", "true", "true"]


def test_what_is_written_is_read_back(device):
    assert "read back" in modbus("write", *device.line, "-r", 10, "-t", "REAL", "21.5", "-3")
    assert device.holding[10:14] == registers_of("REAL", 21.5) + registers_of("REAL", -3)
    device.ignores_writes = True
    result = run_martlet("modbus", "write", *device.line, "-r", "10", "-t", "INT", "7")
    assert result.returncode == 2 and "gives back 41AC instead of 0007" in result.stderr


def test_single_and_multiple_functions_mask_and_read_write_are_chosen(device):
    modbus("write", *device.line, "-r", 1, "5", "--no-verify")
    modbus("write", *device.line, "-r", 1, "5", "--multiple", "--no-verify")
    modbus("write", *device.line, "-a", "coil", "1", "--no-verify")
    modbus("write", *device.line, "-a", "coil", "1", "--multiple", "--no-verify")
    assert [request.function for request in device.requests] == [6, 16, 5, 15]
    device.holding[20] = 0x12
    modbus("write", *device.line, "-r", 20, "--mask", "0xF2,0x25")
    assert device.holding[20] == 0x17
    modbus("write", *device.line, "-r", 20, "--bit", 3, "on")
    assert device.holding[20] == 0x1F
    output = modbus("write", *device.line, "-r", 30, "8", "9", "--read", 3, "--read-address", 29)
    assert output.split() == ["29", "0", "30", "8", "31", "9"]


def test_a_refusal_is_said_with_its_code(device):
    device.exceptions[7] = 2
    result = run_martlet("modbus", "read", *device.line, "-r", "7")
    assert result.returncode == 1
    assert result.stderr == "martlet: exception 2: illegal data address\n"


def test_a_trace_shows_frames_in_words_and_bytes(device):
    device.holding[4:6] = [7, 0x1234]
    output = modbus("trace", *device.line, "-r", 4, "--quantity", 2, "--times", 2, "--interval", "10ms")
    assert len(re.findall(r"^\d\d:\d\d:\d\d\.\d{3} sent .*unit 1: read holding-register 4, quantity 2$", output, re.M)) == 2
    assert len(re.findall(r"received .* after [\d.]+ ms: .*unit 1: holding-register: 7 4660$", output, re.M)) == 2
    assert "03 04 00 07 12 34" in output


def test_a_wrong_check_sum_is_seen_in_the_trace(tmp_path):
    device = Device()
    device.corrupt = True
    with serial({1: device}, tmp_path) as line:
        output = modbus("trace", *line, "--times", 1, "--timeout", "300ms")
    assert "received 7 bytes" in output and "wrong check sum" in output


def test_a_scan_finds_who_answers_be_it_with_an_exception(tmp_path):
    refusing = Device()
    refusing.exceptions[0] = 2
    silent = Device()
    silent.silent = True
    server = ModbusTcp({2: Device(), 5: refusing, 6: silent}).start()
    output = modbus("scan", "--host", "127.0.0.1", "--port", server.port, "--to", 7, "--timeout", "100ms")
    server.stop()
    lines = output.splitlines()
    assert lines[0].startswith("unit 2: answers")
    assert lines[1].startswith("unit 5: exception 2: illegal data address")
    assert lines[2:] == ["2 found"]


def test_a_scan_of_an_empty_line_finds_nobody_and_of_none_says_why(tmp_path):
    with serial({9: Device()}, tmp_path) as line:
        assert modbus("scan", *line, "--to", 3, "--timeout", "50ms", status=1) == "nobody answers\n"
        output = modbus("scan", *line, "--from", 8, "--to", 10, "--timeout", "200ms", "--baud-rates", "9600,19200")
        assert "9600 baud, parity none: unit 9: answers" in output and output.endswith("\n2 found\n")
    result = run_martlet("modbus", "scan", "--host", "127.0.0.1", "--port", str(free_port()))
    assert result.returncode == 1 and "Connection refused" in result.stderr


@contextlib.contextmanager
def simulator(tmp_path, *arguments):
    process = Process("simulator", [martlet_binary(), "modbus", "simulate", *arguments], tmp_path / "simulator.log")
    process.launch()
    process.wait_until(lambda: "units" in process.log(), "the simulator")
    try:
        yield process
    finally:
        assert process.terminate() == 0
        process.forget()


def test_the_simulator_answers_mbpoll_and_pymodbus(tmp_path):
    port = free_port()
    with simulator(tmp_path, "--port", port, "--units", "1-3,7", "--holding-registers", "0-9,20-29"):
        assert mbpoll_registers(port, 7, 4, 3) == [4, 5, 6]
        with ModbusTcpClient("127.0.0.1", port=port) as client:
            assert client.read_holding_registers(20, count=10, device_id=3).registers == list(range(20, 30))
            assert client.read_holding_registers(8, count=5, device_id=3).exception_code == 2
            assert client.read_coils(0, count=4, device_id=1).bits[:4] == [False, True, False, True]
            client.write_registers(21, [5, 6], device_id=2)
            client.mask_write_register(address=21, and_mask=0xFFF0, or_mask=0x000A, device_id=2)
            assert client.read_holding_registers(21, count=2, device_id=2).registers == [10, 6]
            assert client.readwrite_registers(
                read_address=20, read_count=2, address=20, values=[9], device_id=2
            ).registers == [9, 10]
            assert client.read_device_information(device_id=1).information[0] == b"Martlet"


def test_the_simulator_speaks_rtu_over_tcp_and_on_a_serial_line(tmp_path):
    port = free_port()
    with simulator(tmp_path, "--port", port, "--rtu"):
        with ModbusTcpClient("127.0.0.1", port=port, framer=FramerType.RTU) as client:
            assert client.read_holding_registers(4, count=2, device_id=1).registers == [4, 5]
        output = modbus("read", "--host", "127.0.0.1", "--port", port, "--rtu", "-r", 6)
        assert output.split() == ["6", "6"]
    near, far = tmp_path / "near", tmp_path / "far"
    line = Process("socat", ["socat", f"pty,rawer,link={near}", f"pty,rawer,link={far}"], tmp_path / "socat.log")
    line.launch()
    line.wait_until(lambda: near.exists() and far.exists(), "the pseudo terminals")
    options = ["--parity", "none", "--baud-rate", 19200]
    with simulator(tmp_path, "--serial", far, "--units", "1,2", *options):
        modbus("write", "--serial", near, *options, "--unit", 0, "-r", 8, "4711")
        for unit in (1, 2):
            output = modbus("read", "--serial", near, *options, "--unit", unit, "-r", 8)
            assert output.split() == ["8", "4711"]
    line.forget()


CONFIGURATION = """
[appliance]
name = "box"
[[product]]
key = "meter"
group = [{ name = "fast", interval = "1s" }, { name = "slow", interval = "10s" }]
[[product.point]]
identifier = "temp"
type = "REAL"
group = "fast"
area = "holding-register"
address = 0
[[product.point]]
identifier = "limit"
type = "INT"
group = "slow"
area = "holding-register"
address = 10
writable = true
[[product.point]]
identifier = "serial"
type = "STRING"
length = 6
group = "slow"
area = "holding-register"
address = 18
[[bus]]
name = "line-1"
protocol = "modbus-rtu"
serial-port = "/dev/ttyS1"
baud-rate = 19200
[[device]]
product = "meter"
key = "m1"
bus = "line-1"
unit-identifier = 7
"""


def test_the_simulator_serves_the_points_of_a_configuration(tmp_path):
    file = tmp_path / "martlet.toml"
    file.write_text(CONFIGURATION)
    port = free_port()
    with simulator(tmp_path, file, "--port", port):
        line = ["--host", "127.0.0.1", "--port", port, "--unit", 7]
        first = modbus("read", *line, "-t", "REAL").split()[1]
        assert 40 <= float(first) <= 60
        eventually(lambda: modbus("read", *line, "-t", "REAL").split()[1] != first, "a value that moves")
        assert modbus("read", *line, "-r", 18, "-t", "STRING", "--length", 6).split() == ["18", "serial"]
        modbus("write", *line, "-r", 10, "-t", "INT", "-5")
        assert modbus("read", *line, "-r", 10, "-t", "INT").split() == ["10", "-5"]
        assert "exception 2" in run_martlet("modbus", "read", *map(str, line), "-r", "5").stderr


def test_the_plan_says_requests_bytes_times_and_use(tmp_path):
    file = tmp_path / "martlet.toml"
    file.write_text(CONFIGURATION)
    text = modbus("plan", file)
    assert "bus line-1, modbus-rtu" in text and "meter/m1, unit 7, every 10s" in text
    plan = json.loads(modbus("plan", file, "--json", "--answer-time", "10ms"))
    assert [(r["address"], r["quantity"], r["answerBytes"]) for r in plan["requests"]] == [(0, 2, 9), (10, 11, 27)]
    character = 11 / 19200
    expected = [(8 + bytes + 3.5) * character + 0.010 for bytes in (9, 27)]
    assert plan["cycleMilliseconds"] == pytest.approx(1000 * sum(expected), rel=1e-4)
    assert plan["utilisation"] == pytest.approx(expected[0] / 1 + expected[1] / 10, rel=1e-4)


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["read"], "give either --host or --serial"),
        (["read", "--host", "h", "-t", "REAL", "-r", "65535"], "address 65535 is not in 0…65534"),
        (["read", "--host", "h", "-a", "coil", "-t", "INT"], "a coil holds a BOOL, not INT"),
        (["write", "--host", "h", "-a", "input-register", "1"], "a input-register cannot be written"),
        (["write", "--host", "h", "70000"], "70000 does not fit a UINT"),
        (["write", "--host", "h", "--colour"], "--colour is no UINT, nor an option"),
        (["read", "--serial", "/dev/x", "--unit", "0"], "none would answer"),
        (["scan", "--serial", "/dev/x", "--baud-rates", "123"], "--baud-rates are speeds"),
        (["simulate", "--holding-registers", "5-3"], "5-3 is no range"),
        (["plan", "/nonexistent.toml"], "nonexistent"),
    ],
)
def test_options_that_cannot_work_are_refused(arguments, complaint):
    result = run_martlet("modbus", *arguments)
    assert result.returncode != 0 and complaint in result.stderr
