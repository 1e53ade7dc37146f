"""The interface of a trained model: predicts here and is exported as ONNX, with any library behind it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnx

Float32 = npt.NDArray[np.float32]

OPSET = 18
IR_VERSION = 10
"""Supported by onnxruntime 1.20."""


class Model(Protocol):
    """Scores windows, and is exported as an ONNX graph with the same outputs.

    Attributes:
        parameters: number of trained parameters.
        outputs: names of the outputs of :meth:`predict`: ``score``, and ``bands`` if it explains its score.
    """

    @property
    def parameters(self) -> int: ...

    @property
    def outputs(self) -> tuple[str, ...]: ...

    def predict(self, windows: Float32) -> list[Float32]:
        """The outputs, in the order of ``outputs``.

        Args:
            windows: float32 (n, n_frames, width) as :func:`processors.core.audio.recording.windows_of` gives them.

        Returns:
            ``score`` float32 (n,), higher is more anomalous, and ``bands`` float32 (n, n_mels) where there are any.
        """
        ...

    def graph(self, example: Float32) -> onnx.ModelProto:
        """The model as ONNX, opset 18: an input named as the specification's transform, with a free batch dimension,
        and outputs named as in ``outputs``.

        Args:
            example: windows, for exporters that trace.
        """
        ...
