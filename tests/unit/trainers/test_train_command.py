"""`tocsin train` from the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from schemas.errors import SettingsError
from tests.unit.trainers.test_artefact import trained
from tests.unit.trainers.test_resuming import trained_by_steps
from tocsin.cli.commands.train import train
from trainers.recipe import Trained
from trainers.recipes.machine.recipe import MachineRecipe

pytestmark = pytest.mark.train

app = typer.Typer()
app.command()(train)

TINY = ["machines=6", "seconds=2.5", "held_out=1", "held_out_seconds=4", "steps=150", "batch=8", "width=4"]


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_it_trains_writes_and_installs(tmp_path: Path) -> None:
    options = [part for setting in TINY for part in ("--set", setting)]
    done = _run(
        "machine", "--seed", "3", "--out", str(tmp_path / "out"), "--install", str(tmp_path / "in"), "--json", *options
    )
    assert done.exit_code == 0, done.output
    message = json.loads(done.stdout.splitlines()[-1])
    assert message["model"] == str(tmp_path / "out" / "machine.onnx")
    assert "auc_leak_0_db" in message["metrics"]
    assert json.loads((tmp_path / "in" / "index.json").read_text())["machine"]["file"] == "machine.onnx"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["toaster"], "toaster"),
        (["machine", "--set", "steps"], "'steps'"),
        (["machine", "--set", "patience=3"], "patience"),
    ],
)
def test_invalid_arguments_are_user_errors(arguments: list[str], named: str) -> None:
    done = _run(*arguments)
    assert isinstance(done.exception, SettingsError)
    assert named in str(done.exception)


def test_a_model_that_would_not_alarm_on_abnormal_clips_warns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def backwards(*_: object) -> Trained:
        made = trained()
        return replace(
            made, scores={"normal": np.arange(5.0), "leak": np.arange(5.0) - 2.0, "rub": np.arange(5.0) + 1.0}
        )

    monkeypatch.setattr(MachineRecipe, "train", backwards)
    done = _run("machine", "--out", str(tmp_path), "--json")
    assert done.exit_code == 0, done.output
    assert "'leak' scores below normal sound (AUC 0.180)" in done.stderr
    assert "'rub'" not in done.stderr
    assert json.loads(done.stdout)["model"] == str(tmp_path / "mean.onnx")


@pytest.mark.parametrize(("trains", "message"), [(True, "the same command resumes there"), (False, "stopped\n")])
def test_a_stopped_run_reports_its_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trains: bool, message: Any
) -> None:
    def stopped(*_: object) -> None:
        if trains:
            trained_by_steps()
        raise KeyboardInterrupt

    monkeypatch.setattr(MachineRecipe, "train", stopped)
    done = _run("machine", "--out", str(tmp_path / "out"))
    assert done.exit_code != 0
    assert message in done.stderr
    assert len(list((tmp_path / "out").rglob("*.pt"))) == trains
