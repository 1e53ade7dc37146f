"""The grid of windows on a session, computed from a model file's own description of its input."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import onnx

from benchmarks.faults.oracle.sound import Stretch

# The resampler reaches this many zero crossings of its sinc to either side, at this share of the lower rate.
_ZERO_CROSSINGS, _ROLL_OFF, _MAX_PHASES = 24, 0.94, 2_000


@dataclass(frozen=True, slots=True)
class Geometry:
    """Windows in samples at the model's rate.

    Attributes:
        rate: Hz.
        hop: from one window's start to the next.
        length: of a window.
    """

    rate: int
    hop: int
    length: int


@dataclass(frozen=True, slots=True)
class Window:
    """A window on its device's own samples.

    Attributes:
        first, end: its samples.
        needs_first, needs_last: the samples it depends on, inclusive; resampling reaches a little further.
    """

    first: int
    end: int
    needs_first: int
    needs_last: int


def geometry_of(path: Path) -> Geometry:
    """What a model file says of its windows."""
    texts = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    spec = json.loads(texts["tocsin.manifest"])["features"]
    pool = spec.get("pool", 1)
    return Geometry(
        rate=spec["sample_rate"],
        hop=spec["window_hop"] * pool * spec["hop"],
        length=(spec["n_frames"] * pool - 1) * spec["hop"] + spec["n_fft"],
    )


def geometries(folders: Sequence[Path]) -> dict[str, Geometry]:
    """The geometry of every readable model file, by the digest of its bytes."""
    found = {}
    for path in (path for folder in folders if folder.is_dir() for path in folder.rglob("*.onnx")):
        try:
            found[hashlib.sha256(path.read_bytes()).hexdigest()] = geometry_of(path)
        except Exception:  # noqa: S112 - hostile files lie in the store too; no score may name one
            continue
    return found


def windows(stretch: Stretch, geometry: Geometry) -> Iterator[Window]:
    """The windows that a stretch of sound holds whole."""
    ratio = Fraction(stretch.rate, geometry.rate).limit_denominator(_MAX_PHASES)
    reach = 0 if ratio == 1 else math.ceil(_ZERO_CROSSINGS / (_ROLL_OFF * min(1.0, 1 / float(ratio))))
    # A stretch that does not begin its session lacks what the resampler needs before its first sample.
    at = 0
    if stretch.first:
        start = math.ceil((stretch.first + max(reach - 1, 0)) / ratio)
        at = -(-start // geometry.hop)
    while True:
        begin, last = at * geometry.hop, at * geometry.hop + geometry.length - 1
        needs_last = math.floor(last * ratio) + reach
        if needs_last >= stretch.end:
            return
        first = math.floor(begin * ratio)
        yield Window(
            first=first,
            end=math.floor((begin + geometry.length) * ratio),
            needs_first=max(stretch.first, first - max(reach - 1, 0)),
            needs_last=needs_last,
        )
        at += 1
