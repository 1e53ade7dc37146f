"""The training loop shared by the recipes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from schemas.errors import UnreadableInput
from trainers.progress import track
from trainers.training.checkpoint import Checkpoint, next_checkpoint

# Networks this small gain nothing from a second thread, and lose much on a shared processor.
_THREADS = 1
_WARM_UP = 0.1
_WEIGHT_DECAY = 1e-4
_CLIP = 5.0
CHECKPOINTS = 20
"""Maximum per fit."""


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Reproducible training: seeds torch and forbids nondeterministic operations."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(_THREADS)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict)
        torch.set_num_threads(threads)


def fit(
    net: nn.Module,
    loss_of: Callable[[], torch.Tensor],
    steps: int,
    rate: float,
    label: str,
    draws: Sequence[np.random.Generator] | None = None,
) -> list[float]:
    """Trains with AdamW on a one-cycle schedule (Smith and Topin 2018); leaves the network in evaluation mode.

    Saves checkpoints inside :func:`trainers.training.checkpoint.resumable`, if ``draws`` is given.

    Args:
        net: the network.
        loss_of: draws a batch and returns its loss.
        steps: batches.
        rate: maximum learning rate.
        label: text in front of the progress bar.
        draws: the generators ``loss_of`` draws from, besides torch's own; without them no checkpoint is saved, since a
            resumed fit would differ.

    Returns:
        The loss of each step.

    Raises:
        OutputError: a checkpoint cannot be written.
    """
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=warm_up(steps))
    state = FitState(
        next_checkpoint() if draws is not None else Checkpoint(None), net, optimiser, schedule, draws or ()
    )
    losses, start = state.resume()
    net.train()
    every = max(1, steps // CHECKPOINTS)
    for step in track(range(start, steps), label, done=start):
        optimiser.zero_grad()
        loss = loss_of()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), _CLIP)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        if (step + 1) % every == 0 or step + 1 == steps:
            state.save(losses, step + 1)
    net.eval()
    return losses


def warm_up(steps: int) -> float:
    """Share of a fit's steps in which the one-cycle learning rate rises: a tenth."""
    # torch divides by the number of these steps minus one.
    return _WARM_UP if steps * _WARM_UP != 1.0 else 2.0 * _WARM_UP


class FitState:
    """The complete state of a fit, saved in a checkpoint.

    Args:
        checkpoint: its file.
        net, optimiser, schedule: of the fit.
        draws: random generators in use, besides torch's own.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        net: nn.Module,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler | None,
        draws: Sequence[np.random.Generator],
    ) -> None:
        self._checkpoint = checkpoint
        self._net, self._optimiser, self._schedule = net, optimiser, schedule
        self._draws = draws
        self.extra: dict[str, Any] = {}
        """Additional state of the loop: tensors, numbers, text and dictionaries of them."""

    def resume(self) -> tuple[list[float], int]:
        """Restores the saved state.

        Returns:
            Losses so far and steps done; no losses and 0 without a checkpoint.


        Raises:
            UnreadableInput: the checkpoint cannot be read.
        """
        raw = self._checkpoint.load()
        if raw is None:
            return [], 0
        try:
            state = torch.load(io.BytesIO(raw), weights_only=True)
        except Exception as error:
            # torch passes on any error of its pickle or zip reader.
            name = self._checkpoint.name
            raise UnreadableInput(
                f"{name} cannot be read: {str(error)[:200]}: it is removed; the same command starts again"
            ) from None
        self._net.load_state_dict(state["net"])
        self._optimiser.load_state_dict(state["optimiser"])
        if self._schedule is not None:
            self._schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["torch"])
        for generator, saved in zip(self._draws, state["draws"], strict=True):
            generator.bit_generator.state = json.loads(saved)
        self.extra = state["further"]
        return list(state["losses"]), int(state["done"])

    def save(self, losses: Sequence[float], done: int) -> None:
        """Saves the state.

        Raises:
            OutputError: it cannot be written.
        """
        state = {
            "net": self._net.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "schedule": None if self._schedule is None else self._schedule.state_dict(),
            "torch": torch.get_rng_state(),
            # The state of a PCG64 is a 128-bit integer, hence text.
            "draws": [json.dumps(generator.bit_generator.state) for generator in self._draws],
            "losses": list(losses),
            "done": done,
            "further": self.extra,
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        self._checkpoint.save(buffer.getvalue())
