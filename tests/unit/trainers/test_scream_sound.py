"""Labels by energy or by a person, and folds by source."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from synthesis.harmless import harmless
from synthesis.scream import scream
from trainers.data.audacity import Label
from trainers.data.recordings import Recording
from trainers.recipes.scream.data import (
    LabelledRecording,
    folds_of,
    frames_of,
    labelled_recording,
    mixed_over,
    window_labels,
)
from trainers.recipes.scream.options import SPEC

pytestmark = pytest.mark.train

RATE = 16_000


def _labelled(
    samples: npt.NDArray[np.floating], *, is_scream: bool = True, source: str = "s", kind: str = "positive"
) -> Any:
    return LabelledRecording("t", kind, source, samples.astype(np.float32), RATE, is_scream, is_synthetic=False)


def _labels(recording: Any) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.integer]]:
    frames = frames_of(recording, SPEC)
    starts = np.arange(0, len(frames) - SPEC.n_frames + 1, 12)
    return starts * SPEC.hop / RATE, window_labels(recording, frames, starts, SPEC)


def _recording(kind: str) -> Recording:
    return Recording(f"{kind}/a.wav", kind, f"{kind}/a", np.zeros(4 * RATE, np.float32), RATE, "0", RATE, 0.0)


def test_the_pause_within_a_scream_is_not_called_one() -> None:
    _, labels = _labels(_labelled(np.concatenate([0.5 * scream(1, 2.0), np.zeros(3 * RATE)])))
    assert labels[0] == 1
    assert labels[-1] == 0
    assert -1 in labels


def test_no_window_of_another_kind_is_a_scream() -> None:
    _, labels = _labels(_labelled(0.5 * scream(1, 2.0), is_scream=False))
    assert not labels.any()


def test_a_persons_labels_take_precedence_over_energy() -> None:
    recording = labelled_recording(_recording("positive"), [Label(1.0, 2.5, "Scream"), Label(3.0, 4.0, "? scream")])
    starts, labels = _labels(recording)
    assert recording.is_scream
    # Margins of 0.6 s are before and after.
    assert (labels[(starts > 1.4) & (starts < 2.3)] == 1).all()
    assert (labels[starts < 0.5] == 0).all()
    assert (labels[(starts > 3.3) & (starts < 4.2)] == -1).all()


def test_labels_take_precedence_over_the_folder_too() -> None:
    assert labelled_recording(_recording("street"), [Label(0.0, 1.0, "scream")]).is_scream
    assert not labelled_recording(_recording("positive"), [Label(0.0, 1.0, "laughter")]).is_scream
    assert not labelled_recording(_recording("positive"), []).is_scream
    assert labelled_recording(_recording("positive")).is_scream
    assert not labelled_recording(_recording("street")).is_scream


def test_recordings_in_an_uncertain_folder_are_neither_trained_on_nor_counted() -> None:
    recording = labelled_recording(_recording("positive"), unsure=True)
    assert recording.is_scream
    assert (_labels(recording)[1] == -1).all()


def test_labels_scale_with_the_speed() -> None:
    recording = labelled_recording(_recording("positive"), [Label(1.0, 2.0, "scream")])
    faster = recording.at_speed(recording.samples[::2], 2.0)
    (label,) = faster.labels  # type: ignore[misc]
    assert (label.start_s, label.end_s) == pytest.approx((0.8, 1.3))


def test_gain_lowers_the_sound_but_not_the_floor() -> None:
    recording = _labelled(0.5 * scream(1, 2.0))
    loud, quiet = frames_of(recording, SPEC), frames_of(recording, SPEC, -20.0)
    assert np.median(loud.max(axis=1) - quiet.max(axis=1)) > 19.0
    assert quiet.min() > -110.0


def test_a_scream_mixed_over_a_room_has_the_snr_asked_for() -> None:
    margin = np.zeros(int(0.6 * RATE))
    foreground = _labelled(np.concatenate([margin, 0.1 * scream(1, 2.0), margin]))
    background = _labelled(np.concatenate([margin, 0.01 * harmless(2, "speech"), margin]), is_scream=False)
    mixed = mixed_over(foreground, background, -5.0)
    added = mixed.samples - foreground.samples
    ratio = np.mean(foreground.samples[len(margin) : -len(margin)] ** 2) / np.mean(added**2)
    assert 10.0 * np.log10(ratio) == pytest.approx(-5.0, abs=1.0)
    assert np.abs(mixed_over(_labelled(foreground.samples * 9), background, -5.0).samples).max() <= 1.0


def test_folds_keep_sources_together_and_kinds_apart() -> None:
    recordings = [
        _labelled(np.zeros(4), source=f"{k}{n // 2}", kind=k) for k in ("positive", "talk") for n in range(20)
    ]
    folds = folds_of(recordings, 5, 3)
    for source in {one.source for one in recordings}:
        assert len({fold for one, fold in zip(recordings, folds, strict=True) if one.source == source}) == 1
    for kind in ("positive", "talk"):
        counts = np.bincount(
            [fold for one, fold in zip(recordings, folds, strict=True) if one.kind == kind], minlength=5
        )
        assert counts.tolist() == [4] * 5
