"""The process that looks at one model file: stdin is the file, stdout a JSON object a line.

It bounds its own memory, computing and time before it reads a byte, and stays bounded when its parent is killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from google.protobuf.message import DecodeError

from processors.adapters.model_check_graph import inspect, metadata_of
from processors.adapters.model_check_limits import CheckLimits
from processors.adapters.onnx_model import OnnxModel, open_session, verified
from schemas.errors import (
    DigestMismatch,
    GoldenMismatch,
    ManifestInvalid,
    ModelRefused,
    ShapeMismatch,
    TooLarge,
    TooSlow,
)
from schemas.manifest import Manifest, read_metadata

# As many as a worker scores at once.
_BATCH = 64
_TRIES = 3
_ALLOCATION = ("bad_alloc", "bad allocation", "failed to allocate", "out of memory")

Float32 = npt.NDArray[np.float32]
Say = Callable[..., None]


def main() -> None:
    """Looks at the file and says what it found."""
    say = _voice()
    limits = CheckLimits(**json.loads(sys.argv[3]))
    _confine(limits)
    try:
        data = _read(sys.argv[2], limits)
        say(answer=_look(data) if sys.argv[1] == "read" else _check(data, limits, say))
    except ModelRefused as error:
        say(refused=type(error).__name__, message=str(error))
    except MemoryError:
        say(refused=TooLarge.__name__, message=_memory(limits))


def _voice() -> Say:
    """Says a JSON object a line; what a library prints goes nowhere."""
    # Left to the kernel to close: the parent takes the pipe's end for the end of the process.
    out = os.dup(1)
    os.dup2(2, 1)

    def say(**content: Any) -> None:
        line = json.dumps(content).encode() + b"\n"
        while line:
            line = line[os.write(out, line) :]

    return say


def _confine(limits: CheckLimits) -> None:
    # The default of SIGALRM ends the process, whatever native code it is in.
    signal.setitimer(signal.ITIMER_REAL, limits.wall_s)
    _limit(resource.RLIMIT_CPU, limits.cpu_s)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    if sys.platform == "linux":
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - one read, before anything else
            pages = int(file.read().split()[0])
        _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + limits.memory_bytes)


def _limit(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))


def _read(sha256: str, limits: CheckLimits) -> bytes:
    data = sys.stdin.buffer.read(limits.file_bytes + 1)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DigestMismatch("the file changed while it was checked")
    return data


def _parsed(data: bytes) -> onnx.ModelProto:
    if data[4:8] == b"ORTM":
        raise ManifestInvalid("a file in onnxruntime's own format: export it as ONNX")
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(data)
    except (DecodeError, ValueError, RecursionError) as error:
        raise ManifestInvalid(f"no ONNX file, or not the whole of one: {str(error)[:200]}") from None
    return model


def _look(data: bytes) -> dict[str, Any]:
    return {"manifest": read_metadata(metadata_of(_parsed(data)))[0].model_dump(mode="json")}


def _check(data: bytes, limits: CheckLimits, say: Say) -> dict[str, Any]:
    say(stage="parse")
    model = _parsed(data)
    nodes, operators = inspect(model, limits)
    manifest, features, scores = read_metadata(metadata_of(model))
    del model
    if not (np.isfinite(features).all() and np.isfinite(scores).all()):
        raise GoldenMismatch("the golden vectors are not finite: export the model anew")
    before = _resident()
    say(stage="load")
    try:
        session = open_session(data, "the file")
    except ManifestInvalid as error:
        raise (TooLarge(_memory(limits)) if _starved(error) else error) from None
    say(stage="score")
    try:
        loaded = verified(session, sys.argv[2], "the file")
        seconds, off = _measure(loaded, features, scores, limits)
    except ModelRefused:
        raise
    except Exception as error:
        # onnxruntime's exceptions share no base but Exception.
        raise _failed(error, manifest, limits) from None
    grown = _resident() - before
    if grown > limits.resident_bytes:
        raise TooLarge(
            f"it takes {grown >> 20} MiB for {_BATCH} windows; at most {limits.resident_bytes >> 20} MiB are allowed"
        )
    return {
        "manifest": loaded.manifest.model_dump(mode="json"),
        "nodes": nodes,
        "operators": operators,
        "golden_off": off,
        "window_s": seconds,
        "resident_bytes": grown,
    }


def _measure(model: OnnxModel, features: Float32, scores: Float32, limits: CheckLimits) -> tuple[float, float]:
    """Seconds a window, alone and among 64, and the largest difference of a golden score.

    Raises:
        GoldenMismatch: a window is scored otherwise among others than alone.
        TooSlow: a window takes longer than it may.
    """
    alone, single_s = _timed(model, features[:1])
    _check_pace(single_s, limits)
    repeated = np.resize(features, (_BATCH, *features.shape[1:]))
    batch, batch_s = _timed(model, repeated)
    seconds = max(single_s, batch_s / _BATCH)
    _check_pace(seconds, limits)
    expected = np.resize(scores, _BATCH)
    off = float(max(np.abs(batch - expected).max(), np.abs(alone - scores[:1]).max()))
    if not (
        np.allclose(batch, expected, rtol=1e-4, atol=1e-4) and np.allclose(alone, scores[:1], rtol=1e-4, atol=1e-4)
    ):
        raise GoldenMismatch(f"alone and among {_BATCH} windows its golden scores differ by up to {off:.3g}")
    return seconds, off


def _timed(model: OnnxModel, features: Float32) -> tuple[Float32, float]:
    """Scores, and the shortest time of some tries: others may use the processor meanwhile."""
    best = float("inf")
    for _ in range(_TRIES):
        start = time.perf_counter()
        scores, _ = model.score(features)
        best = min(best, time.perf_counter() - start)
    return scores, best


def _check_pace(seconds: float, limits: CheckLimits) -> None:
    if seconds > limits.window_s:
        raise TooSlow(
            f"{seconds * 1e3:.3g} ms a window on one thread; at most {limits.window_s * 1e3:g} ms are allowed"
        )


def _failed(error: Exception, manifest: Manifest, limits: CheckLimits) -> ModelRefused:
    if _starved(error):
        return TooLarge(_memory(limits))
    spec = manifest.features
    text = f"it cannot score (n, {spec.n_frames}, {spec.width}) for every n: {str(error)[:300]}"
    invalid = isinstance(error, onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument)
    return ShapeMismatch(text) if invalid else GoldenMismatch(text)


def _starved(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in _ALLOCATION)


def _memory(limits: CheckLimits) -> str:
    return f"it wants more than {limits.memory_bytes >> 20} MiB of memory"


def _resident() -> int:
    """The most memory that was ever resident, bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()
