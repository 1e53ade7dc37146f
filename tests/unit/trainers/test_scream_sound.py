"""Labels by energy, and folds by source."""

from __future__ import annotations

import numpy as np

from synthesis.scream import scream
from trainers.scream import SPEC
from trainers.scream_batches import ScreamBatches, listen
from trainers.scream_sound import Take, folds_of, frames_of, synthetic_takes, window_labels


def _take(samples, *, is_scream=True, source="s", kind="positive"):
    return Take("t", kind, source, samples.astype(np.float32), is_scream, is_synthetic=False)


def test_the_pause_within_a_scream_is_not_called_one():
    loud = 0.5 * scream(1, 2.0)
    take = _take(np.concatenate([loud, np.zeros(3 * 16_000)]))
    frames = frames_of(take, SPEC)
    starts = np.arange(0, len(frames) - SPEC.n_frames + 1, 12)
    labels = window_labels(take, frames, starts, SPEC.n_frames)
    assert labels[0] == 1
    assert labels[-1] == 0
    assert -1 in labels


def test_no_window_of_another_kind_is_a_scream():
    take = _take(0.5 * scream(1, 2.0), is_scream=False)
    frames = frames_of(take, SPEC)
    assert not window_labels(take, frames, np.arange(3), SPEC.n_frames).any()


def test_gain_lowers_the_sound_but_not_the_floor():
    take = _take(0.5 * scream(1, 2.0))
    loud, quiet = frames_of(take, SPEC), frames_of(take, SPEC, -20.0)
    assert np.median(loud.max(axis=1) - quiet.max(axis=1)) > 19.0
    assert quiet.min() > -110.0


def test_folds_keep_sources_together_and_kinds_apart():
    takes = [_take(np.zeros(4), source=f"{k}{n // 2}", kind=k) for k in ("positive", "talk") for n in range(20)]
    folds = folds_of(takes, 5, 3)
    for source in {take.source for take in takes}:
        assert len({fold for take, fold in zip(takes, folds, strict=True) if take.source == source}) == 1
    for kind in ("positive", "talk"):
        counts = np.bincount([f for take, f in zip(takes, folds, strict=True) if take.kind == kind], minlength=5)
        assert counts.tolist() == [4] * 5


def test_batches_hold_normalised_windows_and_repeat_by_seed():
    heard = listen(synthetic_takes(3, 4), SPEC)
    windows, labels = ScreamBatches(heard, SPEC, 5, 10).draw()
    assert windows.shape == (10, SPEC.n_frames, SPEC.n_mels)
    assert labels.sum() == 4.0
    assert np.abs(windows.numpy().mean(axis=(1, 2))).max() < 1e-3
    again, _ = ScreamBatches(heard, SPEC, 5, 10).draw()
    other, _ = ScreamBatches(heard, SPEC, 6, 10).draw()
    assert np.array_equal(again.numpy(), windows.numpy())
    assert not np.array_equal(other.numpy(), windows.numpy())
