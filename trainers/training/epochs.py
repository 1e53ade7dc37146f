"""Training by epochs: Adam at a constant rate, with early stopping on a validation set, as in the source systems."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from trainers.progress import track
from trainers.training.checkpoint import next_checkpoint
from trainers.training.loop import CHECKPOINTS, FitState

LossOf = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Training schedule.

    Attributes:
        epochs: maximum.
        batch: rows per step.
        rate: constant learning rate of Adam.
        patience: epochs without a lower validation loss after which training stops; 0: never.
        least_steps: minimum number of batches: a small set gets more epochs, and proportionally more patience.
    """

    epochs: int
    batch: int
    rate: float = 1e-3
    patience: int = 0
    least_steps: int = 0

    def extended(self, rows: int) -> Schedule:
        """The schedule for ``rows`` rows, with enough epochs for ``least_steps``."""
        steps = self.epochs * -(-rows // self.batch)
        factor = max(1, -(-self.least_steps // max(steps, 1)))
        return replace(self, epochs=factor * self.epochs, patience=factor * self.patience)


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

    Saves checkpoints inside :func:`trainers.training.checkpoint.resumable`.

    Args:
        net: the network.
        loss_of: gives the mean loss of a batch of rows.
        rows: training set, (n, ...).
        validation: for early stopping, (m, ...); with m = 0 the last weights are used.
        schedule: see :class:`Schedule`.
        label: text in front of the progress bar.
        shown: whether to show a bar.

    Returns:
        Mean loss of each epoch: ``training``, and ``validation`` if there is a validation set.

    Raises:
        OutputError: a checkpoint cannot be written.
    """
    schedule = schedule.extended(len(rows))
    optimiser = torch.optim.Adam(net.parameters(), lr=schedule.rate)
    state = FitState(next_checkpoint(), net, optimiser, None, ())
    training, start = state.resume()
    extra = state.extra
    validation_losses = [float(loss) for loss in extra.get("validation", [])]
    best = extra.get("best", copy.deepcopy(net.state_dict()))
    every = max(1, schedule.epochs // CHECKPOINTS)
    for epoch in track(range(start, schedule.epochs), label, done=start, shown=shown):
        if _stalled(validation_losses, schedule.patience):
            break
        net.train()
        training.append(_epoch(loss_of, rows, optimiser, schedule.batch))
        net.eval()
        if len(validation):
            validation_losses.append(_mean_loss(loss_of, validation, schedule.batch))
        if not validation_losses or validation_losses[-1] <= min(validation_losses):
            best = copy.deepcopy(net.state_dict())
        state.extra = {"validation": validation_losses, "best": best}
        if (epoch + 1) % every == 0 or epoch + 1 == schedule.epochs:
            state.save(training, epoch + 1)
    net.load_state_dict(best)
    net.eval()
    return {"training": training} | ({"validation": validation_losses} if validation_losses else {})


def _stalled(losses: list[float], patience: int) -> bool:
    return patience > 0 and len(losses) > patience and min(losses[-patience:]) > min(losses[:-patience])


def _epoch(loss_of: LossOf, rows: torch.Tensor, optimiser: torch.optim.Optimizer, batch: int) -> float:
    order = torch.randperm(len(rows))
    total = 0.0
    for indices in torch.split(order, batch):
        # Batch normalisation of a single row would divide by zero.
        if len(indices) == 1 and len(rows) > 1:
            continue
        optimiser.zero_grad()
        loss = loss_of(rows[indices])
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total += loss.item() * len(indices)
    return total / len(rows)


def _mean_loss(loss_of: LossOf, rows: torch.Tensor, batch: int) -> float:
    with torch.no_grad():
        losses = [loss_of(part).item() * len(part) for part in torch.split(rows, batch)]
    return float(sum(losses)) / len(rows)
