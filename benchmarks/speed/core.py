"""CPU cost of a second of audio in the core, by step, compared with librosa in the same run; one thread.

Calls are timed alternately, so that load on the machine affects all; use the medians and their ratios.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import statistics
import time
from collections.abc import Callable

import librosa
import numpy as np

from benchmarks.result import save
from processors.adapters.models.onnx_model import load_shipped
from processors.core.audio.mel import LogMel
from processors.core.audio.resample import Resampler
from processors.core.models.model import Slot
from processors.core.windowing.extraction import Extractor
from processors.core.windowing.segment import Segment
from processors.stream.batch_scorer import BatchScorer
from schemas.chunk import Chunk
from schemas.features import FeatureSpec

RATE = 16_000
DEVICES, SECONDS, TURNS = 32, 8, 9


def timed(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of each call, timed alternately."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(TURNS + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if turn:  # the first turn is a warm-up
                taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in taken.items()}


def features() -> dict[str, float]:
    """Log-mel of a second of 16 kHz audio, ms: ours, and librosa's with the same specification."""
    spec = FeatureSpec(n_frames=1, window_hop=1)
    sound = np.random.default_rng(1).normal(0, 0.1, RATE).astype(np.float32)
    engine = LogMel(spec)
    frames = np.lib.stride_tricks.sliding_window_view(sound, spec.n_fft)[:: spec.hop]

    def by_librosa() -> object:
        power = librosa.feature.melspectrogram(
            y=sound, sr=RATE, n_fft=spec.n_fft, hop_length=spec.hop, n_mels=spec.n_mels, fmin=spec.fmin,
            fmax=spec.fmax, center=False,
        )  # fmt: skip
        return librosa.power_to_db(power, top_db=None)

    taken = timed({"ours": lambda: engine(frames), "librosa": by_librosa})
    return {
        "log_mel_ms": round(1e3 * taken["ours"], 4),
        "librosa_ms": round(1e3 * taken["librosa"], 4),
        "librosa_over_ours": round(taken["librosa"] / taken["ours"], 2),
    }


def resampling() -> dict[str, float]:
    """Resampling a second of audio to 16 kHz, ms, by source rate."""
    found = {}
    for rate in (12_000, 44_100, 48_000):
        resampler = Resampler(rate, RATE)
        sound = np.random.default_rng(2).normal(0, 0.1, rate).astype(np.float32)
        last = resampler.outputs_until(rate)
        taken = timed({"": lambda r=resampler, s=sound, n=last: r(s, 0, 0, n)})
        found[f"from_{rate}_ms"] = round(1e3 * taken[""], 3)
    return found


def scoring(detector: str) -> dict[str, float]:
    """Chunks to scores, batched over devices as a worker does: ms of one core a second of a device's sound."""
    model_set = {Slot(detector, "champion"): load_shipped(detector)}
    pcm = np.random.default_rng(3).normal(0, 1_000, RATE // 2).astype(np.int16).tobytes()

    def run(process: Callable[[list[tuple[Segment, Chunk, int]]], object]) -> None:
        segments = [Segment(f"d{n}", "s", RATE, 0, model_set) for n in range(DEVICES)]
        for number in range(2 * SECONDS):
            chunk = [Chunk(s.device_id, "s", number, number * RATE // 2, RATE, 1, 0, pcm) for s in segments]
            process([(segment, c, number) for segment, c in zip(segments, chunk, strict=True)])

    partition_by_device = {f"d{n}": 0 for n in range(DEVICES)}
    extractor, scorer = Extractor(), BatchScorer()
    taken = timed(
        {
            "windows": lambda: run(extractor.extract),
            "scores": lambda: run(lambda jobs: scorer.score(jobs, partition_by_device)),
        }
    )
    each = {name: 1e3 * seconds / (DEVICES * SECONDS) for name, seconds in taken.items()}
    return {
        "windows_ms": round(each["windows"], 4),
        "windows_and_scores_ms": round(each["scores"], 4),
        "devices_per_core": int(1e3 / each["scores"]),
    }


if __name__ == "__main__":
    save(
        "core",
        {
            "features": features(),
            "resampling": resampling(),
            "machine": scoring("machine"),
            "scream": scoring("scream"),
        },
    )
