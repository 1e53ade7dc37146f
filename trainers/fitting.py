"""The training loop all recipes share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from rich.progress import track
from torch import nn

# Networks this small gain nothing from a second thread, and lose much where the processor is shared.
_THREADS = 1
_WARM_UP = 0.1
_WEIGHT_DECAY = 1e-4
_CLIP = 5.0


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


def fit(net: nn.Module, loss_of: Callable[[], torch.Tensor], steps: int, rate: float, label: str) -> float:
    """Trains with AdamW on a one-cycle schedule (Smith and Topin 2018); leaves the network in evaluation mode.

    Args:
        net: the network.
        loss_of: draws a batch and gives its loss.
        steps: batches.
        rate: the highest learning rate.
        label: stands before the progress bar.

    Returns:
        Mean loss over the last tenth of the steps.
    """
    net.train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=_WARM_UP)
    last: list[float] = []
    for step in track(range(steps), description=label, transient=True):
        optimiser.zero_grad()
        loss = loss_of()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), _CLIP)
        optimiser.step()
        schedule.step()
        if step >= steps - max(1, steps // 10):
            last.append(loss.item())
    net.eval()
    return sum(last) / len(last)
