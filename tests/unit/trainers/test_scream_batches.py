"""What batches hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trainers.data.audacity import Label
from trainers.recipes.scream.batches import AUGMENTATIONS, ScreamBatches, augmentations, augmented_recordings
from trainers.recipes.scream.data import synthetic_recordings
from trainers.recipes.scream.options import SPEC, ScreamOptions, spec_of

pytestmark = pytest.mark.train

ALL, NONE = augmentations("all"), augmentations("none")


@pytest.fixture(scope="module")
def recordings() -> Any:
    return synthetic_recordings(3, 4)


@pytest.fixture(scope="module")
def augmented(recordings: Any) -> Any:
    return augmented_recordings(recordings, SPEC, ALL)


def test_batches_hold_normalised_windows_and_repeat_by_seed(augmented: Any) -> None:
    batch = ScreamBatches(augmented, SPEC, 5, 10, ALL).draw()
    windows = batch.windows.numpy()
    assert windows.shape == (10, SPEC.n_frames, SPEC.n_mels)
    assert batch.labels.sum() == 4.0
    assert np.abs(windows.mean(axis=(1, 2))).max() < 1e-3
    again = ScreamBatches(augmented, SPEC, 5, 10, ALL).draw()
    other = ScreamBatches(augmented, SPEC, 6, 10, ALL).draw()
    assert np.array_equal(again.windows.numpy(), windows)
    assert not np.array_equal(other.windows.numpy(), windows)


def test_a_batch_says_what_kind_of_sound_each_window_holds(augmented: Any) -> None:
    batches = ScreamBatches(augmented, SPEC, 5, 40, ALL)
    batch = batches.draw()
    kinds = [batches.kinds[place] for place in batch.kinds.tolist()]
    assert all((kind == "synthetic scream") == (label == 1.0) for kind, label in zip(kinds, batch.labels, strict=True))
    assert len(set(kinds)) > 3


@pytest.mark.parametrize("one", [name for name in AUGMENTATIONS if name not in ("shift", "speed")])
def test_each_augmentation_changes_a_batch(augmented: Any, one: str) -> None:
    plain = ScreamBatches(augmented, SPEC, 5, 16, NONE).draw().windows.numpy()
    changed = ScreamBatches(augmented, SPEC, 5, 16, frozenset({one})).draw().windows.numpy()
    assert not np.allclose(changed, plain, atol=0.5)


def test_recordings_are_played_at_several_speeds_and_shifts(recordings: Any) -> None:
    recorded = replace(recordings[0], is_synthetic=False)
    (plain,) = augmented_recordings([recorded], SPEC, NONE)
    (varied,) = augmented_recordings([recorded], SPEC, ALL)
    assert (len(plain.views), len(varied.views)) == (1, 5)
    assert len(varied.views[2][1]) > 8 * len(plain.views[0][1])
    lengths = [len(frames) for frames, _, _ in varied.views]
    assert lengths == sorted(lengths, reverse=True)


def test_sound_outside_a_persons_labels_is_trained_on_as_harmless(recordings: Any) -> None:
    by_energy = replace(recordings[0], is_synthetic=False)
    labelled = replace(by_energy, labels=(Label(0.6, 1.2, "scream"),))
    assert not any(len(others) for _, _, others in augmented_recordings([by_energy], SPEC, NONE)[0].views)
    assert any(len(others) for _, _, others in augmented_recordings([labelled], SPEC, NONE)[0].views)


@pytest.mark.parametrize("hop", [512, 2_048, 4_096])
def test_other_hops_and_rates_make_batches_too(hop: int) -> None:
    spec = spec_of(ScreamOptions(hop=hop))
    batch = ScreamBatches(
        augmented_recordings(synthetic_recordings(3, 4, spec.sample_rate), spec, ALL), spec, 1, 6, ALL
    ).draw()
    windows = batch.windows
    assert windows.shape == (6, {512: 44, 2_048: 11, 4_096: 6}[hop], 64)
    assert np.isfinite(windows.numpy()).all()


def test_augmentations_are_named_or_refused() -> None:
    assert augmentations("mix, gain") == {"mix", "gain"}
    with pytest.raises(ValueError, match="echo"):
        augmentations("mix,echo")
