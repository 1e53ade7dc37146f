"""What the scream recipe learns from and is measured on: labelled takes, real and synthetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rich.progress import track

from processors.core.recording import rows_of
from schemas.features import FeatureSpec
from synthesis.draws import seed_of
from synthesis.harmless import HARMLESS, harmless
from synthesis.machine import random_machine
from synthesis.room import ambience, random_room
from synthesis.scream import scream
from synthesis.sound import SAMPLE_RATE, Clip, Mix, Sound
from trainers.recordings import Recording

Float32 = npt.NDArray[np.float32]

POSITIVE = "positive"
"""The folder of screams; all other folders hold none."""
SYNTHETIC = "synthetic"

_MARGIN_SECONDS = 0.6
_FLOOR_DBFS = -80.0
_ACTIVE_BELOW_LOUDEST_DB = 22.0
_MOSTLY_ACTIVE, _HARDLY_ACTIVE = 0.4, 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """A recording as it is used.

    Attributes:
        name, kind, source: as of :class:`trainers.recordings.Recording`.
        samples: float32 (n,), 16 kHz, with quiet margins, so that short ones fill a window.
        is_scream: whether it holds one.
        is_synthetic: whether it was made, not recorded.
    """

    name: str
    kind: str
    source: str
    samples: Float32
    is_scream: bool
    is_synthetic: bool


def take_of(recording: Recording) -> Take:
    """A recording with margins; it holds a scream if its folder says so."""
    margin = np.zeros(int(_MARGIN_SECONDS * SAMPLE_RATE), dtype=np.float32)
    return Take(
        name=recording.name,
        kind=recording.kind,
        source=recording.source,
        samples=np.concatenate([margin, recording.samples, margin]),
        is_scream=recording.kind == POSITIVE,
        is_synthetic=False,
    )


def synthetic_takes(seed: int, count: int) -> list[Take]:
    """``count`` screams, as many harmless events of each kind in turn, and half as many rooms and machines each."""
    takes = []
    kinds = list(HARMLESS)
    for number in track(range(count), description="making screams", transient=True):
        one = seed_of(seed, number)
        rng = np.random.default_rng(one)
        floor = ambience(seed_of(one, 0))
        kind = kinds[number % len(kinds)]
        takes.append(_made(f"scream-{number}", "scream", scream(one), floor, rng))
        takes.append(_made(f"{kind}-{number}", kind, harmless(one, kind), floor, rng))
        if number % 2 == 0:
            takes.append(_endless(f"room-{number}", "room", random_room(one)))
            takes.append(_endless(f"machine-{number}", "machine", random_machine(one).sound))
    return takes


def frames_of(take: Take, spec: FeatureSpec, gain_db: float = 0.0) -> Float32:
    """Log-mel frames of a take at a gain, above a floor of -80 dBFS white noise that has none, float32 (n, n_mels)."""
    # The floor depends on the length alone, so that the same take always meets the same noise.
    noise = np.random.default_rng(len(take.samples)).standard_normal(len(take.samples), dtype=np.float32)
    samples = take.samples * np.float32(10.0 ** (gain_db / 20.0)) + noise * np.float32(10.0 ** (_FLOOR_DBFS / 20.0))
    return rows_of(np.clip(samples, -1.0, 1.0), SAMPLE_RATE, spec)


def activity(frames: Float32) -> npt.NDArray[np.bool_]:
    """Which frames of a scream's recording sound: those within 22 dB of its loudest twentieth, bool (n,)."""
    energy = 10.0 * np.log10(np.power(10.0, frames / 10.0).sum(axis=1))
    return np.asarray(energy > np.percentile(energy, 95) - _ACTIVE_BELOW_LOUDEST_DB)


def window_labels(take: Take, frames: Float32, starts: npt.NDArray[np.int64], n_frames: int) -> npt.NDArray[np.int8]:
    """1 where a window holds a scream, 0 where it does not, -1 where the energy leaves it open, int8 (len(starts),).

    Recordings of screams have pauses, breath and silence: a window that sounds for less than a tenth is no scream,
    one that sounds for more than two fifths is.
    """
    if not take.is_scream:
        return np.zeros(len(starts), dtype=np.int8)
    sounding = np.concatenate([[0], np.cumsum(activity(frames))])
    share = (sounding[starts + n_frames] - sounding[starts]) / n_frames
    return np.where(share >= _MOSTLY_ACTIVE, 1, np.where(share < _HARDLY_ACTIVE, 0, -1)).astype(np.int8)


def folds_of(takes: Sequence[Take], count: int, seed: int) -> npt.NDArray[np.int64]:
    """The fold each take is tested in, int64 (len(takes),): kinds spread evenly, sources never split."""
    rng = np.random.default_rng(seed)
    fold_of: dict[str, int] = {}
    for kind in sorted({take.kind for take in takes}):
        sources = sorted({take.source for take in takes if take.kind == kind} - fold_of.keys())
        for place, chosen in enumerate(rng.permutation(len(sources))):
            fold_of[sources[chosen]] = place % count
    return np.array([fold_of[take.source] for take in takes], dtype=np.int64)


def _made(name: str, kind: str, samples: npt.NDArray[np.float64], floor: Sound, rng: np.random.Generator) -> Take:
    margin = int(_MARGIN_SECONDS * SAMPLE_RATE)
    loudness = 10.0 ** (rng.uniform(-30.0, -1.0) / 20.0)
    mixed = Mix(((loudness, Clip(samples, margin)), (1.0, floor))).at(0, len(samples) + 2 * margin)
    source = f"{SYNTHETIC}/{name}"
    return Take(name, f"{SYNTHETIC} {kind}", source, mixed.astype(np.float32), kind == "scream", is_synthetic=True)


def _endless(name: str, kind: str, sound: Sound) -> Take:
    samples = np.clip(sound.at(0, 8 * SAMPLE_RATE), -1.0, 1.0).astype(np.float32)
    return Take(name, f"{SYNTHETIC} {kind}", f"{SYNTHETIC}/{name}", samples, is_scream=False, is_synthetic=True)
