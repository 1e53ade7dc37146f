"""A closed form on windows of pooled log-mels, as a model."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, numpy_helper

from schemas.features import FeatureSpec
from schemas.manifest import BANDS_OUTPUT, SCORE_OUTPUT
from trainers.closed_form import ClosedForm, Float64
from trainers.closed_form_graph import SCORING, kept, model_of, numbers
from trainers.recipe import Float32

_SUMMARY = """
    rows = Cast <to = 11> (log_mel)
    means, deviations = Split <axis = 2, num_outputs = 2> (rows)
    middle = ReduceMean <keepdims = 1> (means, columns)
    apart = Sub (means, middle)
    apart_squared = Mul (apart, apart)
    deviations_squared = Mul (deviations, deviations)
    variances = Add (apart_squared, deviations_squared)
    variance = ReduceMean <keepdims = 0> (variances, columns)
    deviation = Sqrt (variance)
    first = Squeeze (middle, columns)
    row = Concat <axis = 1> (first, deviation)
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
    """Each band's mean over a window's frames, then its standard deviation: float64 (n, 2 * n_mels).

    The variance over all frames is the rows' mean variance and the variance of their means.

    Args:
        windows: float32 (n, n_frames, 2 * n_mels), pooled.
    """
    means, deviations = np.split(windows.astype(np.float64), 2, axis=2)
    variance = means.var(axis=1) + (deviations**2).mean(axis=1)
    return np.concatenate([means.mean(axis=1), np.sqrt(variance)], axis=1)


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

    def answer(self, windows: Float32) -> list[Float32]:
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
            [*numbers(self._form), numpy_helper.from_array(np.array(0, dtype=np.int64), "zero")],
        )
