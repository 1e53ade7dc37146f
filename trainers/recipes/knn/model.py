"""A closed form on windows of pooled log-mels, as a model."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, numpy_helper

from schemas.features import FeatureSpec
from schemas.manifest import BANDS_OUTPUT, SCORE_OUTPUT
from trainers.recipe import Float32
from trainers.recipes.knn.graph import SCORING, kept, model_of, numbers
from trainers.recipes.knn.neighbours import ClosedForm, Float64

_SUMMARY = """
    rows = Cast <to = 11> (log_mel)
    means, deviations = Split <axis = 2, num_outputs = 2> (rows)
    means_sorted, means_order = TopK <axis = 1> (means, all_rows)
    means_kept = Slice (means_sorted, first_kept, end_kept, columns)
    middle = ReduceMean <keepdims = 1> (means_kept, columns)
    apart = Sub (means, middle)
    apart_squared = Mul (apart, apart)
    deviations_squared = Mul (deviations, deviations)
    variances = Add (apart_squared, deviations_squared)
    variances_sorted, variances_order = TopK <axis = 1> (variances, all_rows)
    variances_kept = Slice (variances_sorted, first_kept, end_kept, columns)
    variance = ReduceMean <keepdims = 0> (variances_kept, columns)
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


def summaries(windows: Float32) -> Float64:
    """Each band's mean over a window, without the mean of all bands, then its standard deviation.

    Of each band the three tenths of the rows that are highest and the three tenths that are lowest are left out, of the
    mean and then of the squared distance from it: what comes and goes within three tenths of a window, as a voice or a
    slammed door, is no state of the machine. The level is taken anew from what remains, for such a sound moves it too.

    Args:
        windows: float32 (n, n_frames, 2 * n_mels), pooled.

    Returns:
        float64 (n, 2 * n_mels).
    """
    means, deviations = np.split(windows.astype(np.float64), 2, axis=2)
    middle = _without_extremes(means)
    variance = _without_extremes(deviations**2 + (means - middle[:, None]) ** 2)
    return np.concatenate([middle - middle.mean(axis=1, keepdims=True), np.sqrt(variance)], axis=1)


def _without_extremes(values: Float64) -> Float64:
    """Trimmed mean over axis 1."""
    left_out = left_out_of(values.shape[1])
    kept: Float64 = np.sort(values, axis=1)[:, left_out : values.shape[1] - left_out].mean(axis=1)
    return kept


def left_out_of(n_frames: int) -> int:
    """How many of a window's rows are left out at either end."""
    return 3 * n_frames // 10


class QuickModel:
    """See :class:`trainers.model.Model`. A band's share is its part of the squared whitened step from the nearest
    normal window.

    Args:
        form: learned from :func:`summaries`.
        spec: pooled log-mels.
    """

    def __init__(self, form: ClosedForm, spec: FeatureSpec) -> None:
        self._form = kept(form)
        self._spec = spec

    @property
    def parameters(self) -> int:
        """Numbers learned."""
        form = self._form
        return form.centre.size + form.whitening.size + form.references.size + form.weight.size + 1

    @property
    def outputs(self) -> tuple[str, ...]:
        """See the protocol."""
        return (SCORE_OUTPUT, BANDS_OUTPUT)

    def infer(self, windows: Float32) -> list[Float32]:
        """See the protocol."""
        rows = summaries(windows)
        step = self._form.whitened(rows) - self._form.nearest(rows)
        shares = sum(np.split(step**2, 2, axis=1))
        return [self._form.score(rows).astype(np.float32), np.asarray(shares, dtype=np.float32)]

    def graph(self, example: Float32) -> ModelProto:  # noqa: ARG002
        """See the protocol."""
        spec = self._spec
        return model_of(
            f"(float[batch, {spec.n_frames}, {spec.width}] {spec.transform}) =>"
            f" (float[batch] {SCORE_OUTPUT}, float[batch, {spec.n_mels}] {BANDS_OUTPUT})",
            _SUMMARY + SCORING + _EXPLANATION,
            [*numbers(self._form), *self._constants()],
        )

    def _constants(self) -> list[TensorProto]:
        n_frames = self._spec.n_frames
        left_out = left_out_of(n_frames)
        vectors = {
            "all_rows": [n_frames],
            "first_kept": [left_out],
            "end_kept": [n_frames - left_out],
            "bands_axis": [2],
            "zero": 0,
        }
        return [numpy_helper.from_array(np.array(value, dtype=np.int64), name) for name, value in vectors.items()]
