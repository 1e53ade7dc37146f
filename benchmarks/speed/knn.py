"""How well and how fast `knn` trains: on recordings of motors and bearings, on clip features, and by the clock.

Run as ``python -m benchmarks.speed.knn DATA``. DATA holds ``motor/<state>_<number>.flac``, ``bearing/*.npz`` with
``acceleration_g`` and ``sample_rate_hz`` (one of them ``normal.npz``), and ``mimii-features/<machine>.npz`` with
``<level>/<id>/normal`` and ``abnormal``, float (clips, columns); what is not there is passed over.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import itertools
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from benchmarks.result import save
from processors.core.audio.recording import rows_of, windows_of
from schemas.features import FeatureSpec
from synthesis.machine import random_machine
from trainers.data.recordings import read_folder
from trainers.evaluation.metrics import auc
from trainers.recipes.knn.data import ContinuousAudio
from trainers.recipes.knn.model import summarise
from trainers.recipes.knn.neighbours import fit
from trainers.recipes.knn.options import KnnOptions, spec_of
from trainers.recipes.knn.recipe import train_knn

RATE = 16_000
FLOOR_DB = 0.1
FULL_SCALE_G = 4.0
FOLDS = 4
SERVING = FeatureSpec(n_frames=3, window_hop=1, pool=50)


def motor(folder: Path, spec: FeatureSpec) -> dict[str, float]:
    """Mean AUC over pairs of states, every fourth clip held out in turn, and the worst pair's."""
    pairs = motor_pairs(folder, spec)
    worst = min(pairs, key=lambda pair: pairs[pair])
    return {"mean": round(statistics.mean(pairs.values()), 4), " -> ".join(worst): round(pairs[worst], 4)}


def motor_pairs(folder: Path, spec: FeatureSpec, *, blocks: bool = False) -> dict[tuple[str, str], float]:
    """Each state in turn as normal, four folds of its clips; AUC of clip means, a mean over folds.

    Args:
        folder: of ``<state>_<number>.flac``, numbered in order of time.
        spec: the features.
        blocks: hold out a quarter in one piece, instead of every fourth clip.
    """
    states: dict[str, list[np.ndarray]] = {}
    for one in read_folder(folder, (), RATE):
        rows = summarise(windows_of(rows_of(one.samples, one.sample_rate, spec), spec))
        states.setdefault(Path(one.name).stem.rpartition("_")[0], []).append(rows)
    found: dict[tuple[str, str], list[float]] = {}
    for normal, fold in itertools.product(states, range(FOLDS)):
        clips = states[normal]
        out = {
            number
            for number in range(len(clips))
            if fold == (number * FOLDS // len(clips) if blocks else number % FOLDS)
        }
        learned = [rows for number, rows in enumerate(clips) if number not in out]
        scorer = fit(np.concatenate(learned), starts(learned, spec.n_frames), spec.n_frames, FLOOR_DB)
        held_out = [scorer.score(clips[number]).mean() for number in sorted(out)]
        for other in states:
            if other != normal:
                others = [scorer.score(rows).mean() for rows in states[other]]
                found.setdefault((normal, other), []).append(auc(held_out, others))
    return {pair: statistics.mean(values) for pair, values in found.items()}


def bearing(folder: Path) -> dict[str, float]:
    """AUC of each fault's windows; the model is trained on the first two thirds of the normal sound, 1 s windows."""
    spec = spec_of(KnnOptions(window=1))
    rows = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as arrays:
            sound = (arrays["acceleration_g"] / FULL_SCALE_G).astype(np.float32)
            rows[path.stem] = summarise(windows_of(rows_of(sound, int(arrays["sample_rate_hz"]), spec), spec))
    normal = rows.pop("normal")
    cut = 2 * len(normal) // 3
    scorer = fit(normal[:cut], np.arange(cut), 1, FLOOR_DB)
    return {name: auc(scorer.score(normal[cut + 1 :]), scorer.score(faulty)) for name, faulty in rows.items()}


def mimii(path: Path) -> dict[str, float]:
    """MIMII's own protocol; mean AUC over machine ids, by level."""
    return {level: round(statistics.mean(ids.values()), 4) for level, ids in mimii_ids(path).items()}


def mimii_ids(path: Path) -> dict[str, dict[str, float]]:
    """MIMII's own protocol: tested on all abnormal clips and as many first normal ones; AUC by level and machine id."""
    found: dict[str, dict[str, float]] = {}
    with np.load(path) as arrays:
        for key in arrays:
            level, unit, kind = key.split("/")
            if kind == "abnormal":
                abnormal, normal = arrays[key], arrays[f"{level}/{unit}/normal"]
                scorer = fit(normal[len(abnormal) :], np.arange(len(normal) - len(abnormal)), 1)
                value = auc(scorer.score(normal[: len(abnormal)]), scorer.score(abnormal))
                found.setdefault(level, {})[unit] = value
    return found


def speed() -> dict[str, float]:
    """Ten minutes of a synthetic machine: seconds of one core to learn it, the graph's size, what a window costs."""
    minute = random_machine(3, "pump").sound.at(0, 60 * RATE)
    sound = np.clip(np.round(np.tile(minute, 10) * 32_768), -32_768, 32_767).astype(np.int16)
    options = KnnOptions()
    began = time.process_time()
    trained = train_knn([ContinuousAudio(sound, RATE, "")], "knn", "", 7, options)
    learned_s = time.process_time() - began
    graph = trained.model.graph(trained.golden).SerializeToString()  # type: ignore[union-attr]
    threads = onnxruntime.SessionOptions()
    threads.intra_op_num_threads = threads.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, threads, providers=["CPUExecutionProvider"])

    def each_us(windows: np.ndarray) -> float:
        return 1e6 * median_s(lambda: session.run(["score", "bands"], {"log_mel": windows})) / len(windows)

    many = windows_of(rows_of(sound[: 80 * RATE], RATE, trained.spec), trained.spec)[:64]
    return {
        "learn_ten_minutes_cpu_s": round(learned_s, 2),
        "graph_kB": round(len(graph) / 1e3),
        "window_alone_cpu_us": round(each_us(many[:1]), 1),
        "window_of_64_cpu_us": round(each_us(many), 1),
    }


def median_s(call: Callable[[], object], turns: int = 200) -> float:
    """Median seconds of the processor that a call takes; others may use it meanwhile."""
    taken = []
    for _ in range(turns):
        began = time.process_time()
        call()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


def starts(recordings: list[np.ndarray], span: int) -> np.ndarray:
    """Where the windows of recordings lie on one time line, none of which share sound, int64 (n,)."""
    lengths = [len(rows) + span for rows in recordings]
    firsts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return np.concatenate([first + np.arange(len(rows)) for first, rows in zip(firsts, recordings, strict=True)])


def main(data: Path) -> None:
    """Measures all that there is data for."""
    figures: dict[str, Any] = {"speed": speed()}
    if (data / "motor").is_dir():
        figures["motor"] = motor(data / "motor", spec_of(KnnOptions(window=3)))
        figures["motor_at_64_mels_of_64_ms"] = motor(data / "motor", SERVING)
    if (data / "bearing").is_dir():
        figures["bearing"] = bearing(data / "bearing")
    for path in sorted((data / "mimii-features").glob("*.npz")):
        figures[f"mimii_{path.stem}"] = mimii(path)
    save("knn", figures)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
