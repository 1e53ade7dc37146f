"""A scikit-learn detector on the outputs of a torch network as one model, and a check of its ONNX form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import compose, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from torch import nn

from schemas.errors import ExportError
from schemas.manifest import SCORE_OUTPUT
from trainers.export.estimator import Estimator, scores
from trainers.export.torch_model import TorchModel
from trainers.model import IR_VERSION, OPSET

Float32 = npt.NDArray[np.float32]

ML_OPSET = 3
MIN_RANK_CORRELATION = 0.9999
TIE = 1e-4
"""Score difference, in standard deviations, below which float32 may order two scores either way."""
MAX_FLIPS = 0.002
"""Share of rows that may change sides of the threshold, since trees split where float32 rounds."""

_FRONT = "clip_rows"
_BETWEEN = "rows"
_PREFIX = "detector_"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of the ONNX form and scikit-learn on the same rows.

    Attributes:
        rank_correlation: Kendall's, over pairs without ties; 1 if all are in the same order.
        flips: share of rows on different sides of the threshold.
        furthest: largest difference of two scores, in standard deviations of the scores.
    """

    rank_correlation: float
    flips: float
    furthest: float


class SklearnModel:
    """See :class:`trainers.model.Model`.

    Args:
        front: from windows float32 (batch, n_frames, width) to rows float32 (batch, k), in evaluation mode.
        estimator: fitted on such rows.
        width: k.
        parameters: number of trained parameters.
        transform: of the feature specification; names the input.
    """

    def __init__(self, front: nn.Module, estimator: Estimator, width: int, parameters: int, transform: str) -> None:
        self._front = TorchModel(front, transform=transform)
        self._estimator, self._width, self._parameters = estimator, width, parameters

    @property
    def parameters(self) -> int:
        """Trained parameters of network and detector."""
        return self._parameters

    @property
    def outputs(self) -> tuple[str, ...]:
        """See :class:`trainers.model.Model`."""
        return (SCORE_OUTPUT,)

    def infer(self, windows: Float32) -> list[Float32]:
        """See :class:`trainers.model.Model`."""
        (rows,) = self._front.infer(windows)
        return [scores(self._estimator, rows).astype(np.float32)]

    def graph(self, example: Float32) -> onnx.ModelProto:
        """See :class:`trainers.model.Model`."""
        front = self._front.graph(example)
        _rename_output(front, _FRONT)
        merged: onnx.ModelProto = compose.merge_models(
            front, self._detector(), io_map=[(_FRONT, _PREFIX + _BETWEEN)], outputs=[SCORE_OUTPUT]
        )
        merged.ir_version = IR_VERSION
        return merged

    def agreement(self, rows: Float32, threshold: float) -> Agreement:
        """Compares the scores of rows float32 (n, k) by both.

        Raises:
            ExportError: the order of the scores differs, or too many rows change sides of the threshold.
        """
        session = onnxruntime.InferenceSession(self._detector().SerializeToString(), providers=["CPUExecutionProvider"])
        exported = session.run([SCORE_OUTPUT], {_PREFIX + _BETWEEN: rows})[0].astype(np.float64)
        expected = scores(self._estimator, rows)
        found = Agreement(
            rank_correlation=_rank_correlation(exported, expected),
            flips=float(np.mean((exported > threshold) != (expected > threshold))),
            furthest=float(np.abs(exported - expected).max() / max(float(expected.std()), 1e-12)),
        )
        if not found.rank_correlation >= MIN_RANK_CORRELATION or found.flips > MAX_FLIPS:
            raise ExportError(
                f"the exported detector differs: rank correlation {found.rank_correlation:.6f} with scikit-learn,"
                f" {found.flips:.2%} of rows change sides; {MIN_RANK_CORRELATION} and {MAX_FLIPS:.2%} are the limits:"
                " train on more sound or with another recipe"
            )
        return found

    def _detector(self) -> onnx.ModelProto:
        """The estimator as ONNX with the score's sign reversed, all names prefixed, without its label output."""
        model = to_onnx(
            self._estimator,
            initial_types=[(_BETWEEN, FloatTensorType([None, self._width]))],
            target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
        )
        for opset in model.opset_import:
            # The converter declares the oldest sufficient version, and the model check refuses that of ai.onnx.ml.
            opset.version = OPSET if opset.domain == "" else ML_OPSET
        decision = model.graph.output[1].name
        model = compose.add_prefix(model, _PREFIX)
        model.graph.initializer.append(helper.make_tensor(_PREFIX + "flat", onnx.TensorProto.INT64, [1], [-1]))
        model.graph.node.extend(
            [
                helper.make_node("Reshape", [_PREFIX + decision, _PREFIX + "flat"], [_PREFIX + "row"]),
                helper.make_node("Neg", [_PREFIX + "row"], [SCORE_OUTPUT]),
            ]
        )
        del model.graph.output[:]
        model.graph.output.append(helper.make_tensor_value_info(SCORE_OUTPUT, onnx.TensorProto.FLOAT, ["batch"]))
        model.ir_version = IR_VERSION
        _remove_label(model)
        return model


def _rename_output(model: onnx.ModelProto, name: str) -> None:
    old = model.graph.output[0].name
    model.graph.output[0].name = name
    for node in model.graph.node:
        node.output[:] = [name if one == old else one for one in node.output]
        node.input[:] = [name if one == old else one for one in node.input]


def _remove_label(model: onnx.ModelProto) -> None:
    """Removes nodes and initializers that only the label output needs."""
    needed = {SCORE_OUTPUT}
    nodes = []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    unused = [one for one in model.graph.initializer if one.name not in needed]
    for one in unused:
        model.graph.initializer.remove(one)


def _rank_correlation(exported: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]) -> float:
    differences = expected[:, None] - expected[None, :]
    above = differences > TIE * max(float(expected.std()), 1e-12)
    same = np.sign(exported[:, None] - exported[None, :])[above]
    return float(same.mean()) if same.size else 1.0


def parameter_count(front: nn.Module, estimator: object) -> int:
    """Weights of a network plus a fitted detector's support vectors, stored rows or tree nodes."""
    total = sum(weights.numel() for weights in front.parameters())
    trees = getattr(estimator, "estimators_", None)
    if trees is not None:
        return total + sum(int(tree.tree_.node_count) for tree in trees)
    stored = getattr(estimator, "support_vectors_", getattr(estimator, "_fit_X", np.empty(0)))
    return total + int(np.size(np.asarray(stored)))
