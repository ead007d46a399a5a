"""systemd/martlet.service: systemd takes it, and finds little that it could do harm with."""

import shutil
import subprocess

import pytest

from harness.broker import REPOSITORY

pytestmark = [
    pytest.mark.martlet_only,
    pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze"),
]


@pytest.fixture
def unit(tmp_path):
    text = (REPOSITORY / "systemd" / "martlet.service").read_text()
    assert "/usr/bin/martlet run" in text
    file = tmp_path / "martlet.service"
    # A program that is there.
    file.write_text(text.replace("/usr/bin/martlet", "/bin/true"))
    return file


def test_the_unit_has_no_mistakes(unit):
    run = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and "martlet.service" not in run.stderr, run.stderr


def test_the_unit_has_the_least_rights(unit):
    run = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stdout[-400:]
