"""What the scream recipe learns from and is measured on: labelled takes, real and synthetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from processors.core.audio.recording import rows_of
from schemas.features import FeatureSpec
from synthesis.draws import seed_of
from synthesis.harmless import HARMLESS, harmless
from synthesis.machine import random_machine
from synthesis.room import ambience, random_room
from synthesis.scream import varied_scream
from synthesis.sound import SAMPLE_RATE, Clip, Mix, Sound
from trainers.data.audacity import Label
from trainers.data.recordings import Recording, resampled
from trainers.progress import track

Float32 = npt.NDArray[np.float32]

POSITIVE = "positive"
"""The folder of screams; all other folders hold none."""
SYNTHETIC = "synthetic"
SCREAM_MARK, OPEN_MARK = "scream", "?"
"""What a label says of a stretch: it is one; nobody knows. Every other text, and no label at all: it is none."""

_MARGIN_SECONDS = 0.6
_FLOOR_DBFS = -80.0
_ACTIVE_BELOW_LOUDEST_DB = 22.0
_MOSTLY_ACTIVE, _HARDLY_ACTIVE = 0.4, 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """A recording as it is used.

    Attributes:
        name, kind, source: as of :class:`trainers.data.recordings.Recording`.
        samples: float32 (n,), with quiet margins, so that short ones fill a window.
        sample_rate: Hz.
        is_scream: whether it holds one.
        is_synthetic: whether it was made, not recorded.
        marks: what a person has heard where, seconds from the first margin's beginning; None: nobody has listened, and
            energy decides.
    """

    name: str
    kind: str
    source: str
    samples: Float32
    sample_rate: int
    is_scream: bool
    is_synthetic: bool
    marks: tuple[Label, ...] | None = None

    def played(self, samples: Float32, speed: float) -> Take:
        """The same at another speed: new samples, and marks that are where they were heard."""
        marks = self.marks and tuple(Label(one.start_s / speed, one.end_s / speed, one.text) for one in self.marks)
        return replace(self, samples=samples, marks=marks)


def take_of(recording: Recording, labels: Sequence[Label] | None = None, *, unsure: bool = False) -> Take:
    """A recording with margins; it holds a scream if its labels or, without them, its folder say so.

    Args:
        recording: the file.
        labels: a person's; seconds from the recording's beginning.
        unsure: whether its folder may be wrong: none of its windows is learned from or counted.
    """
    rate = recording.sample_rate
    margin = np.zeros(int(_MARGIN_SECONDS * rate), dtype=np.float32)
    samples = np.concatenate([margin, recording.samples, margin])
    if unsure:
        labels = [Label(-_MARGIN_SECONDS, len(samples) / rate, OPEN_MARK)]
    marks = None
    if labels is not None:
        marks = tuple(Label(one.start_s + _MARGIN_SECONDS, one.end_s + _MARGIN_SECONDS, one.text) for one in labels)
    return Take(
        name=recording.name,
        kind=recording.kind,
        source=recording.source,
        samples=samples,
        sample_rate=rate,
        is_scream=_holds_scream(recording.kind == POSITIVE, marks),
        is_synthetic=False,
        marks=marks,
    )


def _holds_scream(by_folder: bool, marks: tuple[Label, ...] | None) -> bool:
    if marks is None:
        return by_folder
    return any(_is_scream(one) or (by_folder and _is_open(one)) for one in marks)


def _is_scream(label: Label) -> bool:
    return label.text.casefold() == SCREAM_MARK


def _is_open(label: Label) -> bool:
    return label.text.startswith(OPEN_MARK)


def synthetic_takes(seed: int, count: int, sample_rate: int = SAMPLE_RATE) -> list[Take]:
    """``count`` screams, as many harmless events of each kind in turn, and half as many rooms and machines each."""
    takes = []
    kinds = list(HARMLESS)
    for number in track(range(count), description="making screams"):
        one = seed_of(seed, number)
        rng = np.random.default_rng(one)
        floor = ambience(seed_of(one, 0))
        kind = kinds[number % len(kinds)]
        takes.append(_made(f"scream-{number}", "scream", varied_scream(one), floor, rng))
        takes.append(_made(f"{kind}-{number}", kind, harmless(one, kind), floor, rng))
        if number % 2 == 0:
            takes.append(_endless(f"room-{number}", "room", random_room(one)))
            takes.append(_endless(f"machine-{number}", "machine", random_machine(one).sound))
    return [
        replace(one, samples=resampled(one.samples, SAMPLE_RATE, sample_rate), sample_rate=sample_rate) for one in takes
    ]


def frames_of(take: Take, spec: FeatureSpec, gain_db: float = 0.0) -> Float32:
    """Log-mel frames of a take at a gain, above a floor of -80 dBFS white noise that has none, float32 (n, n_mels)."""
    # The floor depends on the length alone, so that the same take always meets the same noise.
    noise = np.random.default_rng(len(take.samples)).standard_normal(len(take.samples), dtype=np.float32)
    samples = take.samples * np.float32(10.0 ** (gain_db / 20.0)) + noise * np.float32(10.0 ** (_FLOOR_DBFS / 20.0))
    return rows_of(np.clip(samples, -1.0, 1.0), take.sample_rate, spec)


def over(take: Take, behind: Take, snr_db: float) -> Take:
    """A take in front of another, which is repeated as need be.

    The ratio is that of mean powers over the whole recordings, without margins: pauses count.
    """
    edge = int(_MARGIN_SECONDS * take.sample_rate)
    back = np.resize(behind.samples[edge:-edge], len(take.samples))
    front_power, back_power = (float(np.mean(np.square(one))) for one in (take.samples[edge:-edge], back))
    scale = np.sqrt(front_power / max(back_power, 1e-20) / 10.0 ** (snr_db / 10.0))
    mixed = take.samples + back * np.float32(scale)
    loudest = max(float(np.abs(mixed).max()), 1.0)
    return replace(take, samples=(mixed / np.float32(loudest)).astype(np.float32))


def activity(frames: Float32) -> npt.NDArray[np.bool_]:
    """Which frames of a scream's recording sound: those within 22 dB of its loudest twentieth, bool (n,)."""
    energy = 10.0 * np.log10(np.power(10.0, frames / 10.0).sum(axis=1))
    return np.asarray(energy > np.percentile(energy, 95) - _ACTIVE_BELOW_LOUDEST_DB)


def window_labels(
    take: Take, frames: Float32, starts: npt.NDArray[np.int64], spec: FeatureSpec
) -> npt.NDArray[np.int8]:
    """1 where a window holds a scream, 0 where it does not, -1 where that is open, int8 (len(starts),).

    A person's labels go first. Without them energy decides: recordings of screams have pauses, breath and silence. A
    window of which a scream covers less than a tenth is none, one of which it covers more than two fifths is one.
    """
    if take.marks is None:
        sounding = activity(frames) if take.is_scream else np.zeros(len(frames), bool)
        unknown = np.zeros(len(frames), bool)
    else:
        sounding = _covered(len(frames), [one for one in take.marks if _is_scream(one)], spec)
        unknown = _covered(len(frames), [one for one in take.marks if _is_open(one)], spec)
    share, open_share = _share(sounding, starts, spec.n_frames), _share(unknown, starts, spec.n_frames)
    is_open = (share >= _HARDLY_ACTIVE) | (open_share >= _HARDLY_ACTIVE)
    return np.where(share >= _MOSTLY_ACTIVE, 1, np.where(is_open, -1, 0)).astype(np.int8)


def _covered(count: int, labels: Sequence[Label], spec: FeatureSpec) -> npt.NDArray[np.bool_]:
    """Frames whose middle lies within a label, bool (count,)."""
    middle = (np.arange(count) * spec.hop + spec.n_fft / 2.0) / spec.sample_rate
    covered = np.zeros(count, bool)
    for one in labels:
        covered |= (middle >= one.start_s) & (middle < one.end_s)
    return covered


def _share(frames: npt.NDArray[np.bool_], starts: npt.NDArray[np.int64], n_frames: int) -> npt.NDArray[np.float64]:
    summed = np.concatenate([[0], np.cumsum(frames)])
    return np.asarray((summed[starts + n_frames] - summed[starts]) / n_frames)


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
    heard = mixed.astype(np.float32)
    return Take(name, f"{SYNTHETIC} {kind}", source, heard, SAMPLE_RATE, kind == "scream", is_synthetic=True)


def _endless(name: str, kind: str, sound: Sound) -> Take:
    samples = np.clip(sound.at(0, 8 * SAMPLE_RATE), -1.0, 1.0).astype(np.float32)
    return Take(
        name, f"{SYNTHETIC} {kind}", f"{SYNTHETIC}/{name}", samples, SAMPLE_RATE, is_scream=False, is_synthetic=True
    )
