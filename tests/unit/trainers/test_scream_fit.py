"""A training that was finished before is not repeated, and one of other settings is."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from schemas.errors import OutputError, UnreadableInput
from trainers.recipes.scream import training as scream_fit
from trainers.recipes.scream.batches import listen
from trainers.recipes.scream.data import synthetic_takes
from trainers.recipes.scream.options import SPEC, ScreamOptions
from trainers.recipes.scream.training import kept
from trainers.training.checkpoint import resumable

OPTIONS = ScreamOptions(steps=2, cycles=1, batch=4, width=4)


@pytest.fixture(scope="module")
def heard():
    return listen(synthetic_takes(3, 2), SPEC, frozenset())


@pytest.fixture
def fitted(monkeypatch):
    """Label, steps and rate of the trainings done."""
    labels = []
    original = scream_fit._fitted

    def counted(net, batches, steps, rate, options, label):
        labels.append((label, steps, rate))
        return original(net, batches, steps, rate, options, label)

    monkeypatch.setattr(scream_fit, "_fitted", counted)
    return labels


def _same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def _labels(fitted):
    return [label for label, _, _ in fitted]


def test_a_finished_fold_is_taken_from_its_checkpoint(heard, fitted, tmp_path):
    options = replace(OPTIONS, checkpoints=str(tmp_path / "kept"))
    first = kept(heard, SPEC, 5, options, "first", "digest")
    again = kept(heard, SPEC, 5, options, "again", "digest")
    assert _labels(fitted) == ["first"]
    assert _same(first, again)
    for seed, chosen, digest in ((6, options, "digest"), (5, replace(options, rate=0.01), "digest"), (5, options, "x")):
        kept(heard, SPEC, seed, chosen, "other", digest)
    assert _labels(fitted) == ["first", "other", "other", "other"]


def test_a_run_that_is_broken_off_goes_on_with_the_folds_that_are_done(heard, fitted, tmp_path):
    def run(folds):
        with resumable(tmp_path, {"run": 1}) as folder:
            nets = [kept(heard, SPEC, seed, OPTIONS, f"fold {seed}", "digest") for seed in folds]
            if len(folds) < 3:
                raise OutputError("the disk is full")
            return nets, folder

    with pytest.raises(OutputError, match="resumes there"):
        run((1, 2))
    nets, folder = run((1, 2, 3))

    assert _labels(fitted) == ["fold 1", "fold 2", "fold 3"]
    assert _same(nets[1], kept(heard, SPEC, 2, OPTIONS, "alone", "digest"))
    assert not folder.exists()


def test_a_further_cycle_goes_on_from_the_one_before_and_gives_what_both_in_one_run_give(heard, fitted, tmp_path):
    both = replace(OPTIONS, steps=18, cycles=2)
    whole = kept(heard, SPEC, 5, both, "whole", "digest")
    assert fitted == [("whole", 18, both.rate), ("whole, cycle 2", 10, both.rate / 2)]
    fitted.clear()

    options = replace(both, checkpoints=str(tmp_path))
    first = kept(heard, SPEC, 5, replace(options, cycles=1), "first", "digest")
    more = kept(heard, SPEC, 5, options, "more", "digest")
    assert _labels(fitted) == ["first", "more, cycle 2"]
    assert _same(more, whole)
    assert not _same(more, first)
    kept(heard, SPEC, 5, options, "again", "digest")
    assert len(fitted) == 2


def test_the_same_seed_gives_the_same_network(heard, fitted):
    first, again = (kept(heard, SPEC, 5, OPTIONS, "", "digest") for _ in range(2))
    assert len(fitted) == 2
    assert _same(first, again)
    assert not _same(first, kept(heard, SPEC, 6, OPTIONS, "", "digest"))


def test_a_broken_checkpoint_is_named(heard, tmp_path):
    options = replace(OPTIONS, checkpoints=str(tmp_path))
    kept(heard, SPEC, 5, options, "first", "digest")
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UnreadableInput, match="remove it"):
        kept(heard, SPEC, 5, options, "again", "digest")


def test_telling_kinds_apart_teaches_and_can_be_left_out(heard):
    with_kinds, without = (kept(heard, SPEC, 5, replace(OPTIONS, kinds=weight), "", "digest") for weight in (0.3, 0.0))
    assert not _same(with_kinds, without)
    assert {name for name, _ in with_kinds.named_parameters()} == {name for name, _ in without.named_parameters()}
