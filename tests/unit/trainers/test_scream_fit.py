"""A finished training is not repeated; one with other settings is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from schemas.errors import OutputError, UnreadableInput
from trainers.recipes.scream import training
from trainers.recipes.scream.batches import augmented_recordings
from trainers.recipes.scream.data import synthetic_recordings
from trainers.recipes.scream.options import SPEC, ScreamOptions
from trainers.recipes.scream.training import train_resumable
from trainers.training.checkpoint import resumable

pytestmark = pytest.mark.train


def with_options(options: ScreamOptions, **changed: Any) -> Any:
    return options.model_copy(update=changed)


OPTIONS = ScreamOptions(steps=2, cycles=1, batch=4, width=4)


@pytest.fixture(scope="module")
def recordings() -> Any:
    return augmented_recordings(synthetic_recordings(3, 2), SPEC, frozenset())


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, float]]:
    """Label, steps and rate of the trainings done."""
    labels = []
    original = training._fit

    def counted(net: Any, batches: Any, steps: int, rate: float, options: ScreamOptions, label: str) -> Any:
        labels.append((label, steps, rate))
        return original(net, batches, steps, rate, options, label)

    monkeypatch.setattr(training, "_fit", counted)
    return labels


def _same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def _labels(fitted: list[tuple[str, int, float]]) -> list[str]:
    return [label for label, _, _ in fitted]


def test_a_finished_fold_is_taken_from_its_checkpoint(
    recordings: Any, fitted: list[tuple[str, int, float]], tmp_path: Path
) -> None:
    options = with_options(OPTIONS, checkpoints=str(tmp_path / "kept"))
    first = train_resumable(recordings, SPEC, 5, options, "first", "digest")
    again = train_resumable(recordings, SPEC, 5, options, "again", "digest")
    assert _labels(fitted) == ["first"]
    assert _same(first, again)
    for seed, chosen, digest in (
        (6, options, "digest"),
        (5, with_options(options, rate=0.01), "digest"),
        (5, options, "x"),
    ):
        train_resumable(recordings, SPEC, seed, chosen, "other", digest)
    assert _labels(fitted) == ["first", "other", "other", "other"]


def test_a_run_that_is_broken_off_goes_on_with_the_folds_that_are_done(
    recordings: Any, fitted: list[tuple[str, int, float]], tmp_path: Path
) -> None:
    def run(folds: Sequence[int]) -> Any:
        with resumable(tmp_path, {"run": 1}) as folder:
            nets = [train_resumable(recordings, SPEC, seed, OPTIONS, f"fold {seed}", "digest") for seed in folds]
            if len(folds) < 3:
                raise OutputError("the disk is full")
            return nets, folder

    with pytest.raises(OutputError, match="resumes there"):
        run((1, 2))
    nets, folder = run((1, 2, 3))

    assert _labels(fitted) == ["fold 1", "fold 2", "fold 3"]
    assert _same(nets[1], train_resumable(recordings, SPEC, 2, OPTIONS, "alone", "digest"))
    assert not folder.exists()


def test_a_further_cycle_goes_on_from_the_one_before_and_gives_what_both_in_one_run_give(
    recordings: Any, fitted: list[tuple[str, int, float]], tmp_path: Path
) -> None:
    both = with_options(OPTIONS, steps=18, cycles=2)
    whole = train_resumable(recordings, SPEC, 5, both, "whole", "digest")
    assert fitted == [("whole", 18, both.rate), ("whole, cycle 2", 10, both.rate / 2)]
    fitted.clear()

    options = with_options(both, checkpoints=str(tmp_path))
    first = train_resumable(recordings, SPEC, 5, with_options(options, cycles=1), "first", "digest")
    more = train_resumable(recordings, SPEC, 5, options, "more", "digest")
    assert _labels(fitted) == ["first", "more, cycle 2"]
    assert _same(more, whole)
    assert not _same(more, first)
    train_resumable(recordings, SPEC, 5, options, "again", "digest")
    assert len(fitted) == 2


def test_the_same_seed_gives_the_same_network(recordings: Any, fitted: list[tuple[str, int, float]]) -> None:
    first, again = (train_resumable(recordings, SPEC, 5, OPTIONS, "", "digest") for _ in range(2))
    assert len(fitted) == 2
    assert _same(first, again)
    assert not _same(first, train_resumable(recordings, SPEC, 6, OPTIONS, "", "digest"))


def test_a_broken_checkpoint_is_named(recordings: Any, tmp_path: Path) -> None:
    options = with_options(OPTIONS, checkpoints=str(tmp_path))
    train_resumable(recordings, SPEC, 5, options, "first", "digest")
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UnreadableInput, match="remove it"):
        train_resumable(recordings, SPEC, 5, options, "again", "digest")


def test_telling_kinds_apart_teaches_and_can_be_left_out(recordings: Any) -> None:
    with_kinds, without = (
        train_resumable(recordings, SPEC, 5, with_options(OPTIONS, kinds=weight), "", "digest") for weight in (0.3, 0.0)
    )
    assert not _same(with_kinds, without)
    assert {name for name, _ in with_kinds.named_parameters()} == {name for name, _ in without.named_parameters()}
