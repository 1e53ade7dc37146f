"""Thresholds on real recordings, looped for a day through the shipped models and the serving core.

``python -m benchmarks.real_sound DATA`` saves ``results/real_sound.json`` and writes its tables into
``docs/appendix/real-sound.md``; ``--only`` measures the devices whose names begin or end so and leaves the others'
figures, ``--hours`` sets the simulated time, ``--cache`` keeps models and scores for the next run,
``--quick`` runs one hour of everything and saves nothing, ``--redraw`` writes the tables from the saved result.
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
from benchmarks.real_sound.devices import MOTOR_STATES, SCENES
from benchmarks.real_sound.match import DetectionLog, TimedEvent, figures_of
from benchmarks.real_sound.scene import Scene, sessions
from benchmarks.result import save
from benchmarks.window_scores import WindowScores, decisions_on, scores_of
from processors.adapters.models.detectors import load_detectors
from processors.adapters.models.onnx_model import OnnxModel, load_model, load_shipped
from processors.core.alerting.decision_context import hop_of
from producers.pcm import Block, to_block
from synthesis.draws import seed_of
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


@dataclass(frozen=True, slots=True)
class Run:
    """A device that is played, and the model that scores it.

    Attributes:
        scene: that is played.
        shipped: detector whose shipped model scores; unused for a model of its own.
        trained_on: scene of whose sound the device's own model is trained; "" for the shipped one.
    """

    scene: str
    shipped: str = "scream"
    trained_on: str = ""


RUNS = {
    "room": Run("room"),
    "motor": Run("motor", "machine"),
    "bearing": Run("bearing", "machine"),
    **{f"motor {n}, own model": Run(f"motor {n}", trained_on=f"motor {n}") for n in range(MOTOR_STATES)},
    "bearing, own model": Run("bearing", trained_on="bearing"),
    **{
        f"motor {n}, own model, new clips": Run(f"motor {n}, a fourth", trained_on=f"motor {n}, the others")
        for n in range(MOTOR_STATES)
    },
}


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
        length = BLOCK_S * self.scene.rate
        for start in range(self.start, self.end, length):
            stop = min(start + length, self.end)
            yield to_block(self.scene.at(start, stop)[:, None], at=start - self.start)


def own_model(data: Path, device: str, folder: Path) -> OnnxModel:
    """The knn recipe's model of ten minutes of the device's normal sound, with its default options.

    These are another loop of the recordings than the scored one: scores on the training audio itself would be lower.

    Args:
        data: folder of the recordings.
        device: a name in :data:`SCENES`.
        folder: for the model's files.
    """
    scene = SCENES[device](data, 1.0, SEED + 1)
    first = to_block(scene.at(0, TRAINING_S * scene.rate)[:, None]).samples
    name = "knn-" + device.replace(", ", "-").replace(" ", "-")
    trained = train_knn([ContinuousAudio(first, scene.rate, "")], name, "ten minutes of its own", SEED, KnnOptions())
    return load_model(write(trained, folder, SEED, "0"))


def run(data: Path, name: str, hours: float, cache: Path, progress: Progress) -> Figures:
    """Figures of one device over all its hours; scores found in ``cache`` are not computed again."""
    chosen, began = RUNS[name], time.process_time()
    scene = SCENES[chosen.scene](data, hours, SEED)
    folder = cache / name.replace(", ", "-").replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    kept, saved = next(iter(folder.glob("*.onnx")), None), folder / f"scores-{hours:g}-h.npz"
    if not chosen.trained_on:
        model = load_shipped(chosen.shipped)
    else:
        model = load_model(kept) if kept else own_model(data, chosen.trained_on, folder)
    if saved.exists():
        scores = WindowScores.load(saved)
    else:
        task = progress.add_task(name, total=scene.n_samples)
        parts = sessions(scene.n_samples, scene.rate, seed_of(SEED, 3))
        sources = ((start, Session(scene, start, end)) for start, end in parts)
        scores = scores_of(model, sources, lambda at: progress.update(task, completed=at))
        scores.save(saved)
    log = DetectionLog()
    for start_s, output in decisions_on(scores, model):
        log.add(output.score, start_s)
        log.notices += sum(notice.kind == "drift" for notice in output.notices)
    detector, spec = load_detectors()[model.manifest.detector], model.spec
    grace_s = spec.window_seconds + detector.window_count * hop_of(spec) / 1e9
    events = [
        TimedEvent(event.kind, event.wanted, event.start / scene.rate, event.end / scene.rate) for event in scene.events
    ]
    return {
        "model": "knn" if chosen.trained_on else chosen.shipped,
        "model_version": model.manifest.version,
        "model_threshold": model.calibration.threshold,
        "window_s": round(spec.window_seconds, 2),
        "sessions": int(scores.session[-1]) + 1,
        "cpu_s": round(time.process_time() - began, 1),
        **figures_of(log, events, grace_s, hours),
    }


def main() -> None:
    """Runs the devices one after the other and saves each result at once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--hours", type=float, default=HOURS, help="of audio per device, 1 or more")
    parser.add_argument("--only", nargs="+", default=[""], metavar="PREFIX")
    parser.add_argument("--quick", action="store_true", help="one hour of everything; nothing is saved")
    parser.add_argument("--cache", type=Path, help="folder for models and scores, used again by the next run with it")
    parser.add_argument("--redraw", action="store_true", help="tables from the saved result")
    chosen = parser.parse_args()
    if chosen.redraw:
        table.write(_saved(), DOCUMENT)
        return
    if chosen.data is None:
        parser.error("DATA is missing: the folder that holds the recordings")
    if chosen.hours < 1.0:
        parser.error(f"--hours {chosen.hours:g} is too short: the faults of a machine take an hour; give 1 or more")
    names = [name for name in RUNS if name.startswith(tuple(chosen.only)) or name.endswith(tuple(chosen.only))]
    if not names:
        parser.error(f"--only {' '.join(chosen.only)}: no device begins or ends so; there are {'; '.join(RUNS)}")
    found: Figures = {}
    with tempfile.TemporaryDirectory() as temporary, Progress(console=Console(stderr=True)) as progress:
        hours = 1.0 if chosen.quick else chosen.hours
        for name in names:
            found[name] = run(chosen.data, name, hours, chosen.cache or Path(temporary), progress)
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
