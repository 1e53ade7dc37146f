"""The training loop all recipes share."""

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

# Networks this small gain nothing from a second thread, and lose much where the processor is shared.
_THREADS = 1
_WARM_UP = 0.1
_WEIGHT_DECAY = 1e-4
_CLIP = 5.0
CHECKPOINTS = 20
"""Of a fit, at most."""


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Same seed, same model: seeds torch and refuses operations whose result varies from run to run."""
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

    Inside :func:`trainers.training.checkpoint.resumable` it keeps checkpoints, if it is told of all there is to keep.

    Args:
        net: the network.
        loss_of: draws a batch and gives its loss.
        steps: batches.
        rate: the highest learning rate.
        label: stands before the progress bar.
        draws: the generators ``loss_of`` draws from, besides torch's own; without them no checkpoint is kept, since
            what follows one could not be the same.

    Returns:
        The loss of each step.

    Raises:
        OutputError: a checkpoint cannot be written.
    """
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=warm_up(steps))
    progress = Progress(
        next_checkpoint() if draws is not None else Checkpoint(None), net, optimiser, schedule, draws or ()
    )
    losses, begun = progress.resume()
    net.train()
    every = max(1, steps // CHECKPOINTS)
    for step in track(range(begun, steps), label, done=begun):
        optimiser.zero_grad()
        loss = loss_of()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), _CLIP)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        if (step + 1) % every == 0 or step + 1 == steps:
            progress.keep(losses, step + 1)
    net.eval()
    return losses


def warm_up(steps: int) -> float:
    """Share of a fit's steps in which a one-cycle schedule's rate rises: a tenth."""
    # torch divides by those steps less one.
    return _WARM_UP if steps * _WARM_UP != 1.0 else 2.0 * _WARM_UP


class Progress:
    """All that decides how a fit goes on, kept in a checkpoint.

    Args:
        checkpoint: where.
        net, optimiser, schedule: what is trained, and with what.
        draws: generators that are drawn from, besides torch's own.
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
        self.further: dict[str, Any] = {}
        """Whatever else the loop has to keep: tensors, numbers, text and dictionaries of them."""

    def resume(self) -> tuple[list[float], int]:
        """Losses so far and steps done; none where nothing was kept.

        Raises:
            UnreadableInput: the checkpoint cannot be read.
        """
        raw = self._checkpoint.load()
        if raw is None:
            return [], 0
        try:
            state = torch.load(io.BytesIO(raw), weights_only=True)
        except Exception as error:
            # torch raises whatever its pickle or zip reader raises.
            name = self._checkpoint.name
            raise UnreadableInput(
                f"{name} cannot be read: {str(error)[:200]}: it is removed; the same command begins anew"
            ) from None
        self._net.load_state_dict(state["net"])
        self._optimiser.load_state_dict(state["optimiser"])
        if self._schedule is not None:
            self._schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["torch"])
        for generator, kept in zip(self._draws, state["draws"], strict=True):
            generator.bit_generator.state = json.loads(kept)
        self.further = state["further"]
        return list(state["losses"]), int(state["done"])

    def keep(self, losses: Sequence[float], done: int) -> None:
        """Keeps where the fit stands.

        Raises:
            OutputError: it cannot be written.
        """
        state = {
            "net": self._net.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "schedule": None if self._schedule is None else self._schedule.state_dict(),
            "torch": torch.get_rng_state(),
            # The state of a PCG64 is an integer of 128 bits: text holds it.
            "draws": [json.dumps(generator.bit_generator.state) for generator in self._draws],
            "losses": list(losses),
            "done": done,
            "further": self.further,
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        self._checkpoint.keep(buffer.getvalue())
