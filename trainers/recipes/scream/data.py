"""Data of the scream recipe: labelled recordings, real and synthetic."""

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
"""The folder of screams; all other folders contain none."""
SYNTHETIC = "synthetic"
SCREAM_LABEL, UNCERTAIN_LABEL = "scream", "?"
"""Texts of labels: the span is a scream; it is uncertain. Any other text, and a span without a label: no scream."""

_MARGIN_SECONDS = 0.6
_FLOOR_DBFS = -80.0
_ACTIVE_BELOW_LOUDEST_DB = 22.0
_MOSTLY_ACTIVE, _HARDLY_ACTIVE = 0.4, 0.1


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRecording:
    """A recording with its labels.

    Attributes:
        name, kind, source: as of :class:`trainers.data.recordings.Recording`.
        samples: float32 (n,), with quiet margins, so that short ones fill a window.
        sample_rate: Hz.
        is_scream: whether it contains one.
        is_synthetic: whether it is synthetic, not recorded.
        labels: a person's, seconds from the beginning of the first margin; None: nobody has labelled it, and energy
            decides.
    """

    name: str
    kind: str
    source: str
    samples: Float32
    sample_rate: int
    is_scream: bool
    is_synthetic: bool
    labels: tuple[Label, ...] | None = None

    def at_speed(self, samples: Float32, speed: float) -> LabelledRecording:
        """The same recording at another speed: new samples, and labels with their times scaled."""
        labels = self.labels and tuple(Label(one.start_s / speed, one.end_s / speed, one.text) for one in self.labels)
        return replace(self, samples=samples, labels=labels)


def labelled_recording(
    recording: Recording, labels: Sequence[Label] | None = None, *, unsure: bool = False
) -> LabelledRecording:
    """A recording with margins; its labels or, without them, its folder decide whether it contains a scream.

    Args:
        recording: the file.
        labels: a person's; seconds from the recording's beginning.
        unsure: whether its folder may be wrong: its windows are neither trained on nor counted.
    """
    rate = recording.sample_rate
    margin = np.zeros(int(_MARGIN_SECONDS * rate), dtype=np.float32)
    samples = np.concatenate([margin, recording.samples, margin])
    if unsure:
        labels = [Label(-_MARGIN_SECONDS, len(samples) / rate, UNCERTAIN_LABEL)]
    shifted = None
    if labels is not None:
        shifted = tuple(Label(one.start_s + _MARGIN_SECONDS, one.end_s + _MARGIN_SECONDS, one.text) for one in labels)
    return LabelledRecording(
        name=recording.name,
        kind=recording.kind,
        source=recording.source,
        samples=samples,
        sample_rate=rate,
        is_scream=_contains_scream(recording.kind == POSITIVE, shifted),
        is_synthetic=False,
        labels=shifted,
    )


def _contains_scream(by_folder: bool, labels: tuple[Label, ...] | None) -> bool:
    if labels is None:
        return by_folder
    return any(_is_scream(one) or (by_folder and _is_uncertain(one)) for one in labels)


def _is_scream(label: Label) -> bool:
    return label.text.casefold() == SCREAM_LABEL


def _is_uncertain(label: Label) -> bool:
    return label.text.startswith(UNCERTAIN_LABEL)


def synthetic_recordings(seed: int, count: int, sample_rate: int = SAMPLE_RATE) -> list[LabelledRecording]:
    """``count`` screams, as many harmless events of each kind in turn, and half as many rooms and machines each."""
    recordings = []
    kinds = list(HARMLESS)
    for number in track(range(count), description="making screams"):
        event_seed = seed_of(seed, number)
        rng = np.random.default_rng(event_seed)
        floor = ambience(seed_of(event_seed, 0))
        kind = kinds[number % len(kinds)]
        recordings.append(_event(f"scream-{number}", "scream", varied_scream(event_seed), floor, rng))
        recordings.append(_event(f"{kind}-{number}", kind, harmless(event_seed, kind), floor, rng))
        if number % 2 == 0:
            recordings.append(_background(f"room-{number}", "room", random_room(event_seed)))
            recordings.append(_background(f"machine-{number}", "machine", random_machine(event_seed).sound))
    return [
        replace(one, samples=resampled(one.samples, SAMPLE_RATE, sample_rate), sample_rate=sample_rate)
        for one in recordings
    ]


def frames_of(recording: LabelledRecording, spec: FeatureSpec, gain_db: float = 0.0) -> Float32:
    """Log-mel frames of a recording at a gain, with white noise of -80 dBFS added after it, float32 (n, n_mels)."""
    # The seed depends on the length alone, so that the same recording always gets the same noise.
    noise = np.random.default_rng(len(recording.samples)).standard_normal(len(recording.samples), dtype=np.float32)
    samples = recording.samples * np.float32(10.0 ** (gain_db / 20.0)) + noise * np.float32(
        10.0 ** (_FLOOR_DBFS / 20.0)
    )
    return rows_of(np.clip(samples, -1.0, 1.0), recording.sample_rate, spec)


def mixed_over(foreground: LabelledRecording, background: LabelledRecording, snr_db: float) -> LabelledRecording:
    """A recording mixed over another, which is repeated as needed.

    The SNR is the ratio of mean powers over the whole recordings, without margins: pauses count.
    """
    margin = int(_MARGIN_SECONDS * foreground.sample_rate)
    noise = np.resize(background.samples[margin:-margin], len(foreground.samples))
    signal_power, noise_power = (float(np.mean(np.square(one))) for one in (foreground.samples[margin:-margin], noise))
    scale = np.sqrt(signal_power / max(noise_power, 1e-20) / 10.0 ** (snr_db / 10.0))
    mixed = foreground.samples + noise * np.float32(scale)
    peak = max(float(np.abs(mixed).max()), 1.0)
    return replace(foreground, samples=(mixed / np.float32(peak)).astype(np.float32))


def activity(frames: Float32) -> npt.NDArray[np.bool_]:
    """Frames of a recording in which the scream is audible: within 22 dB of the 95th percentile, bool (n,)."""
    energy = 10.0 * np.log10(np.power(10.0, frames / 10.0).sum(axis=1))
    return np.asarray(energy > np.percentile(energy, 95) - _ACTIVE_BELOW_LOUDEST_DB)


def window_labels(
    recording: LabelledRecording, frames: Float32, starts: npt.NDArray[np.int64], spec: FeatureSpec
) -> npt.NDArray[np.int8]:
    """1 where a window contains a scream, 0 where it does not, -1 where that is uncertain, int8 (len(starts),).

    A person's labels take precedence. Without them energy decides, since recordings of screams have pauses, breath and
    silence. A window covered by a scream for less than a tenth is negative, for more than two fifths positive.
    """
    if recording.labels is None:
        scream = activity(frames) if recording.is_scream else np.zeros(len(frames), bool)
        uncertain = np.zeros(len(frames), bool)
    else:
        scream = _covered(len(frames), [one for one in recording.labels if _is_scream(one)], spec)
        uncertain = _covered(len(frames), [one for one in recording.labels if _is_uncertain(one)], spec)
    scream_share = _share(scream, starts, spec.n_frames)
    uncertain_share = _share(uncertain, starts, spec.n_frames)
    is_uncertain = (scream_share >= _HARDLY_ACTIVE) | (uncertain_share >= _HARDLY_ACTIVE)
    return np.where(scream_share >= _MOSTLY_ACTIVE, 1, np.where(is_uncertain, -1, 0)).astype(np.int8)


def _covered(count: int, labels: Sequence[Label], spec: FeatureSpec) -> npt.NDArray[np.bool_]:
    """Frames with their middle inside a label, bool (count,)."""
    middle = (np.arange(count) * spec.hop + spec.n_fft / 2.0) / spec.sample_rate
    covered = np.zeros(count, bool)
    for one in labels:
        covered |= (middle >= one.start_s) & (middle < one.end_s)
    return covered


def _share(frames: npt.NDArray[np.bool_], starts: npt.NDArray[np.int64], n_frames: int) -> npt.NDArray[np.float64]:
    cumulated = np.concatenate([[0], np.cumsum(frames)])
    return np.asarray((cumulated[starts + n_frames] - cumulated[starts]) / n_frames)


def folds_of(recordings: Sequence[LabelledRecording], count: int, seed: int) -> npt.NDArray[np.int64]:
    """The fold each recording is tested in, int64 (len(recordings),): kinds spread evenly, sources never split."""
    rng = np.random.default_rng(seed)
    fold_of: dict[str, int] = {}
    for kind in sorted({one.kind for one in recordings}):
        sources = sorted({one.source for one in recordings if one.kind == kind} - fold_of.keys())
        for position, index in enumerate(rng.permutation(len(sources))):
            fold_of[sources[index]] = position % count
    return np.array([fold_of[one.source] for one in recordings], dtype=np.int64)


def _event(
    name: str, kind: str, samples: npt.NDArray[np.float64], floor: Sound, rng: np.random.Generator
) -> LabelledRecording:
    margin = int(_MARGIN_SECONDS * SAMPLE_RATE)
    loudness = 10.0 ** (rng.uniform(-30.0, -1.0) / 20.0)
    mixed = Mix(((loudness, Clip(samples, margin)), (1.0, floor))).at(0, len(samples) + 2 * margin)
    source = f"{SYNTHETIC}/{name}"
    return LabelledRecording(
        name, f"{SYNTHETIC} {kind}", source, mixed.astype(np.float32), SAMPLE_RATE, kind == "scream", is_synthetic=True
    )


def _background(name: str, kind: str, sound: Sound) -> LabelledRecording:
    samples = np.clip(sound.at(0, 8 * SAMPLE_RATE), -1.0, 1.0).astype(np.float32)
    return LabelledRecording(
        name, f"{SYNTHETIC} {kind}", f"{SYNTHETIC}/{name}", samples, SAMPLE_RATE, is_scream=False, is_synthetic=True
    )
