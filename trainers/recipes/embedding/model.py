"""The embedding and one device's memory bank as a network."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from trainers.recipes.embedding.memory_bank import MIN_DISTANCE, MemoryBank
from trainers.recipes.embedding.network import PHASES, EmbeddingNet, PhaseStatistics

Float32 = npt.NDArray[np.float32]

_BATCH = 64


class MemoryBankNet(nn.Module):
    """A device's score of windows.

    Args:
        embedding: shared by all devices; None uses the phases alone.
        memory_bank: the device's, of the four views of :class:`trainers.recipes.embedding.network.PhaseStatistics`,
            then of embeddings.
    """

    def __init__(self, embedding: EmbeddingNet | None, memory_bank: MemoryBank) -> None:
        super().__init__()
        self.phases = PhaseStatistics()
        self.embedding = embedding
        for number, view in enumerate(memory_bank.views):
            for name, values in (("centre", view.centre), ("whitening", view.whitening)):
                parameter = nn.Parameter(torch.from_numpy(values.astype(np.float32)), requires_grad=False)
                self.register_parameter(f"{name}_{number}", parameter)
        self._standardisation = [(view.mean, view.spread) for view in memory_bank.views]

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        """float32 (batch,) of windows float32 (batch, n_frames, n_mels) in dB, level-normalised."""
        phases = self.phases(log_mel)
        views = [phases[:, number] for number in range(PHASES)]
        if self.embedding is not None:
            views.append(self.embedding(log_mel))
        distances = []
        for number, (view, (mean, spread)) in enumerate(zip(views, self._standardisation, strict=True)):
            centred = view - self.get_parameter(f"centre_{number}")
            white = torch.matmul(centred, self.get_parameter(f"whitening_{number}"))
            distances.append((torch.log(white.square().mean(dim=1).clamp(min=MIN_DISTANCE)) - mean) / spread)
        return torch.stack(distances, dim=1).mean(dim=1)


def views_of(windows: Float32, embedding: EmbeddingNet | None) -> list[Float32]:
    """The views of windows that a memory bank is fitted to.

    Args:
        windows: float32 (n, n_frames, n_mels), dB, level-normalised.
        embedding: in evaluation mode; None omits it.

    Returns:
        Four views float32 (n, n_mels) and, with an embedding, one float32 (n, size).
    """
    phases = PhaseStatistics()
    parts = []
    with torch.no_grad():
        for start in range(0, len(windows), _BATCH):
            batch = torch.from_numpy(np.ascontiguousarray(windows[start : start + _BATCH]))
            views = [*phases(batch).unbind(dim=1)]
            if embedding is not None:
                views.append(embedding(batch))
            parts.append([view.numpy() for view in views])
    return [np.concatenate(view) for view in zip(*parts, strict=True)]
