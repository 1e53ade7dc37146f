"""Chunks in, scored windows out: all of a worker's signal processing and inference, in one call off the event loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from processors.core.alerting.decision import ScoredWindow
from processors.core.audio.mel import normalise_level
from processors.core.models.model import ScoringModel
from processors.core.windowing.extraction import Extractor
from processors.core.windowing.segment import Segment
from processors.core.windowing.window import Window
from schemas.chunk import Chunk
from schemas.errors import ModelRefused, ScoreNotFinite, ScoringFailed, ShapeMismatch

Float32 = npt.NDArray[np.float32]


class ModelsFailed(Exception):
    """Models failed while they scored a batch; nothing of the batch is lost.

    Attributes:
        windows: all of the batch, in their order.
        scored: those that were scored, by index.
        errors: of each model that failed, by sha256.
    """

    def __init__(
        self, windows: Sequence[Window], scored: Mapping[int, ScoredWindow], errors: Mapping[str, ModelRefused]
    ) -> None:
        super().__init__("; ".join(map(str, errors.values())))
        self.windows, self.scored, self.errors = windows, scored, errors


class BatchScorer:
    """Extracts windows and scores them, in batches over devices."""

    def __init__(self) -> None:
        self._extractor = Extractor()

    def score(
        self, arrivals: Sequence[tuple[Segment, Chunk, int]], partition_by_device: Mapping[str, int]
    ) -> list[ScoredWindow]:
        """Scores the windows that the chunks complete, each with its own model.

        Args:
            arrivals: segment, its next chunk, and the chunk's offset, in stream order.
            partition_by_device: of the audio topic.

        Raises:
            ModelsFailed: a model gave no finite scores.

        Returns:
            Scored windows; those of one device and slot are in order of their ends.
        """
        windows = self._extractor.extract(arrivals)
        scored, errors = score_windows(dict(enumerate(windows)), partition_by_device)
        if errors:
            raise ModelsFailed(windows, scored, errors)
        # Back in their order: where a model takes over within a batch, the old one's windows come first.
        return [scored[index] for index in range(len(windows))]


def score_windows(
    windows: Mapping[int, Window], partition_by_device: Mapping[str, int]
) -> tuple[dict[int, ScoredWindow], dict[str, ModelRefused]]:
    """Scores windows by their models, each in one batch.

    Args:
        windows: by index.
        partition_by_device: of the audio topic.

    Returns:
        The windows of models that did not fail, by index, and the errors of those that did, by sha256.
    """
    by_model: dict[str, list[int]] = {}
    for index, window in windows.items():
        by_model.setdefault(window.model.ref.sha256, []).append(index)
    scored: dict[int, ScoredWindow] = {}
    errors: dict[str, ModelRefused] = {}
    for sha256, indices in by_model.items():
        try:
            of_one_model = _score([windows[index] for index in indices], partition_by_device)
        except ModelRefused as error:
            errors[sha256] = error
        else:
            scored.update(zip(indices, of_one_model, strict=True))
    return scored, errors


def _score(windows: Sequence[Window], partition_by_device: Mapping[str, int]) -> list[ScoredWindow]:
    model = windows[0].model
    features = normalise_level(np.stack([window.rows for window in windows]), model.spec)
    try:
        scores, bands = model.score(features)
    except Exception as error:
        # onnxruntime's exceptions have no common base but Exception.
        text = f"{type(error).__name__}: {str(error)[:300]}"
        raise ScoringFailed(f"{_named(model)} raised {text}: export it again") from None
    _check(model, windows, scores, bands)
    return [
        ScoredWindow(
            window=window,
            partition=partition_by_device[window.device_id],
            score=float(scores[row]),
            bands=None if bands is None else bands[row],
        )
        for row, window in enumerate(windows)
    ]


def _check(model: ScoringModel, windows: Sequence[Window], scores: Float32, bands: Float32 | None) -> None:
    """Refuses what is not one finite score, and finite bands, for each window."""
    n, n_mels = len(windows), model.spec.n_mels
    if scores.shape != (n,) or (bands is not None and bands.shape != (n, n_mels)):
        got = f"{scores.shape} scores and {None if bands is None else bands.shape} bands"
        raise ShapeMismatch(f"{_named(model)} gave {got} for {n} windows: export it again")
    finite = np.isfinite(scores)
    if bands is not None:
        finite &= np.isfinite(bands).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        window = windows[row]
        where = f"{window.device_id!r}, session {window.session_id!r}, sample {window.first_sample}"
        raise ScoreNotFinite(f"{_named(model)} gave {scores[row]} for {where}: export it again")


def _named(model: ScoringModel) -> str:
    return f"model {model.ref.name} {model.ref.version}"
