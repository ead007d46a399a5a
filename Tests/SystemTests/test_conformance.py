"""The conformance page: as the sources and tests have it now, with a test for every statement that binds a server."""

import subprocess

import pytest

from harness.broker import REPOSITORY


@pytest.mark.martlet_only
def test_the_conformance_page_is_current_and_every_statement_is_shown():
    command = [REPOSITORY / "Tests/Conformance/page", "check"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
