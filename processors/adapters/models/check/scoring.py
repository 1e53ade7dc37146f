"""Loading and running a model under check, in the process that may fail."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

from processors.adapters.models.check.extremes import extreme_windows
from processors.adapters.models.check.limits import EXTREMES, GOLDEN, LOAD, MANIFEST, MEMORY, PACE, CheckLimits
from processors.adapters.models.onnx_model import OnnxModel, open_session, verified
from schemas.errors import (
    GoldenMismatch,
    ManifestInvalid,
    ModelRefused,
    ScoreNotFinite,
    ShapeMismatch,
    TooLarge,
    TooSlow,
)
from schemas.manifest import read_metadata

_NAME = "the file"
# As many windows as a worker scores at once.
_BATCH = 64
_REPEATS = 3
_TOLERANCE = 1e-4
_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "failed to allocate", "out of memory")

Float32 = npt.NDArray[np.float32]


def try_model(
    data: bytes, sha256: str, metadata: dict[str, str], limits: CheckLimits, on_passed: Callable[[str], None]
) -> dict[str, Any]:
    """Loads a model and scores sound at its extremes, and its golden windows, one by one and 64 at once.

    Args:
        data: the file.
        sha256: its digest.
        metadata: its ``metadata_props``.
        limits: see :class:`processors.adapters.models.check.limits.CheckLimits`.
        on_passed: called with each check that passed.

    Returns:
        Fields of :class:`processors.adapters.models.check.artefact.CheckReport`.

    Raises:
        ModelRefused: the class names why.
    """
    manifest, features, scores = read_metadata(metadata)
    if not (np.isfinite(features).all() and np.isfinite(scores).all()):
        raise GoldenMismatch("the golden vectors are not finite: export the model anew")
    on_passed(MANIFEST)
    before = _peak_resident_bytes()
    try:
        session = open_session(data, _NAME)
    except ManifestInvalid as error:
        raise (TooLarge(limits.too_much_memory) if _is_out_of_memory(error) else error) from None
    on_passed(LOAD)
    try:
        model = verified(session, sha256, _NAME)
        on_passed(GOLDEN)
        _check_extremes(model, limits)
        on_passed(EXTREMES)
        seconds, off = _measure(model, features, scores, limits)
    except ModelRefused:
        raise
    except Exception as error:
        # onnxruntime's exceptions have no common base but Exception.
        raise _failed(error, features, limits) from None
    on_passed(PACE)
    grown = _peak_resident_bytes() - before
    if grown > limits.resident_bytes:
        raise TooLarge(
            f"it takes {grown >> 20} MiB for {_BATCH} windows; at most {limits.resident_bytes >> 20} MiB are allowed"
        )
    on_passed(MEMORY)
    return {
        "manifest": manifest.model_dump(mode="json"),
        "golden_off": off,
        "window_s": seconds,
        "resident_bytes": grown,
    }


def _check_extremes(model: OnnxModel, limits: CheckLimits) -> None:
    """Scores silence, clipping, single samples and the like.

    Raises:
        ScoreNotFinite: a score, or a band's contribution, is not a finite number.
        TooSlow: such a window takes longer than allowed.
    """
    for name, window in extreme_windows(model.spec):
        scores, seconds = _timed(model, window, limits.window_s)
        _, bands = model.score(window)
        if not np.isfinite(scores).all() or (bands is not None and not np.isfinite(bands).all()):
            raise ScoreNotFinite(f"it gives {scores[0]} for {name}: train or export it again")
        _check_pace(seconds, limits)


def _measure(model: OnnxModel, features: Float32, scores: Float32, limits: CheckLimits) -> tuple[float, float]:
    """Seconds per window, the longer of alone and among 64, and the largest deviation of a golden score.

    Raises:
        GoldenMismatch: a window's score differs between alone and among others.
        TooSlow: a window takes longer than allowed.
    """
    alone, single_s = _timed(model, features[:1], limits.window_s)
    _check_pace(single_s, limits)
    batch, batch_s = _timed(model, np.resize(features, (_BATCH, *features.shape[1:])), _BATCH * limits.window_s)
    seconds = max(single_s, batch_s / _BATCH)
    _check_pace(seconds, limits)
    got, wanted = np.append(alone, batch), np.append(scores[:1], np.resize(scores, _BATCH))
    off = float(np.abs(got - wanted).max())
    if not np.allclose(got, wanted, rtol=_TOLERANCE, atol=_TOLERANCE):
        raise GoldenMismatch(f"alone and among {_BATCH} windows its golden scores differ by up to {off:.3g}")
    return seconds, off


def _timed(model: OnnxModel, features: Float32, limit_s: float) -> tuple[Float32, float]:
    """Scores, and the shortest time of some tries, seconds.

    Where that is more than ``limit_s``, the mean processor time counts if it is less: other processes may be busy. Its
    clock is too coarse to use always.
    """
    best, computed = float("inf"), time.process_time()
    for _ in range(_REPEATS):
        start = time.perf_counter()
        scores, _ = model.score(features)
        best = min(best, time.perf_counter() - start)
    computed = (time.process_time() - computed) / _REPEATS
    return scores, best if best <= limit_s else min(best, computed)


def _check_pace(seconds: float, limits: CheckLimits) -> None:
    if seconds > limits.window_s:
        raise TooSlow(f"{seconds * 1e3:.3g} ms a window; at most {limits.window_s * 1e3:g} ms are allowed")


def _failed(error: Exception, features: Float32, limits: CheckLimits) -> ModelRefused:
    if _is_out_of_memory(error):
        return TooLarge(limits.too_much_memory)
    n_frames, width = features.shape[1:]
    text = f"it cannot score (n, {n_frames}, {width}) for every n: {str(error)[:300]}"
    return ShapeMismatch(text) if isinstance(error, InvalidArgument) else GoldenMismatch(text)


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in _OUT_OF_MEMORY)


def _peak_resident_bytes() -> int:
    """Peak resident memory, bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
