"""Window scores of a device, and the decisions on them: scoring takes minutes, deciding seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from processors.adapters.models.detectors import load_detectors
from processors.adapters.models.onnx_model import OnnxModel
from processors.core.alerting.decision_step import step
from processors.core.alerting.detector_state import DetectorState, Output
from processors.core.alerting.observation import ScoredObservation
from processors.stream.decision_contexts import context_of
from producers.source import Source
from tocsin.scoring import FileScorer


@dataclass(frozen=True, slots=True)
class WindowScores:
    """Scores of a device's windows, in order.

    Attributes:
        session: int64 (n,), number of each window's session.
        start: int64 (n,), sample at which that session begins.
        first_sample: int64 (n,), first sample within the session.
        score: float64 (n,).
        n_samples: of every window.
        rate: Hz.
    """

    session: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    first_sample: npt.NDArray[np.int64]
    score: npt.NDArray[np.float64]
    n_samples: int
    rate: int

    def save(self, path: Path) -> None:
        """Writes an npz file."""
        arrays = {name: getattr(self, name) for name in self.__slots__}
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> WindowScores:
        """Reads a file that :meth:`save` wrote."""
        with np.load(path) as arrays:
            found = {name: arrays[name] for name in cls.__slots__}
        return cls(**found | {"n_samples": int(found["n_samples"]), "rate": int(found["rate"])})


def scores_of(model: OnnxModel, parts: Iterable[tuple[int, Source]], advance: Callable[[int], None]) -> WindowScores:
    """Scores sound as the stream would.

    Args:
        model: that scores.
        parts: sessions in order, and the sample at which each begins; one or more windows in all.
        advance: told the samples that are scored.
    """
    scorer = FileScorer(model)
    found: list[tuple[int, int, int, float]] = []
    n_samples = rate = 0
    for number, (start, source) in enumerate(parts):
        for output in scorer.score(source):
            score = output.score
            found.append((number, start, score.first_sample, score.score))
            n_samples, rate = score.n_samples, score.sample_rate
            advance(start + score.end_sample)
    session, starts, first, values = zip(*found, strict=True)
    return WindowScores(np.array(session), np.array(starts), np.array(first), np.array(values), n_samples, rate)


def decisions_on(scores: WindowScores, model: OnnxModel) -> Iterator[tuple[float, Output]]:
    """Decides on scores with the serving core, at the default budget.

    Yields:
        Second at which a window's session begins, and the window's output.
    """
    detector = load_detectors()[model.manifest.detector]
    context, state = context_of(detector, model, None), DetectorState()
    columns = (scores.session.tolist(), scores.start.tolist(), scores.first_sample.tolist(), scores.score.tolist())
    for session, start, first_sample, score in zip(*columns, strict=True):
        observation = ScoredObservation(
            device_id="benchmark",
            detector=detector.name,
            stage="champion",
            session_id=str(session),
            first_sample=first_sample,
            n_samples=scores.n_samples,
            sample_rate=scores.rate,
            captured_ns=0,
            level_dbfs=0.0,
            score=score,
        )
        state, output = step(state, context, observation)
        yield start / scores.rate, output
