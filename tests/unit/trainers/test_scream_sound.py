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
from trainers.recipes.scream.data import Take, folds_of, frames_of, over, take_of, window_labels
from trainers.recipes.scream.options import SPEC

pytestmark = pytest.mark.train

RATE = 16_000


def _take(
    samples: npt.NDArray[np.floating],
    *,
    is_scream: bool = True,
    source: str = "s",
    kind: str = "positive",
    marks: Any = None,
) -> Take:
    return Take("t", kind, source, samples.astype(np.float32), RATE, is_scream, is_synthetic=False, marks=marks)


def _labels(take: Take) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.integer]]:
    frames = frames_of(take, SPEC)
    starts = np.arange(0, len(frames) - SPEC.n_frames + 1, 12)
    return starts * SPEC.hop / RATE, window_labels(take, frames, starts, SPEC)


def _recording(kind: str) -> Recording:
    return Recording(f"{kind}/a.wav", kind, f"{kind}/a", np.zeros(4 * RATE, np.float32), RATE, "0", RATE, 0.0)


def test_the_pause_within_a_scream_is_not_called_one() -> None:
    _, labels = _labels(_take(np.concatenate([0.5 * scream(1, 2.0), np.zeros(3 * RATE)])))
    assert labels[0] == 1
    assert labels[-1] == 0
    assert -1 in labels


def test_no_window_of_another_kind_is_a_scream() -> None:
    _, labels = _labels(_take(0.5 * scream(1, 2.0), is_scream=False))
    assert not labels.any()


def test_a_persons_labels_go_before_energy() -> None:
    take = take_of(_recording("positive"), [Label(1.0, 2.5, "Scream"), Label(3.0, 4.0, "? scream")])
    starts, labels = _labels(take)
    assert take.is_scream
    # Margins of 0.6 s stand before and after.
    assert (labels[(starts > 1.4) & (starts < 2.3)] == 1).all()
    assert (labels[starts < 0.5] == 0).all()
    assert (labels[(starts > 3.3) & (starts < 4.2)] == -1).all()


def test_labels_go_before_the_folder_too() -> None:
    assert take_of(_recording("street"), [Label(0.0, 1.0, "scream")]).is_scream
    assert not take_of(_recording("positive"), [Label(0.0, 1.0, "laughter")]).is_scream
    assert not take_of(_recording("positive"), []).is_scream
    assert take_of(_recording("positive")).is_scream
    assert not take_of(_recording("street")).is_scream


def test_what_may_be_wrongly_filed_is_neither_learned_from_nor_counted() -> None:
    take = take_of(_recording("positive"), unsure=True)
    assert take.is_scream
    assert (_labels(take)[1] == -1).all()


def test_marks_move_with_the_speed() -> None:
    take = take_of(_recording("positive"), [Label(1.0, 2.0, "scream")])
    faster = take.played(take.samples[::2], 2.0)
    (mark,) = faster.marks  # type: ignore[misc]
    assert (mark.start_s, mark.end_s) == pytest.approx((0.8, 1.3))


def test_gain_lowers_the_sound_but_not_the_floor() -> None:
    take = _take(0.5 * scream(1, 2.0))
    loud, quiet = frames_of(take, SPEC), frames_of(take, SPEC, -20.0)
    assert np.median(loud.max(axis=1) - quiet.max(axis=1)) > 19.0
    assert quiet.min() > -110.0


def test_a_scream_before_a_room_keeps_the_ratio_asked_for() -> None:
    margin = np.zeros(int(0.6 * RATE))
    front = _take(np.concatenate([margin, 0.1 * scream(1, 2.0), margin]))
    behind = _take(np.concatenate([margin, 0.01 * harmless(2, "speech"), margin]), is_scream=False)
    mixed = over(front, behind, -5.0)
    added = mixed.samples - front.samples
    ratio = np.mean(front.samples[len(margin) : -len(margin)] ** 2) / np.mean(added**2)
    assert 10.0 * np.log10(ratio) == pytest.approx(-5.0, abs=1.0)
    assert np.abs(over(_take(front.samples * 9), behind, -5.0).samples).max() <= 1.0


def test_folds_keep_sources_together_and_kinds_apart() -> None:
    takes = [_take(np.zeros(4), source=f"{k}{n // 2}", kind=k) for k in ("positive", "talk") for n in range(20)]
    folds = folds_of(takes, 5, 3)
    for source in {take.source for take in takes}:
        assert len({fold for take, fold in zip(takes, folds, strict=True) if take.source == source}) == 1
    for kind in ("positive", "talk"):
        counts = np.bincount([f for take, f in zip(takes, folds, strict=True) if take.kind == kind], minlength=5)
        assert counts.tolist() == [4] * 5
