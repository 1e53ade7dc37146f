"""The interface of a trained model: inference and ONNX export, for any training library."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnx

Float32 = npt.NDArray[np.float32]

OPSET = 18
IR_VERSION = 10
"""The newest version that onnxruntime 1.20 reads."""


class Model(Protocol):
    """Scores windows, and exports an ONNX graph with the same outputs.

    Attributes:
        parameters: number of trained parameters.
        outputs: names of the outputs of :meth:`infer`: ``score``, and ``bands`` if it has them.
    """

    @property
    def parameters(self) -> int: ...

    @property
    def outputs(self) -> tuple[str, ...]: ...

    def infer(self, windows: Float32) -> list[Float32]:
        """Outputs for windows, in the order of ``outputs``.

        Args:
            windows: float32 (n, n_frames, width) as :func:`processors.core.audio.recording.windows_of` gives them.

        Returns:
            ``score`` float32 (n,), higher is more anomalous, and ``bands`` float32 (n, n_mels) if it has them.
        """
        ...

    def graph(self, example: Float32) -> onnx.ModelProto:
        """The model as ONNX, opset 18: one input named after the specification's transform, with a dynamic batch
        dimension, and the outputs.

        Args:
            example: windows for exporters that trace.
        """
        ...
