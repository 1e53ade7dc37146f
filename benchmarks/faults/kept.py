"""Runs that were kept: their evidence, to be judged again, and the logs of their workers."""

from __future__ import annotations

import pickle
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.faults.oracle.evidence import Evidence
from benchmarks.faults.schedule import Action

_FILE = "run.pickle"
_HERE = Path(__file__).parent
_SHIPPED = _HERE.parents[1] / "processors" / "shipped_models"


@dataclass(frozen=True, slots=True)
class KeptRun:
    """One run.

    Attributes:
        seed, minutes, devices: as they were asked for.
        build: the commit that ran; "" outside of a checkout.
        schedule: its faults.
        evidence: to be judged.
    """

    seed: int
    minutes: float
    devices: int
    build: str
    schedule: Sequence[Action]
    evidence: Evidence


def keep(run: KeptRun, folder: Path) -> None:
    """Writes a run into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _FILE).write_bytes(pickle.dumps(run))


def keep_files(source: Path, folder: Path) -> None:
    """Copies the workers' logs and the published models, also of a run that has failed."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in source.glob("*.log"):
        shutil.copy(file, folder)
    shutil.copytree(source / "store", folder / "store", dirs_exist_ok=True)


def load(folder: Path) -> KeptRun:
    """A run that was kept. Loading runs code that the file names: only one's own files are to be loaded."""
    run: KeptRun = pickle.loads((folder / _FILE).read_bytes())  # noqa: S301
    # The checkout that ran may be elsewhere, or gone.
    models = (_SHIPPED, folder / "store")
    return replace(run, evidence=replace(run.evidence, models=models, detectors=_SHIPPED / "detectors.json"))


def current_build() -> str:
    """The commit of this checkout, shortened; "" where there is none."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, cwd=_HERE, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
