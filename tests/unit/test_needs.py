"""A test that uses what it does not declare fails, and the message names the marker."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import SLOW, module_marks

ROOT = Path(__file__).parents[2]
SAMPLE = """
import socket
import subprocess
import pytest


def test_quiet():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def test_program():
    subprocess.run(["/bin/true"])


def test_program_whose_refusal_is_taken_for_something_else():
    with pytest.raises(OSError):
        subprocess.run(["/bin/true"])


def test_kafka():
    socket.create_connection(("127.0.0.1", 9092))


def test_elsewhere():
    socket.create_connection(("192.0.2.1", 80), timeout=0.1)


def test_torch():
    import torch


@pytest.mark.subprocess
def test_declared():
    assert subprocess.run(["/bin/true"]).returncode == 0


@pytest.mark.train
def test_declared_torch():
    import torch
"""


def run(folder: Path, *options: str) -> str:
    (folder / "test_sample.py").write_text(SAMPLE)
    (folder / "test_trains.py").write_text(
        "import pytest\nimport torch\npytestmark = pytest.mark.train\ndef test(): pass\n"
    )
    (folder / "test_trains_too.py").write_text("import torch\ndef test(): pass\n")
    command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-p", "tests.conftest", "-p", "no:randomly"]
    command += ["-p", "no:cacheprovider", "-rA", "--continue-on-collection-errors", *options, str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False).stdout


@pytest.mark.subprocess
def test_the_fast_run_refuses_what_is_not_declared_and_leaves_out_what_is(tmp_path: Path) -> None:
    told = run(tmp_path, "--fast")

    assert "2 deselected" in told, told
    assert "PASSED" in told
    for name in ("program", "program_whose_refusal_is_taken_for_something_else", "kafka", "elsewhere", "torch"):
        assert re.search(rf"^FAILED \S*::test_{name}\b", told, re.MULTILINE), told
    assert re.search(r"^PASSED \S*::test_quiet$", told, re.MULTILINE)
    assert re.search(r"^ERROR \S*test_trains_too\.py", told, re.MULTILINE)
    assert "test_trains.py" not in told
    for hint in (
        "add @pytest.mark.subprocess",
        "tests with @pytest.mark.integration",
        "mark the test: @pytest.mark.train",
        "mark the module: pytestmark = pytest.mark.train",
    ):
        assert hint in told


@pytest.mark.subprocess
def test_the_whole_run_holds_to_it_as_well(tmp_path: Path) -> None:
    told = run(tmp_path, "-k", "program or declared")

    assert re.search(r"^FAILED \S*::test_program\b", told, re.MULTILINE), told
    assert re.search(r"^PASSED \S*::test_declared$", told, re.MULTILINE), told


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("import pytest\n", set()),
        ("import pytest\npytestmark = pytest.mark.train\n", {"train"}),
        ("pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]\n", {"integration", "timeout"}),
        ("import torch\nvalue = pytest.mark.train\n# pytestmark\n", set()),
    ],
)
def test_marks_of_a_module_are_read_without_importing_it(text: str, marks: set[str]) -> None:
    assert module_marks(text) == marks


def test_every_such_marker_is_explained(pytestconfig: pytest.Config) -> None:
    explained = {line.partition(":")[0] for line in pytestconfig.getini("markers")}
    assert explained >= SLOW
