"""What each extra takes: the size of its packages on disk, and the memory its command holds.

Every extra but the trainers' is installed with pip from its lock file into a fresh environment (about 200 MB to fetch);
the trainers' 3 GB are summed up where this environment has them. Memory is what the kernel counts: VmHWM, the most a
process has held so far, and VmRSS, what it holds now.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from packaging.requirements import Requirement

from benchmarks.result import save
from schemas.topics import SCORES
from tocsin.client.topic_reader import consumer_of, read_to_end
from tocsin.stack.stack import Stack
from tocsin.stack.topics import create_topics

ROOT = Path(__file__).parents[1]
PACKAGES = ("schemas", "synthesis", "connections", "producers", "processors", "trainers", "tocsin")
EXTRAS = ("base", "producer", "worker", "stack")
INSTALLERS = re.compile(r"(pip|setuptools|_distutils_hack|distutils-precedence|pkg_resources)\b")
RATE, SECONDS = 16_000, 60
READY_S, SCORED_S = 120.0, 60.0


def main() -> None:
    """Installs, runs and measures; a few minutes, most of them pip's."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        installed = {extra: install(folder / extra, extra) for extra in EXTRAS}
        sizes: dict[str, float | None] = {extra: _megabytes(_files(site)) for extra, site in installed.items()}
        sizes["train"] = _trainers()
        with Stack(folder / "data") as stack:
            os.environ["TOCSIN_DATA"] = str(folder / "data")  # where commands find the stack's passwords
            create_topics(stack.connection)
            memory = {
                "client": client(folder / "base", stack),
                "producer": producer(folder / "producer", stack, sound(folder / "tone.wav", SECONDS)),
                "worker": worker(folder / "worker", stack, folder / "producer", folder / "worker.log"),
            }
        memory["stack"] = local_stack(folder / "stack")
    save("footprint", {"installed_mb": sizes, "memory_mb": memory})


def install(folder: Path, extra: str) -> Path:
    """A fresh environment with one extra; returns its site-packages."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps"]
    pip += ["--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements" / f"{extra}.txt")], check=True)
    source = folder / "source"  # a build leaves folders behind
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    subprocess.run([*pip, "--no-index", "--no-build-isolation", str(source)], check=True)
    shutil.rmtree(source)
    (site,) = (folder / "lib").glob("python*/site-packages")
    return site


def sound(path: Path, seconds: int) -> Path:
    """A file of noise."""
    noise = np.random.default_rng(1).normal(0, 0.05, seconds * RATE)
    soundfile.write(path, noise.astype(np.float32), RATE)
    return path


def client(environment: Path, stack: Stack) -> dict[str, float]:
    """`tocsin devices list`."""
    return {"peak": _peak([environment / "bin" / "tocsin", "devices", "list", "--kafka", stack.bootstrap])}


def producer(environment: Path, stack: Stack, file: Path) -> dict[str, float]:
    """`tocsin produce file`, a minute of sound as fast as it goes."""
    return {"peak": _peak(_produce(environment, stack, file, "room"))}


def worker(environment: Path, stack: Stack, sender: Path, log: Path) -> dict[str, float]:
    """`tocsin worker`: ready, and after a minute of sound of a machine and of a room."""
    command = [environment / "bin" / "tocsin", "worker", "--kafka", stack.bootstrap, "--redis", stack.redis_url]
    with log.open("wb") as out, _running([*command, "--group", "footprint"], out) as process:
        _wait(lambda: b"worker is ready" in log.read_bytes(), READY_S, log)
        time.sleep(2)
        idle = _status(process.pid)
        for kind in ("machine", "room"):
            file = sound(log.parent / f"{kind}.wav", SECONDS)
            subprocess.run(_produce(sender, stack, file, kind), check=True, stdout=subprocess.DEVNULL)
        _wait(lambda: _scored(stack) >= 2, SCORED_S, log)
        time.sleep(5)
        busy = _status(process.pid)
    return {"idle": idle["VmRSS"], "after_scoring": busy["VmRSS"], "peak": busy["VmHWM"]}


def local_stack(environment: Path) -> dict[str, float]:
    """`tocsin up`: Kafka's and Redis's processes once both answer."""
    tocsin, data = environment / "bin" / "tocsin", environment / "data"
    subprocess.run([tocsin, "up", "--data", data], check=True, stdout=subprocess.DEVNULL)
    try:
        told = subprocess.run([tocsin, "status", "--json", "--data", data], check=True, capture_output=True, text=True)
        return {part["name"]: _status(part["pid"])["VmRSS"] for part in json.loads(told.stdout)["services"]}
    finally:
        subprocess.run([tocsin, "down", "--data", data], check=True, stdout=subprocess.DEVNULL)


def _produce(environment: Path, stack: Stack, file: Path, kind: str) -> list[Any]:
    return [environment / "bin" / "tocsin", "produce", "file", file, "--kind", kind, "--kafka", stack.bootstrap]


def _scored(stack: Stack) -> int:
    # Devices whose scores the worker has sent.
    async def keys() -> set[bytes | None]:
        async with consumer_of(stack.connection, [SCORES]) as consumer:
            return {message.key async for message in read_to_end(consumer)}

    return len(asyncio.run(keys()))


def _wait(done: Any, seconds: float, log: Path) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise SystemExit(f"not done in {seconds:g} s:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.5)


@contextmanager
def _running(command: list[Any], out: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _peak(command: list[Any]) -> float:
    # The kernel's peak of a child that has ended counts what it was forked from: it is asked while it runs.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _status(process.pid).get("VmHWM", 0.0))
        time.sleep(0.01)
    if process.returncode != 0:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return peak


def _status(pid: int) -> dict[str, float]:
    # MB; empty for a process that is about to end.
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return {}
    found = re.findall(r"^(VmHWM|VmRSS):\s+(\d+) kB", text, re.MULTILINE)
    return {name: round(int(kib) * 1024 / 1e6, 1) for name, kib in found}


def _files(site: Path) -> set[Path]:
    tops = [top for top in site.iterdir() if not INSTALLERS.match(top.name)]
    return {path for top in tops for path in ([top] if top.is_file() else top.rglob("*")) if path.is_file()}


def _trainers() -> float | None:
    # Without what pip does not record: the project itself.
    try:
        found = [metadata.distribution(name) for name in _locked("train")]
    except metadata.PackageNotFoundError:
        return None
    recorded = {Path(str(one.locate_file(file))) for one in found for file in one.files or ()}
    return _megabytes({path for path in recorded if path.is_file() and not INSTALLERS.match(path.name)})


def _locked(name: str) -> set[str]:
    names: set[str] = set()
    for line in (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("--requirement "):
            names |= _locked(line.split()[1].removesuffix(".txt"))
        elif re.match(r"[a-z0-9]", line):
            pin = Requirement(line.rstrip("\\ "))
            if pin.marker is None or pin.marker.evaluate():
                names.add(pin.name)
    return names - {"setuptools"}


def _megabytes(files: set[Path]) -> float:
    # What they take on disk, as du counts it.
    return round(sum(path.stat().st_blocks * 512 for path in files) / 1e6, 1)


if __name__ == "__main__":
    main()
