"""An interrupted run goes on, and ends with the very model it would have had."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from schemas.errors import ExportError, OutputError, ScoreInverted, UnreadableInput, UnusableAudio
from trainers.training.checkpoint import FOLDER, resumable
from trainers.training.epochs import Schedule, fit_epochs
from trainers.training.loop import fit, repeatable

pytestmark = pytest.mark.train

STEPS = 40


class PowerCut(Exception):
    """What interrupts."""


def trained_by_steps(cut_at: int | None = None) -> tuple[dict[str, torch.Tensor], list[float], int]:
    """Weights, losses, and how many batches were drawn; dropout draws from torch, the rows from numpy."""
    drawn = 0
    with repeatable(5):
        net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1))
        rng = np.random.default_rng(5)

        def loss() -> torch.Tensor:
            nonlocal drawn
            if drawn == cut_at:
                raise PowerCut
            drawn += 1
            return net(torch.from_numpy(rng.normal(size=(6, 4)).astype(np.float32))).square().mean()

        losses = fit(net, loss, STEPS, 0.01, "training", (rng,))
    return net.state_dict(), losses, drawn


def trained_by_epochs(
    cut_at: int | None = None, patience: int = 0
) -> tuple[dict[str, torch.Tensor], dict[str, list[float]], int]:
    steps = 0
    with repeatable(6):
        rows = torch.randn(50, 4)
        net = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.2), nn.Linear(3, 4))

        def loss(batch: torch.Tensor) -> torch.Tensor:
            nonlocal steps
            if steps == cut_at:
                raise PowerCut
            steps += 1
            return (net(batch) - batch).square().mean()

        curves = fit_epochs(net, loss, rows[:40], rows[40:], Schedule(30, 8, 0.02, patience), "training")
    return net.state_dict(), curves, steps


def trained_and_then(error: Exception) -> None:
    trained_by_steps()
    raise error


@pytest.mark.parametrize("train", [trained_by_steps, trained_by_epochs])
def test_an_interrupted_fit_ends_as_if_nothing_had_happened(tmp_path: Path, train: Callable[..., Any]) -> None:
    weights, losses, whole = train()
    for cut in (1, whole // 2, whole - 1):
        out = tmp_path / str(cut)
        with pytest.raises(PowerCut), resumable(out, {"seed": 5}):
            train(cut)
        with resumable(out, {"seed": 5}):
            again, losses_again, drawn = train()
        assert losses_again == losses
        assert weights.keys() == again.keys()
        assert all(torch.equal(weights[name], again[name]) for name in weights)
        assert drawn < whole or cut == 1
        assert not (out / FOLDER).exists()


def test_a_run_with_other_settings_begins_anew(tmp_path: Path) -> None:
    _, losses, whole = trained_by_steps()
    with pytest.raises(PowerCut), resumable(tmp_path, {"seed": 5}):
        trained_by_steps(30)
    with resumable(tmp_path, {"seed": 6}):
        _, again, drawn = trained_by_steps()
    assert drawn == whole
    assert again == losses


def test_a_finished_fit_of_an_interrupted_run_is_not_done_again(tmp_path: Path) -> None:
    first, *_ = trained_by_steps()

    def both(cut_at: int | None = None) -> tuple[dict[str, torch.Tensor], int, int]:
        weights, _, drawn = trained_by_steps()
        return weights, drawn, trained_by_epochs(cut_at)[2]

    with pytest.raises(PowerCut), resumable(tmp_path, {}):
        both(20)
    with resumable(tmp_path, {}):
        again, drawn, steps = both()
    assert drawn == 0
    assert 0 < steps < trained_by_epochs()[2]
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_without_its_generators_a_fit_keeps_nothing(tmp_path: Path) -> None:
    net = nn.Linear(2, 1)

    def interrupted() -> None:
        fit(net, lambda: net(torch.ones(1, 2)).sum(), 5, 0.01, "training")
        raise PowerCut

    with pytest.raises(PowerCut), resumable(tmp_path, {}):
        interrupted()
    assert not list(tmp_path.rglob("*.pt"))


def test_a_checkpoint_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PowerCut), resumable(tmp_path, {}):
        trained_by_steps(30)
    (kept,) = (tmp_path / FOLDER).rglob("*.pt")
    kept.write_bytes(kept.read_bytes()[:100])
    with pytest.raises(UnreadableInput, match=r"0001\.pt.*it is removed"), resumable(tmp_path, {}):
        trained_by_steps()
    assert not list(tmp_path.rglob("*.pt"))


def test_training_stops_where_the_validation_loss_does_not_fall_and_takes_its_best() -> None:
    rows = torch.zeros(16, 1)
    net = nn.Linear(1, 1, bias=True)
    weights = []

    def loss(batch: torch.Tensor) -> torch.Tensor:
        # Training pulls the bias up; validation, whose rows are ones, wants it at what it began with.
        if batch.sum() == 0:
            return -net(batch).mean()
        weights.append(net.bias.item())
        return net(batch).square().mean()

    with torch.no_grad():
        net.weight.zero_()
        net.bias.zero_()
    curves = fit_epochs(net, loss, rows, torch.ones(4, 1), Schedule(50, 16, 0.1, patience=3), "training")
    assert len(curves["validation"]) == 4
    assert net.bias.item() == weights[0]


def test_a_small_set_gets_more_epochs_and_as_much_more_patience() -> None:
    schedule = Schedule(10, 32, patience=3, least_steps=100)
    assert schedule.extended(40) == Schedule(50, 32, patience=15, least_steps=100)
    assert schedule.extended(3_200) == schedule
    net, steps = nn.Linear(2, 2), []

    def loss(batch: torch.Tensor) -> torch.Tensor:
        steps.append(len(batch))
        return net(batch).square().mean()

    fit_epochs(net, loss, torch.randn(6, 2), torch.empty(0, 2), Schedule(2, 4, least_steps=11), "training")
    assert len(steps) == 12


@pytest.mark.parametrize("steps", [1, 2, 9, 10, 11, 20])
def test_a_fit_may_have_any_number_of_steps(steps: int) -> None:
    net = nn.Linear(2, 1)
    losses = fit(net, lambda: net(torch.ones(1, 2)).square().sum(), steps, 0.01, "training")
    assert len(losses) == steps


_FULL_DISK = """
    import resource, signal, sys
    from pathlib import Path
    import torch
    from torch import nn
    from schemas.errors import OutputError
    from trainers.training.checkpoint import resumable
    from trainers.training.loop import fit
    import numpy as np

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    out = Path(sys.argv[1])
    net = nn.Linear(100, 100)
    rng = np.random.default_rng(0)
    steps = 0
    def loss():
        global steps
        steps += 1
        if steps == 12:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
        return net(torch.ones(2, 100)).square().mean()
    try:
        with resumable(out, {}):
            fit(net, loss, 20, 0.01, "training", (rng,))
    except OutputError as error:
        print(error)
        sys.exit(2)
"""


def test_a_disk_that_fills_up_ends_the_run_with_its_last_checkpoint_whole(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_FULL_DISK), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2, ran.stderr
    assert "cannot be written: File too large" in ran.stdout
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["0001.pt"]
    assert torch.load(files[0], weights_only=True)["done"] == 11
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1_000
    assert signal.getsignal(signal.SIGXFSZ) is not None


def test_an_error_of_the_disk_is_the_users(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"), resumable(tmp_path / "file", {}):
        trained_by_steps()


def test_what_the_same_command_would_meet_again_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(PowerCut), resumable(out, {"seed": 5}):
        trained_by_steps(30)
    with pytest.raises(ScoreInverted, match="falls"), resumable(out, {"seed": 6}):
        trained_and_then(ScoreInverted("falls"))
    # The other run may still go on.
    assert len(list((out / FOLDER).iterdir())) == 1
    with pytest.raises(UnusableAudio), resumable(out, {"seed": 5}):
        raise UnusableAudio("is clipped")
    assert not list(out.iterdir())
    with pytest.raises(UnusableAudio), resumable(tmp_path / "new", {"seed": 5}):
        trained_and_then(UnusableAudio("is clipped"))
    assert not (tmp_path / "new").exists()


def test_a_model_that_cannot_be_exported_keeps_nothing_for_it_would_end_alike(tmp_path: Path) -> None:
    with pytest.raises(ExportError) as caught, resumable(tmp_path / "new", {}):
        trained_and_then(ExportError("is off by 0.1"))
    assert str(caught.value) == "is off by 0.1"
    assert not (tmp_path / "new").exists()


def test_a_disk_that_was_full_from_the_first_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for out in (tmp_path / "new", tmp_path):
        with pytest.raises(OutputError, match="No space left") as caught, resumable(out, {}):
            trained_by_steps()
        assert "goes on" not in str(caught.value)
        assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_says_where_the_run_goes_on(tmp_path: Path) -> None:
    with pytest.raises(PowerCut), resumable(tmp_path, {"another": "run"}):
        trained_by_steps(30)
    with pytest.raises(OutputError) as caught, resumable(tmp_path, {}):
        raise OutputError("full")
    assert str(caught.value) == "full"
    with (
        pytest.raises(OutputError, match=r"full; .*\.checkpoints.*: the same command resumes there"),
        resumable(tmp_path, {}),
    ):
        trained_and_then(OutputError("full"))
    with resumable(tmp_path, {}):
        assert trained_by_steps()[2] == 0
