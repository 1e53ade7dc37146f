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
        net: in evaluation mode; takes float32 (batch, n_frames, width), returns score (batch,) and, with
            ``has_bands``, also bands (batch, n_mels).
        has_bands: whether it has a second output.
        transform: of the feature specification; names the input.
    """

    def __init__(self, net: nn.Module, *, has_bands: bool = False, transform: str = "log_mel") -> None:
        self._net = net
        self._transform = transform
        self._outputs = (SCORE_OUTPUT, BANDS_OUTPUT) if has_bands else (SCORE_OUTPUT,)

    @property
    def parameters(self) -> int:
        """Weights, without running statistics of normalisation."""
        return sum(weights.numel() for weights in self._net.parameters())

    @property
    def outputs(self) -> tuple[str, ...]:
        """See :class:`trainers.model.Model`."""
        return self._outputs

    def infer(self, windows: Float32) -> list[Float32]:
        """See :class:`trainers.model.Model`."""
        # Copies, since windows may be read-only views, of which torch warns.
        parts: list[list[Float32]] = []
        with torch.no_grad():
            for start in range(0, len(windows), _BATCH):
                outputs = self._net(torch.from_numpy(np.array(windows[start : start + _BATCH])))
                parts.append([one.numpy() for one in ((outputs,) if isinstance(outputs, torch.Tensor) else outputs)])
        return [np.concatenate(column).astype(np.float32) for column in zip(*parts, strict=True)]

    def graph(self, example: Float32) -> onnx.ModelProto:
        """See :class:`trainers.model.Model`."""
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
            raise ExportError("torch returned no ONNX program: is the installed torch one the extra `train` names?")
        model: onnx.ModelProto = program.model_proto
        model.ir_version = IR_VERSION
        return model


def scores_of(net: nn.Module, windows: Float32) -> Float32:
    """A network's scores of windows, float32 (n,): its first or only output."""
    return TorchModel(net).infer(windows)[0] if len(windows) else np.empty(0, dtype=np.float32)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences the exporter's warnings about its own deprecations and optional packages."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
