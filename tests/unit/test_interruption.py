"""Ctrl-C reaches what a test starts, whoever has started the tests."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.subprocess

ROOT = Path(__file__).parents[2]


def test_ctrl_c_reaches_a_child() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as child:
        child.send_signal(signal.SIGINT)
        try:
            assert child.wait(10) == -signal.SIGINT
        finally:
            child.kill()


def test_it_does_where_the_tests_run_in_the_background_of_a_script() -> None:
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", f"{__file__}::test_ctrl_c_reaches_a_child"]
    # A shell without job control starts what ends with & like this.
    command = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", *run]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
