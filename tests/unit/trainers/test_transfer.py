"""The transfer study: its plans, its parts of the target's sound, its intervals."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from schemas.errors import SettingsError, UnusableAudio, WrongLayout
from tocsin.cli.commands.experiment import study
from trainers.data.loaders.layout import load_clips
from trainers.data.synthetic_set import SetOptions, write_set
from trainers.experiments.transfer import experiment as transfer
from trainers.experiments.transfer.experiment import Run, TransferOptions, run_all
from trainers.experiments.transfer.report import plot_of, rows_of, table_of
from trainers.recipes.mimii_ae.data import vectors_of

TINY = TransferOptions(seeds=2, epochs=1, batch=64, least_steps=1, targets=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "set"
    kinds = ("fan", "pump", "slider", "valve")
    write_set("mimii", root, SetOptions(kinds, 2, (-6.0,), clips=3, anomalies=1, seconds=1.0, channels=1, seed=5))
    return root


@pytest.fixture(scope="module")
def runs(data):
    return run_all(load_clips(data), TINY, (5.0, 100.0), 3)


def test_every_plan_hears_what_it_says_before(runs):
    by_plan = {
        plan: {(run.target, run.source) for run in runs if run.plan == plan} for plan in ("v1", "v2", "v3", "v4")
    }
    assert by_plan["v2"] == {(f"{kind}/id_00", f"{kind}/id_02") for kind in ("fan", "pump", "slider", "valve")}
    assert {source for target, source in by_plan["v1"] if target == "fan/id_00"} == {"pump", "slider", "valve"}
    assert ("fan/id_00", "pump+valve") in by_plan["v3"]
    assert len(by_plan["v3"]) == 12
    assert ("valve/id_00", "fan+pump+slider") in by_plan["v4"]
    for pairs in by_plan.values():
        assert not any(target in source.split("+") for target, source in pairs)
        assert not any(target.split("/")[0] in source.split("+") for target, source in pairs)


def test_every_arm_has_every_share_and_seed_and_one_from_scratch(runs):
    arms = {(run.plan, run.source, run.target) for run in runs}
    assert len(arms) == 4 * (1 + 1 + 3 + 3 + 1)
    assert len(runs) == len(arms) * 2 * 2
    for run in runs:
        assert 0.0 <= run.auc <= 1.0
    whole = {run.target: run.tuned_on for run in runs if run.share == 100.0}
    for run in runs:
        if run.share == 5.0:
            assert run.tuned_on == max(2, round(0.05 * whole[run.target]))


def test_what_was_heard_before_is_gone_on_from(data, monkeypatch):
    """A model that is tuned begins with what was learned before; one from scratch does not."""
    begun = []
    tuned = transfer._tuned

    def spy(before, rows, options, steps, seed):
        begun.append(before)
        return tuned(before, rows, options, steps, seed)

    monkeypatch.setattr(transfer, "_tuned", spy)
    clips = [clip for clip in load_clips(data) if clip.machine in ("fan", "pump")]
    run_all(clips, TINY.model_copy(update={"seeds": 1}), (100.0,), 3)
    learned = [before for before in begun if before is not None]
    # Two targets: scratch, the same type's other machine and the other type each; four models learned before.
    assert (len(begun), len(learned)) == (10, 4)
    assert all("layers.0.weight" in weights for weights in learned)


def test_the_same_seed_gives_the_same_runs(data):
    clips = [clip for clip in load_clips(data) if clip.machine in ("fan", "pump")]
    one, again = (run_all(clips, TINY, (5.0,), 3) for _ in range(2))
    assert one == again


def test_every_training_of_a_target_takes_as_many_steps(data, monkeypatch):
    taken = {}

    def spy(net, loss_of, rows, validation, schedule, label, *, shown):
        stretched = schedule.stretched(len(rows))
        taken.setdefault(len(rows), set()).add(stretched.epochs * -(-len(rows) // stretched.batch))
        return {}

    monkeypatch.setattr(transfer, "fit_epochs", spy)
    clips = [clip for clip in load_clips(data) if clip.machine in ("fan", "pump")]
    run_all(clips, TINY.model_copy(update={"seeds": 1, "epochs": 6, "batch": 16}), (5.0, 50.0, 100.0), 3)
    # A clip of a second has 26 vectors; two clips are to learn from. What is learned before are two machines.
    assert sorted(taken) == [3, 26, 52, 104]
    assert taken[3] == taken[26] == taken[52] == {24}


def test_fewer_choices_still_hear_every_type(data):
    runs = run_all(load_clips(data), TINY.model_copy(update={"seeds": 1, "sources": 1}), (100.0,), 3)
    assert len({run.source for run in runs if run.plan == "v1"}) >= 3
    assert {plan: sum(run.plan == plan for run in runs) for plan in ("v1", "v3", "v4")} == {"v1": 4, "v3": 4, "v4": 4}


def test_one_type_alone_has_nothing_to_transfer_from(data):
    with pytest.raises(WrongLayout, match="fan alone"):
        run_all([clip for clip in load_clips(data) if clip.machine == "fan"], TINY, (100.0,), 3)


@pytest.mark.parametrize("place", [0, -1])
def test_a_clip_that_is_too_short_for_a_vector_is_named(data, tmp_path, place):
    spoilt = shutil.copytree(data, tmp_path / "set")
    path = sorted(spoilt.rglob("normal/*.wav"))[place]
    soundfile.write(path, 0.1 * np.sin(np.arange(2_800) / 7.0), 16_000)
    with pytest.raises(UnusableAudio, match=r"lasts 0.17 s; 0.19 s are needed") as caught:
        run_all(load_clips(spoilt), TINY, (100.0,), 1)
    assert str(path) in str(caught.value)
    soundfile.write(path, 0.1 * np.sin(np.arange(3_072) / 7.0), 16_000)
    assert len(vectors_of([clip for clip in load_clips(spoilt) if clip.path == path], "first")) == 1


def _runs(plan, aucs, share=1.0):
    return [Run(plan, "", "fan/id_00", share, seed, auc, 10) for seed, auc in enumerate(aucs)]


def test_means_and_intervals_are_students():
    scratch, v1 = rows_of(_runs("scratch", [0.5, 0.6, 0.7]) + _runs("v1", [0.6, 0.7, 0.8]))
    assert (scratch.plan, v1.plan) == ("scratch", "v1")
    assert v1.auc == pytest.approx(0.7)
    assert v1.half == pytest.approx(4.303 * 0.1 / np.sqrt(3), rel=1e-3)
    assert v1.gain == pytest.approx(0.1)
    assert v1.gain_half == pytest.approx(0.0, abs=1e-12)
    assert scratch.gain == scratch.gain_half == 0.0


def test_the_table_has_a_column_a_share():
    rows = rows_of(_runs("scratch", [0.5, 0.5]) + _runs("scratch", [0.75, 0.75], 20.0) + _runs("v4", [0.5, 0.5], 20.0)
                   + _runs("v4", [0.25, 0.25]))  # fmt: skip
    lines = table_of(rows, "heading").splitlines()
    assert lines[0] == "heading"
    assert lines[2] == "| learned before | 1 % | 20 % |"
    assert lines[4] == "| from scratch | 0.500 ± 0.000 | 0.750 ± 0.000 |"
    assert lines[5].startswith("| v4: three other types | 0.250 ± 0.000 (-0.250 ± 0.000) |")


def test_a_single_seed_has_no_interval():
    rows = rows_of(_runs("scratch", [0.5]) + _runs("v4", [0.25]))
    assert [(row.half, row.gain_half) for row in rows] == [(None, 0.0), (None, None)]
    lines = table_of(rows, "heading").splitlines()
    assert lines[4:6] == ["| from scratch | 0.500 |", "| v4: three other types | 0.250 (-0.250) |"]
    assert plot_of(rows, "title")


def test_the_command_writes_runs_a_table_and_a_plot_and_says_they_are_synthetic(data, tmp_path):
    options = ("seeds=2", "epochs=1", "least_steps=1", "targets=1", "sources=1", "shares=100")
    settings = [part for one in options for part in ("--set", one)]
    app = typer.Typer()
    app.add_typer(study, name="study")
    command = ["study", "transfer", "--data", str(data)]
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "out"), *settings])
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"transfer.json", "transfer.md", "transfer.png"}
    figures = json.loads((tmp_path / "out" / "transfer.json").read_text())
    assert figures["synthetic"] is True
    assert figures["snr_db"] == "-6"
    assert "synthetic" in (tmp_path / "out" / "transfer.md").read_text().splitlines()[0]
    wrong = CliRunner().invoke(app, [*command, "--set", "shares=0,200"])
    assert isinstance(wrong.exception, SettingsError)
