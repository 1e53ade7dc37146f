"""Training by epochs, as the source systems train: Adam at a constant rate, early stopping on a validation part."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from trainers.progress import track
from trainers.training.checkpoint import next_checkpoint
from trainers.training.loop import CHECKPOINTS, Progress

LossOf = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast.

    Attributes:
        epochs: at most.
        batch: rows in a step.
        rate: Adam's, constant.
        patience: epochs without a lower validation loss after which it ends; 0: never.
        least_steps: batches at least: a set so small that its epochs come to fewer gets more epochs, and as much more
            patience.
    """

    epochs: int
    batch: int
    rate: float = 1e-3
    patience: int = 0
    least_steps: int = 0

    def stretched(self, rows: int) -> Schedule:
        """The schedule for so many rows, with epochs enough for the least steps."""
        steps = self.epochs * -(-rows // self.batch)
        times = max(1, -(-self.least_steps // max(steps, 1)))
        return replace(self, epochs=times * self.epochs, patience=times * self.patience)


def fit_epochs(
    net: nn.Module,
    loss_of: LossOf,
    rows: torch.Tensor,
    validation: torch.Tensor,
    schedule: Schedule,
    label: str,
    *,
    shown: bool = True,
) -> dict[str, list[float]]:
    """Trains with Adam; leaves the network in evaluation mode with the weights of the lowest validation loss.

    Inside :func:`trainers.training.checkpoint.resumable` checkpoints are kept.

    Args:
        net: the network.
        loss_of: the mean loss of a batch, a tensor cut from ``rows``.
        rows: to learn from, (n, ...).
        validation: to stop by, (m, ...); with m = 0 the last weights are taken.
        schedule: how long and how fast.
        label: stands before the progress bar.
        shown: whether there is a bar.

    Returns:
        Mean loss of each epoch: ``training``, and ``validation`` where there is one.

    Raises:
        OutputError: a checkpoint cannot be written.
    """
    schedule = schedule.stretched(len(rows))
    optimiser = torch.optim.Adam(net.parameters(), lr=schedule.rate)
    progress = Progress(next_checkpoint(), net, optimiser, None, ())
    training, begun = progress.resume()
    kept = progress.further
    held = [float(loss) for loss in kept.get("validation", [])]
    best = kept.get("best", copy.deepcopy(net.state_dict()))
    every = max(1, schedule.epochs // CHECKPOINTS)
    for epoch in track(range(begun, schedule.epochs), label, done=begun, shown=shown):
        if _stalled(held, schedule.patience):
            break
        net.train()
        training.append(_epoch(loss_of, rows, optimiser, schedule.batch))
        net.eval()
        if len(validation):
            held.append(_mean_loss(loss_of, validation, schedule.batch))
        if not held or held[-1] <= min(held):
            best = copy.deepcopy(net.state_dict())
        progress.further = {"validation": held, "best": best}
        if (epoch + 1) % every == 0 or epoch + 1 == schedule.epochs:
            progress.keep(training, epoch + 1)
    net.load_state_dict(best)
    net.eval()
    return {"training": training} | ({"validation": held} if held else {})


def _stalled(losses: list[float], patience: int) -> bool:
    return patience > 0 and len(losses) > patience and min(losses[-patience:]) > min(losses[:-patience])


def _epoch(loss_of: LossOf, rows: torch.Tensor, optimiser: torch.optim.Optimizer, batch: int) -> float:
    order = torch.randperm(len(rows))
    total = 0.0
    for chosen in torch.split(order, batch):
        # Normalisation over a batch of one row has no spread to divide by.
        if len(chosen) == 1 and len(rows) > 1:
            continue
        optimiser.zero_grad()
        loss = loss_of(rows[chosen])
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total += loss.item() * len(chosen)
    return total / len(rows)


def _mean_loss(loss_of: LossOf, rows: torch.Tensor, batch: int) -> float:
    with torch.no_grad():
        losses = [loss_of(part).item() * len(part) for part in torch.split(rows, batch)]
    return float(sum(losses)) / len(rows)
