"""Thresholds on real recordings, looped for a day through the shipped models and the serving core.

``python -m benchmarks.real_sound DATA`` saves ``results/real_sound.json`` and writes its tables into
``docs/appendix/real-sound.md``; ``--only`` measures some devices and leaves the others' figures, ``--hours`` sets the
simulated time, ``--quick`` runs one hour of everything and saves nothing, ``--redraw`` writes the tables from the saved
result.
DATA holds ``ambience``, ``sounds``, ``scream/positive``, ``scream/negative``, ``motor/<state>_<number>.flac`` and
``bearing/*.npz`` with ``acceleration_g`` and ``sample_rate_hz``, one of them ``normal.npz``.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from benchmarks.real_sound import table
from benchmarks.real_sound.devices import SCENES
from benchmarks.real_sound.match import DetectionLog, TimedEvent, figures_of
from benchmarks.real_sound.scene import Scene, sessions
from benchmarks.result import save
from processors.adapters.models.detectors import load_detectors
from processors.adapters.models.onnx_model import OnnxModel, load_model, load_shipped
from processors.core.alerting.decision_context import hop_of
from producers.pcm import Block, to_block
from synthesis.draws import seed_of
from tocsin.scoring import FileScorer
from trainers.export.artefact import write
from trainers.recipes.knn.data import ContinuousAudio
from trainers.recipes.knn.options import KnnOptions
from trainers.recipes.knn.recipe import train_knn

Figures = dict[str, Any]

RESULT = Path(__file__).parents[1] / "results" / "real_sound.json"
DOCUMENT = Path(__file__).parents[2] / "docs" / "appendix" / "real-sound.md"

SEED = 20
HOURS = 24.0
BLOCK_S, TRAINING_S = 30, 600
RUNS = {
    "room": ("room", "scream"),
    "motor": ("motor", "machine"),
    "bearing": ("bearing", "machine"),
    "motor, own model": ("motor", "knn"),
    "bearing, own model": ("bearing", "knn"),
}
"""Scene and model of each run; ``knn`` is trained on ten minutes."""


@dataclass(frozen=True, slots=True)
class Session:
    """An interval of a scene as a source; see :class:`producers.source.Source`."""

    scene: Scene
    start: int
    end: int
    channels: int = 1
    unit: str = "FS"
    full_scale: float = 1.0

    @property
    def name(self) -> str:
        """For people."""
        return f"samples {self.start} to {self.end}"

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.scene.rate

    @property
    def n_samples(self) -> int:
        """Length of the session."""
        return self.end - self.start

    def blocks(self) -> Iterator[Block]:
        """Blocks of half a minute: the scores equal those of smaller blocks, at less cost."""
        step = BLOCK_S * self.scene.rate
        for start in range(self.start, self.end, step):
            stop = min(start + step, self.end)
            yield to_block(self.scene.at(start, stop)[:, None], at=start - self.start)


def own_model(data: Path, device: str) -> OnnxModel:
    """The knn recipe's model of ten minutes of the device's normal sound, with its default options.

    These are another loop of the recordings than the scored one: scores on the training audio itself would be lower.
    """
    scene = SCENES[device](data, 1.0, SEED + 1)
    first = to_block(scene.at(0, TRAINING_S * scene.rate)[:, None]).samples
    trained = train_knn(
        [ContinuousAudio(first, scene.rate, "")], f"knn-{device}", "ten minutes of its own", SEED, KnnOptions()
    )
    with tempfile.TemporaryDirectory() as folder:
        return load_model(write(trained, Path(folder), SEED, "0"))


def run(data: Path, name: str, hours: float, progress: Progress) -> Figures:
    """Figures of one device over all its hours."""
    scene_name, model_name = RUNS[name]
    scene = SCENES[scene_name](data, hours, SEED)
    model = own_model(data, scene_name) if model_name == "knn" else load_shipped(model_name)
    parts = sessions(scene.n_samples, scene.rate, seed_of(SEED, 3))
    log, scorer = DetectionLog(), FileScorer(model)
    task = progress.add_task(name, total=scene.n_samples)
    began = time.process_time()
    for start, end in parts:
        for output in scorer.score(Session(scene, start, end)):
            log.add(output.score, start / scene.rate)
            log.notices += sum(notice.kind == "drift" for notice in output.notices)
            progress.update(task, completed=start + output.score.end_sample)
    detector, spec = load_detectors()[model.manifest.detector], model.spec
    grace_s = spec.window_seconds + detector.window_count * hop_of(spec) / 1e9
    events = [
        TimedEvent(event.kind, event.wanted, event.start / scene.rate, event.end / scene.rate) for event in scene.events
    ]
    figures = figures_of(log, events, grace_s, hours)
    return {
        "model": model_name,
        "model_version": model.manifest.version,
        "model_threshold": model.calibration.threshold,
        "window_s": round(spec.window_seconds, 2),
        "sessions": len(parts),
        "cpu_s": round(time.process_time() - began, 1),
        **figures,
    }


def main() -> None:
    """Runs the devices one after the other and saves each result at once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--hours", type=float, default=HOURS, help="of audio per device, 1 or more")
    parser.add_argument("--only", nargs="+", choices=RUNS, default=list(RUNS), metavar="DEVICE")
    parser.add_argument("--quick", action="store_true", help="one hour of everything; nothing is saved")
    parser.add_argument("--redraw", action="store_true", help="tables from the saved result")
    chosen = parser.parse_args()
    if chosen.redraw:
        table.write(_saved(), DOCUMENT)
        return
    if chosen.data is None:
        parser.error("DATA is missing: the folder that holds the recordings")
    if chosen.hours < 1.0:
        parser.error(f"--hours {chosen.hours:g} is too short: the faults of a machine take an hour; give 1 or more")
    found: Figures = {}
    with Progress(console=Console(stderr=True)) as progress:
        for name in chosen.only:
            found[name] = run(chosen.data, name, 1.0 if chosen.quick else chosen.hours, progress)
            if not chosen.quick:
                saved = _saved() | {name: found[name]}
                save("real_sound", {one: saved[one] for one in RUNS if one in saved})
                table.write(_saved(), DOCUMENT)
    if chosen.quick:
        print(json.dumps(found, indent=1))
        print(table.of(found))


def _saved() -> Figures:
    figures: Figures = json.loads(RESULT.read_text(encoding="utf-8"))["figures"] if RESULT.exists() else {}
    return figures


if __name__ == "__main__":
    main()
