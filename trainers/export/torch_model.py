"""A torch network as a model."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import nn

from schemas.errors import ExportError
from schemas.manifest import BANDS_OUTPUT, SCORE_OUTPUT
from trainers.model import IR_VERSION, OPSET

Float32 = npt.NDArray[np.float32]

_BATCH = 128


class TorchModel:
    """See :class:`trainers.model.Model`.

    Args:
        net: in evaluation mode; takes float32 (batch, n_frames, width), gives score (batch,) and, with
            ``has_bands``, bands (batch, n_mels) besides.
        has_bands: whether there is a second output.
        transform: of the feature specification; names the input.
    """

    def __init__(self, net: nn.Module, *, has_bands: bool = False, transform: str = "log_mel") -> None:
        self._net = net
        self._transform = transform
        self._outputs = (SCORE_OUTPUT, BANDS_OUTPUT) if has_bands else (SCORE_OUTPUT,)

    @property
    def parameters(self) -> int:
        """Weights, without the running statistics of normalisation."""
        return sum(weights.numel() for weights in self._net.parameters())

    @property
    def outputs(self) -> tuple[str, ...]:
        """See the protocol."""
        return self._outputs

    def predict(self, windows: Float32) -> list[Float32]:
        """See the protocol."""
        # Copies: windows may be views that must not be written, of which torch would warn.
        parts: list[list[Float32]] = []
        with torch.no_grad():
            for start in range(0, len(windows), _BATCH):
                told = self._net(torch.from_numpy(np.array(windows[start : start + _BATCH])))
                parts.append([one.numpy() for one in ((told,) if isinstance(told, torch.Tensor) else told)])
        return [np.concatenate(column).astype(np.float32) for column in zip(*parts, strict=True)]

    def graph(self, example: Float32) -> onnx.ModelProto:
        """See the protocol."""
        with _quiet():
            program = torch.onnx.export(
                self._net,
                (torch.from_numpy(example),),
                input_names=[self._transform],
                output_names=list(self._outputs),
                dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4_096)},),
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        if program is None:
            raise ExportError("torch gave no ONNX program")
        model: onnx.ModelProto = program.model_proto
        model.ir_version = IR_VERSION
        return model


def scores_of(net: nn.Module, windows: Float32) -> Float32:
    """A network's scores of windows, float32 (n,); the score is its first or only output."""
    return TorchModel(net).predict(windows)[0] if len(windows) else np.empty(0, dtype=np.float32)


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter speaks of its own deprecations and of packages it does without; neither is the user's business."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
