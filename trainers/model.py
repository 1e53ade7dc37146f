"""What a recipe has trained: a model that answers here and can be written as ONNX, whatever library made it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnx

Float32 = npt.NDArray[np.float32]

OPSET = 18
IR_VERSION = 10
"""What onnxruntime 1.20 reads."""


class Model(Protocol):
    """Scores windows, and becomes an ONNX graph that answers the same.

    Attributes:
        parameters: how many numbers it has learned.
        outputs: names of what :meth:`answer` gives, ``score`` first, ``bands`` second where there is one.
    """

    @property
    def parameters(self) -> int: ...

    @property
    def outputs(self) -> tuple[str, ...]: ...

    def answer(self, windows: Float32) -> list[Float32]:
        """Its outputs, in the order of ``outputs``.

        Args:
            windows: float32 (n, n_frames, width) as :func:`processors.core.audio.recording.windows_of` gives them.

        Returns:
            ``score`` float32 (n,), higher is more anomalous, and ``bands`` float32 (n, n_mels) where it has them.
        """
        ...

    def graph(self, example: Float32) -> onnx.ModelProto:
        """The same as ONNX: an input named as the specification's transform, with a free batch dimension, outputs as
        named, opset 18.

        Args:
            example: some windows, for exporters that trace.
        """
        ...
