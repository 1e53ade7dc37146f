"""docs/installing.md says what was measured, and what the extras and commands are."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from tocsin.cli.lazy_group import COMMANDS
from tocsin.extras import COMMAND_EXTRAS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "installing.md").read_text(encoding="utf-8")
MEASURED: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / "footprint.json").read_text(encoding="utf-8"))


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first column has this heading."""
    table = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_every_command_stands_with_its_extra() -> None:
    installs = rows("what you install")
    told = {command: extra for extra, _, commands in installs for command in re.findall(r"\w+", commands)}
    wanted = {
        name: f"`tocsin[{COMMAND_EXTRAS[name]}]`" if name in COMMAND_EXTRAS else "`tocsin`"
        for name in COMMANDS
        if name != "demo"
    }
    assert told == wanted
    assert f"`demo` needs `tocsin[{COMMAND_EXTRAS['demo']}]`" in PAGE


def test_the_sizes_are_those_measured() -> None:
    figures = MEASURED["figures"]
    sizes, memory = figures["installed_mb"], figures["memory_mb"]
    worker, stack = memory["worker"], memory["stack"]
    told = {role: (size, words) for role, size, words in rows("role")}
    assert {role: size for role, (size, _) in told.items()} == {
        "client": f"{sizes['base']:.0f}",
        "producer": f"{sizes['producer']:.0f}",
        "worker": f"{sizes['worker']:.0f}",
        "stack": f"{sizes['stack']:.0f}",
        "train": f"{sizes['train']:.0f}",
    }
    assert told["client"][1].startswith(f"{memory['client']['peak']:.0f} at most")
    assert told["producer"][1].startswith(f"{memory['producer']['peak']:.0f} at most")
    assert told["worker"][1].startswith(f"{worker['idle']:.0f} ready, {worker['after_scoring']:.0f} after")
    assert told["stack"][1] == f"Kafka {stack['kafka']:.0f}, Redis {stack['redis']:.0f}"


def test_the_machine_is_the_one_measured_on() -> None:
    assert MEASURED["machine"]["cores"] == 2
    assert MEASURED["python"].startswith("3.11.")
    assert "Python 3.11 on a machine of two cores" in PAGE


def test_the_pythons_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (low, high), *rest = re.findall(r">=3\.(\d+),<3\.(\d+)", project["requires-python"])
    span = f"Python 3.{low} to 3.{int(high) - 1}"
    assert rest == []
    assert span in PAGE
    assert span in (ROOT / "README.md").read_text(encoding="utf-8")
    classifiers = [f"Programming Language :: Python :: 3.{minor}" for minor in range(int(low), int(high))]
    assert set(classifiers) <= set(project["classifiers"])
