"""The nearest-neighbour score on windows of pooled log-mels, as a model."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, numpy_helper

from schemas.features import FeatureSpec
from schemas.manifest import BANDS_OUTPUT, SCORE_OUTPUT
from trainers.recipe import Float32
from trainers.recipes.knn.graph import SCORING, as_stored, constants, model_of
from trainers.recipes.knn.neighbours import Float64, NearestNeighbours

_SUMMARY = """
    rows = Cast <to = 11> (log_mel)
    means, deviations = Split <axis = 2, num_outputs = 2> (rows)
    means_sorted, means_order = TopK <axis = 1> (means, all_rows)
    means_trimmed = Slice (means_sorted, trim_start, trim_end, columns)
    middle = ReduceMean <keepdims = 1> (means_trimmed, columns)
    apart = Sub (means, middle)
    apart_squared = Mul (apart, apart)
    deviations_squared = Mul (deviations, deviations)
    variances = Add (apart_squared, deviations_squared)
    variances_sorted, variances_order = TopK <axis = 1> (variances, all_rows)
    variances_trimmed = Slice (variances_sorted, trim_start, trim_end, columns)
    variance = ReduceMean <keepdims = 0> (variances_trimmed, columns)
    deviation = Sqrt (variance)
    level_of_all = ReduceMean <keepdims = 1> (middle, bands_axis)
    shape = Sub (middle, level_of_all)
    shape_row = Squeeze (shape, columns)
    row = Concat <axis = 1> (shape_row, deviation)
"""
_EXPLANATION = f"""
    closest = Gather <axis = 1> (which, zero)
    origin = Gather <axis = 0> (references, closest)
    step = Sub (white, origin)
    step_squared = Mul (step, step)
    of_means, of_deviations = Split <axis = 1, num_outputs = 2> (step_squared)
    shares = Add (of_means, of_deviations)
    {BANDS_OUTPUT} = Cast <to = 1> (shares)
"""


def summarise(windows: Float32) -> Float64:
    """Each band's mean over a window, without the mean of all bands, then its standard deviation.

    Both are trimmed: in each band the highest and the lowest three tenths of the rows are left out, of the mean and
    then of the squared distance from it, since a sound shorter than three tenths of a window, such as a voice or a
    slammed door, is not a state of the machine. The level is recomputed from the rest, since such a sound changes it
    too.

    Args:
        windows: float32 (n, n_frames, 2 * n_mels), pooled.

    Returns:
        float64 (n, 2 * n_mels).
    """
    means, deviations = np.split(windows.astype(np.float64), 2, axis=2)
    middle = _trimmed_mean(means)
    variance = _trimmed_mean(deviations**2 + (means - middle[:, None]) ** 2)
    return np.concatenate([middle - middle.mean(axis=1, keepdims=True), np.sqrt(variance)], axis=1)


def _trimmed_mean(values: Float64) -> Float64:
    """Trimmed mean over axis 1."""
    left_out = trimmed_rows(values.shape[1])
    mean: Float64 = np.sort(values, axis=1)[:, left_out : values.shape[1] - left_out].mean(axis=1)
    return mean


def trimmed_rows(n_frames: int) -> int:
    """How many of a window's rows are left out at each end."""
    return 3 * n_frames // 10


class KnnModel:
    """See :class:`trainers.model.Model`. A band's share is its part of the squared whitened difference from the nearest
    normal window.

    Args:
        scorer: fitted to rows of :func:`summarise`.
        spec: pooled log-mels.
    """

    def __init__(self, scorer: NearestNeighbours, spec: FeatureSpec) -> None:
        self._scorer = as_stored(scorer)
        self._spec = spec

    @property
    def parameters(self) -> int:
        """See the protocol."""
        scorer = self._scorer
        return scorer.centre.size + scorer.whitening.size + scorer.references.size + scorer.weight.size + 1

    @property
    def outputs(self) -> tuple[str, ...]:
        """See the protocol."""
        return (SCORE_OUTPUT, BANDS_OUTPUT)

    def infer(self, windows: Float32) -> list[Float32]:
        """See the protocol."""
        rows = summarise(windows)
        step = self._scorer.whitened(rows) - self._scorer.nearest(rows)
        shares = sum(np.split(step**2, 2, axis=1))
        return [self._scorer.score(rows).astype(np.float32), np.asarray(shares, dtype=np.float32)]

    def graph(self, example: Float32) -> ModelProto:  # noqa: ARG002
        """See the protocol."""
        spec = self._spec
        return model_of(
            f"(float[batch, {spec.n_frames}, {spec.width}] {spec.transform}) =>"
            f" (float[batch] {SCORE_OUTPUT}, float[batch, {spec.n_mels}] {BANDS_OUTPUT})",
            _SUMMARY + SCORING + _EXPLANATION,
            [*constants(self._scorer), *self._constants()],
        )

    def _constants(self) -> list[TensorProto]:
        n_frames = self._spec.n_frames
        left_out = trimmed_rows(n_frames)
        vectors = {
            "all_rows": [n_frames],
            "trim_start": [left_out],
            "trim_end": [n_frames - left_out],
            "bands_axis": [2],
            "zero": 0,
        }
        return [numpy_helper.from_array(np.array(value, dtype=np.int64), name) for name, value in vectors.items()]
