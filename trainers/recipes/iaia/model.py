"""The clip-statistics recipe's chain up to its detector, as one network with samples as its input."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from trainers.features.waveform_graph import ClipFeatures
from trainers.recipes.iaia.chain import BLOCKS, Denoiser, Projection


class DetectorInput(nn.Module):
    """From windows of samples to the detector's input.

    Args:
        denoiser, projection: fitted on rows of features.
        density: see :func:`trainers.features.mfcc.clip_features`.
    """

    low: torch.Tensor
    span: torch.Tensor
    mean: torch.Tensor
    components: torch.Tensor

    def __init__(self, denoiser: Denoiser, projection: Projection, *, density: bool) -> None:
        super().__init__()
        self.features = ClipFeatures(density=density)
        self.nets = nn.ModuleList(denoiser.nets)
        for name, values in (
            ("low", denoiser.low),
            ("span", denoiser.span),
            ("mean", projection.mean),
            ("components", projection.components),
        ):
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """float32 (batch, k) of float32 (batch, n_frames, n_fft)."""
        scaled = (self.features(rows) - self.low) / self.span
        denoised = torch.cat([net(scaled[:, block]) for net, block in zip(self.nets, BLOCKS, strict=True)], dim=1)
        return torch.matmul(denoised - self.mean, self.components)
