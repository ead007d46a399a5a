"""Profiles of devices, lists of points, and SunSpec devices on the command line."""

import pytest

from harness.broker import run_martlet
from harness.modbus import Device, ModbusTcp

pytestmark = pytest.mark.martlet_only


def run(*arguments, status=0):
    result = run_martlet(*arguments)
    assert result.returncode == status, result.stdout + result.stderr
    return result.stdout if status == 0 else result.stderr


def test_a_built_in_profile_is_shown_and_is_the_start_of_one_of_your_own(tmp_path):
    names = [line.split("\t")[0] for line in run("profile", "list").splitlines()]
    assert "eastron-sdm630" in names
    for name in names:
        own = tmp_path / f"{name}.toml"
        own.write_text(run("profile", "show", name))
        assert "ok" in run("profile", "check", own)
    own.write_text(own.read_text() + "adress = 1\n")
    assert f"{own}:" in run("profile", "check", own, status=1)
    assert "profile list" in run("profile", "show", "nothing", status=1)


def test_points_go_to_a_spreadsheet_and_come_back(tmp_path):
    configuration = tmp_path / "martlet.toml"
    configuration.write_text('[[product]]\nkey = "meter"\nprofile = "schneider-iem3155"\n')
    points = tmp_path / "points.csv"
    points.write_text(run("points", "export", configuration, "--product", "meter"))
    own = tmp_path / "own.toml"
    own.write_text(run("points", "import", points, "--protocol", "modbus-rtu"))
    configuration.write_text('[[product]]\nkey = "meter"\nprofile = "own.toml"\n')
    run("check", configuration)
    assert run("points", "export", configuration, "--product", "meter") == points.read_text()
    points.write_text("identifier,type,area,address\na,INT,coil,70000\n")
    assert run("points", "import", points, status=1).startswith(f"{points}:2: column ")
    assert run("points", "export", configuration, "--product", "none", status=1)


def words(text, registers):
    data = text.encode().ljust(2 * registers, b"\0")
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


def test_a_sunspec_device_says_what_it_has_and_becomes_a_profile(tmp_path):
    device = Device()
    meter = [0x8000] * 105
    meter[0:5] = [123, 41, 41, 41, 0xFFFE]  # 1.23 A
    meter[16:21] = [0x10000 - 250, 0x8000, 0x8000, 0x8000, 1]  # -2500 W
    registers = words("SunS", 2) + [1, 65] + words("Acme", 16) + words("M 1", 16) + words("", 8) + words("1", 8)
    registers += words("A-77", 16) + [7] + [203, 105] + meter + [0xFFFF, 0]
    device.holding[0 : len(registers)] = registers
    server = ModbusTcp({1: device}).start()
    try:
        line = ["--host", "127.0.0.1", "--port", server.port]
        output = run("modbus", "sunspec", *line)
        assert "model 203 (meter) at 71, 105 registers" in output
        assert "meter_W\t-2500.0 W" in output and "meter_A\t1.23 A" in output and "common_Mn\tAcme" in output
        assert "meter_Hz" not in output
        profile = tmp_path / "meter.toml"
        profile.write_text(run("modbus", "sunspec", *line, "--profile"))
        assert "ok" in run("profile", "check", profile)
        assert 'model = "M 1"' in profile.read_text()
        device.holding[0] = 0
        assert "no SunSpec models" in run("modbus", "sunspec", *line, status=1)
    finally:
        server.stop()
