"""Each command imports with the packages of its own extra alone, and says which extra is missing."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tocsin.cli.lazy_group import COMMANDS
from tocsin.extras import COMMAND_EXTRAS, MODULE_EXTRAS, NAME_EXTRAS, extra_missing, install_command

pytestmark = pytest.mark.subprocess

ROOT = Path(__file__).parents[3]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OPTIONAL: dict[str, list[str]] = PROJECT["optional-dependencies"]
# Hides modules, as if their distributions were not installed, and runs command lines one after the other.
RUN = """
import contextlib, io, json, sys
from importlib.abc import MetaPathFinder

hidden = set(sys.argv[1].split(","))

class Hider(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hider())
from tocsin.__main__ import main
answers = []
for line in sys.argv[2:]:
    sys.argv[:] = ["tocsin", *line.split()]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    answers.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(answers))
"""


@cache
def provided() -> dict[str, set[str]]:
    """The distributions behind each module on this machine."""
    return {module: set(map(canonicalize_name, names)) for module, names in metadata.packages_distributions().items()}


@cache
def closure(distribution: str, extras: frozenset[str] = frozenset()) -> frozenset[str]:
    """The distributions that an installation of one brings on this machine, itself included."""
    key = canonicalize_name(distribution)
    found: set[str] = {key}
    try:
        requires = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:  # for another platform, or not installed here
        return frozenset(found)
    for text in requires:
        wanted = Requirement(text)
        counts = wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in {"", *extras})
        if counts and canonicalize_name(wanted.name) != key:
            found |= closure(wanted.name, frozenset(wanted.extras))
    return frozenset(found)


def distributions_of(extras: str) -> frozenset[str]:
    """What an installation of the client with these extras brings ("" for none, else joined by commas)."""
    texts = [*PROJECT["dependencies"], *(text for extra in extras.split(",") if extra for text in OPTIONAL[extra])]
    names: frozenset[str] = frozenset()
    for wanted in map(Requirement, texts):
        if wanted.name == PROJECT["name"]:
            names |= distributions_of(",".join(wanted.extras))
        else:
            names |= closure(wanted.name, frozenset(wanted.extras))
    return names


def modules_beyond(extras: str) -> set[str]:
    """The modules on this machine that such an installation would not have."""
    brought = distributions_of(extras) | {PROJECT["name"]}
    return {module for module, names in provided().items() if not brought & names}


class Answer(NamedTuple):
    """What a command line came to."""

    code: int
    out: str
    err: str


def tocsin(extras: str, *lines: str) -> dict[str, Answer]:
    """Command lines and their answers where only these extras are installed."""
    hidden = modules_beyond(extras)
    assert "pytest" in hidden
    ran = subprocess.run(
        [sys.executable, "-c", RUN, ",".join(hidden), *lines],
        capture_output=True, text=True, timeout=120, cwd=ROOT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return {line: Answer(*answer) for line, answer in zip(lines, json.loads(ran.stdout), strict=True)}


def test_the_tables_name_what_there_is() -> None:
    assert COMMAND_EXTRAS.keys() <= COMMANDS.keys()
    named = {extra for extras in COMMAND_EXTRAS.values() for extra in extras.split(",")}
    assert named | {extra for extras in MODULE_EXTRAS.values() for extra in extras} <= OPTIONAL.keys()


@pytest.mark.parametrize("extra", ["producer", "worker", "train", "stack", "s3"])
def test_every_dependency_of_an_extra_is_known(extra: str) -> None:
    for wanted in map(Requirement, OPTIONAL[extra]):
        if wanted.name == PROJECT["name"]:
            continue
        modules = {module for module, names in provided().items() if wanted.name in names}
        known = {module for module, extras in MODULE_EXTRAS.items() if extra in extras}
        in_base = wanted.name in {Requirement(text).name for text in PROJECT["dependencies"]}
        assert in_base or not modules or modules & known, f"{wanted} of {extra} is not in MODULE_EXTRAS"


@pytest.mark.parametrize("extras", sorted({"", *COMMAND_EXTRAS.values()}))
def test_a_command_needs_its_own_extra_alone(extras: str) -> None:
    commands = [command for command in COMMANDS if COMMAND_EXTRAS.get(command, "") == extras]
    assert commands
    for line, answer in tocsin(extras, *(f"{command} --help" for command in commands)).items():
        assert answer.code == 0, f"{line}: {answer.err}"
        assert f"Usage: tocsin {line.split()[0]} " in answer.out


def test_a_command_without_its_extra_says_which() -> None:
    # Those that need a module only while they run are not refused at once.
    commands = ["demo", "worker", "produce", "models", "replay", "score", "learn", "label", "dataset", "retrain"]
    lines = [f"{command}{rest}" for command in commands for rest in ("", " --help", " some --thing x")]
    for line, answer in tocsin("", *lines).items():
        command = line.split()[0]
        assert (answer.code, answer.out) == (2, ""), line
        assert answer.err.count("\n") == 1
        assert answer.err.startswith(f"tocsin: `tocsin {command}` needs ")
        assert answer.err.endswith(f": {install_command(COMMAND_EXTRAS[command])}\n")


def test_a_producer_is_told_what_the_worker_needs() -> None:
    (answer,) = tocsin("producer", "worker").values()

    assert (answer.code, answer.out) == (2, "")
    assert answer.err.endswith(": pip install 'tocsin[worker]'\n")


def test_a_recipe_without_its_libraries_says_which_extra() -> None:
    (answer,) = tocsin("worker", "train machine --data x").values()

    assert answer.code == 2, answer.err
    assert "tocsin[train]" in answer.err


def test_help_lists_every_command_of_a_bare_client() -> None:
    (answer,) = tocsin("", "--help").values()

    assert answer.code == 0, answer.err
    listed = [line.split()[0] for line in answer.out.partition("Commands:")[2].splitlines() if line.startswith("  ")]
    assert [name for name in listed if name in COMMANDS] == list(COMMANDS)
    assert "Not installed" in answer.out


def test_a_missing_module_of_our_own_is_no_missing_extra() -> None:
    for name in ("tocsin.nothing", "processors", "yaml", None):
        assert extra_missing("worker", ModuleNotFoundError("gone", name=name)) is None


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [
        ("produce", "numpy", "producer"),
        ("worker", "numpy", "worker"),
        ("demo", "miniaudio", "producer,worker,stack"),
        ("up", "jgo.maven", "stack"),
        ("train", "onnx.parser", "train"),
        ("retrain", "torch", "train"),
        ("alerts", "numpy", "producer"),
        (None, "faust", "worker"),
    ],
)
def test_the_extra_named_brings_the_module(command: str | None, module: str, extra: str) -> None:
    missing = extra_missing(command, ModuleNotFoundError("gone", name=module))

    assert missing is not None
    assert str(missing).endswith(install_command(extra))


@pytest.mark.parametrize("name", sorted(NAME_EXTRAS))
def test_a_name_of_the_api_without_its_packages_says_which_extra(name: str) -> None:
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['numpy', 'fsspec']));"
        "import tocsin; from schemas.errors import ExtraMissing\n"
        f"try: tocsin.{name}\n"
        "except ExtraMissing as error: print(error)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert f"tocsin.{name} needs" in answer.stdout, answer.stderr
