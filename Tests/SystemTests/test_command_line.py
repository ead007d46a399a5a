"""The commands that end by themselves: check, config and self-test."""

import re

import pytest

from harness.broker import REPOSITORY, run_martlet

pytestmark = pytest.mark.martlet_only

README = REPOSITORY / "README.md"


def readme_blocks():
    """The blocks of TOML in the README, with their lines."""
    text = README.read_text() if README.exists() else ""
    return [
        pytest.param(match[1], id=f"line-{text[: match.start()].count(chr(10)) + 1}")
        for match in re.finditer(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    ]


def check(directory, text):
    file = directory / "martlet.toml"
    file.write_text(text)
    result = run_martlet("check", file)
    return result, [line.removeprefix(f"{file}:") for line in result.stderr.splitlines() if line.startswith(f"{file}:")]


def test_the_readme_has_an_example_configuration():
    assert readme_blocks()


@pytest.mark.parametrize("text", readme_blocks())
def test_an_example_of_the_readme_passes_check(tmp_path, text):
    result, _ = check(tmp_path, text)
    assert result.returncode == 0, result.stderr


def test_a_bridge_whose_password_is_not_there_yet_is_warned_of_and_passes_check(tmp_path):
    text = '[[bridge]]\nname = "a"\nhost = "h"\nclient-identifier = "c"\nuser-name = "u"\npassword-file = "later"\n'
    result, _ = check(tmp_path, text + '[[bridge.forward]]\nfilter = "a"\n')
    assert result.returncode == 0
    assert "6:17: warning: " in result.stdout + result.stderr and "later" in result.stdout + result.stderr


def test_an_empty_file_passes_check(tmp_path):
    assert check(tmp_path, "")[0].returncode == 0


def test_the_default_configuration_passes_check_and_is_commented(tmp_path):
    default = run_martlet("config", "default")
    assert default.returncode == 0
    assert default.stdout.count("#") > 20
    result, _ = check(tmp_path, default.stdout)
    assert result.returncode == 0, result.stderr


def test_the_reference_names_every_section():
    reference = run_martlet("config", "reference")
    assert reference.returncode == 0
    for section in ("appliance", "broker", "listener", "product", "point", "bus", "device", "rule", "bridge", "cache"):
        assert section in reference.stdout
    assert "max-back-off" in reference.stdout and "word-order" in reference.stdout


def test_check_says_every_mistake_with_its_line_and_column(tmp_path):
    text = """\
[appliance]
log-level = "loud"

[[listener]]
name = "local"
adress = "127.0.0.1"
port = 70000

[[bus]]
name = "line"
protocol = "modbus-rtu"
serial-port = "/dev/ttyS1"
baud-rate = 11520
"""
    result, mistakes = check(tmp_path, text)
    assert result.returncode == 1
    places = {line: message for line, message in (mistake.split(":", 1) for mistake in mistakes)}
    assert set(places) >= {"2", "6", "7", "13"}
    assert places["2"].startswith("13: ") and "loud" in places["2"]
    assert places["6"].startswith("1: ") and "adress" in places["6"] and "address" in places["6"].replace("adress", "")
    assert places["7"].startswith("8: ") and "70000" in places["7"]
    assert places["13"].startswith("13: ") and "11520" in places["13"] and "9600" in places["13"]


def test_check_finds_a_name_that_nothing_has(tmp_path):
    text = '[[product]]\nkey = "meter"\n[[device]]\nproduct = "metre"\nkey = "m1"\nbus = "nowhere"\n'
    result, mistakes = check(tmp_path, text)
    assert result.returncode == 1
    assert any(mistake.startswith("4:") and "metre" in mistake for mistake in mistakes)
    assert any(mistake.startswith("6:") and "nowhere" in mistake for mistake in mistakes)


def test_check_says_where_a_file_is_not_toml(tmp_path):
    result, mistakes = check(tmp_path, '[appliance]\nname = "box\n')
    assert result.returncode == 1
    assert mistakes and mistakes[0].startswith("2:")


def test_check_of_a_file_that_is_not_there_fails_with_its_name(tmp_path):
    result = run_martlet("check", tmp_path / "absent.toml")
    assert result.returncode != 0 and "absent.toml" in result.stderr


def test_run_refuses_a_file_with_mistakes_and_says_the_same_as_check(tmp_path):
    result, mistakes = check(tmp_path, '[appliance]\nnmae = "box"\n')
    run = run_martlet("run", tmp_path / "martlet.toml")
    assert run.returncode != 0
    assert mistakes and all(mistake in run.stderr for mistake in mistakes)


def test_anonymous_access_beyond_loopback_has_to_be_allowed(tmp_path):
    listener = '[authentication]\ndefault-access = "allow"\n[[listener]]\nname = "all"\naddress = "0.0.0.0"\nport = 1883\n'
    assert check(tmp_path, listener)[0].returncode == 1
    assert check(tmp_path, listener + "allow-anonymous = true\n")[0].returncode == 0


def test_the_self_test_passes():
    result = run_martlet("self-test")
    assert result.returncode == 0, result.stdout + result.stderr
