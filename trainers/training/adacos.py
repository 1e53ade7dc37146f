"""Sub-cluster AdaCos: an angular-margin loss that separates devices, with several cluster centres per device."""

from __future__ import annotations

import math

import torch
from torch import nn

_MIN_SCALE = 1.0
_MAX_ANGLE = math.pi / 4.0


class SubclusterAdaCos(nn.Module):
    """The loss, with its centres and its scale.

    K. Wilkinghoff, Sub-cluster AdaCos: learning representations for anomalous sound detection, IJCNN 2021; adaptive
    scale after X. Zhang et al., AdaCos, CVPR 2019. Centres are random and fixed, so that no class can collapse its own
    (Wilkinghoff, Design choices for learning embeddings from auxiliary tasks, TASLP 2023).

    Args:
        width: of an embedding.
        classes: devices.
        clusters: centres of each.
    """

    centres: torch.Tensor
    scale: torch.Tensor

    def __init__(self, width: int, classes: int, clusters: int = 4) -> None:
        super().__init__()
        self._classes, self._clusters = classes, clusters
        self.register_buffer("centres", nn.functional.normalize(torch.randn(classes * clusters, width), dim=1))
        start = math.sqrt(2.0) * math.log(max(classes * clusters - 1, 2))
        self.register_buffer("scale", torch.tensor(start))

    def forward(self, embeddings: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy; in training the scale follows the batch.

        Args:
            embeddings: float32 (n, width), of any length.
            shares: float32 (n, classes), class weights of each row, summing to 1; mixed rows have two classes.
        """
        cosines = nn.functional.normalize(embeddings, dim=1) @ self.centres.T
        if self.training:
            self._adapt_scale(cosines.detach(), shares)
        logits = (self.scale * cosines).view(-1, self._classes, self._clusters).logsumexp(dim=2)
        return -(shares * nn.functional.log_softmax(logits, dim=1)).sum(dim=1).mean()

    def _adapt_scale(self, cosines: torch.Tensor, shares: torch.Tensor) -> None:
        """s = log B / cos(min(pi / 4, median angle to the own class)), B the mean sum over other classes."""
        mine = shares.repeat_interleave(self._clusters, dim=1) > 0.0
        largest = (self.scale * cosines).amax()
        others = torch.where(mine, 0.0, torch.exp(self.scale * cosines - largest)).sum(dim=1).mean()
        own = torch.where(mine, cosines, -1.0).amax(dim=1).clamp(-1.0, 1.0)
        angle = torch.arccos(own).median().clamp(max=_MAX_ANGLE)
        self.scale.copy_(((torch.log(others) + largest) / torch.cos(angle)).clamp(min=_MIN_SCALE))
