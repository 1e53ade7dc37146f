"""A detector of scikit-learn behind a torch network as one model, and whether its ONNX form says the same."""

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
LEAST_RANK_CORRELATION = 0.9999
TIE = 1e-4
"""In standard deviations of the scores: below it float32 may order two scores either way."""
MOST_FLIPS = 0.002
"""Share of rows that may change sides of the threshold: a tree splits where float32 rounds."""

_FRONT = "clip_rows"
_BETWEEN = "rows"
_PREFIX = "detector_"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike the ONNX form and scikit-learn score the same rows.

    Attributes:
        rank_correlation: Kendall's, of pairs that are no ties: 1 where all of them stand in the same order.
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
        learned: how many numbers it has learned.
        transform: of the feature specification; names the input.
    """

    def __init__(self, front: nn.Module, estimator: Estimator, width: int, learned: int, transform: str) -> None:
        self._front = TorchModel(front, transform=transform)
        self._estimator, self._width, self._learned = estimator, width, learned

    @property
    def parameters(self) -> int:
        """Numbers learned by network and detector."""
        return self._learned

    @property
    def outputs(self) -> tuple[str, ...]:
        """See the protocol."""
        return (SCORE_OUTPUT,)

    def predict(self, windows: Float32) -> list[Float32]:
        """See the protocol."""
        (rows,) = self._front.predict(windows)
        return [scores(self._estimator, rows).astype(np.float32)]

    def graph(self, example: Float32) -> onnx.ModelProto:
        """See the protocol."""
        front = self._front.graph(example)
        _rename_output(front, _FRONT)
        merged: onnx.ModelProto = compose.merge_models(
            front, self._detector(), io_map=[(_FRONT, _PREFIX + _BETWEEN)], outputs=[SCORE_OUTPUT]
        )
        merged.ir_version = IR_VERSION
        return merged

    def agreement(self, rows: Float32, threshold: float) -> Agreement:
        """Scores rows float32 (n, k) both ways and compares.

        Raises:
            ExportError: the order of the scores differs, or too many rows change sides: the export is not the model.
        """
        session = onnxruntime.InferenceSession(self._detector().SerializeToString(), providers=["CPUExecutionProvider"])
        told = session.run([SCORE_OUTPUT], {_PREFIX + _BETWEEN: rows})[0].astype(np.float64)
        wanted = scores(self._estimator, rows)
        found = Agreement(
            rank_correlation=_rank_correlation(told, wanted),
            flips=float(np.mean((told > threshold) != (wanted > threshold))),
            furthest=float(np.abs(told - wanted).max() / max(float(wanted.std()), 1e-12)),
        )
        if not found.rank_correlation >= LEAST_RANK_CORRELATION or found.flips > MOST_FLIPS:
            raise ExportError(
                f"the exported detector is another: rank correlation {found.rank_correlation:.6f} with scikit-learn,"
                f" {found.flips:.2%} of rows change sides; {LEAST_RANK_CORRELATION} and {MOST_FLIPS:.2%} are the limits"
            )
        return found

    def _detector(self) -> onnx.ModelProto:
        """The estimator with the score's sign turned, all names prefixed, its label left out."""
        model = to_onnx(
            self._estimator,
            initial_types=[(_BETWEEN, FloatTensorType([None, self._width]))],
            target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
        )
        for opset in model.opset_import:
            # The converter names the oldest version that would do, and what runs models refuses that of ai.onnx.ml.
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
        _without_label(model)
        return model


def _rename_output(model: onnx.ModelProto, name: str) -> None:
    old = model.graph.output[0].name
    model.graph.output[0].name = name
    for node in model.graph.node:
        node.output[:] = [name if one == old else one for one in node.output]
        node.input[:] = [name if one == old else one for one in node.input]


def _without_label(model: onnx.ModelProto) -> None:
    """Drops what nothing needs: the detectors' labels are of operators no score asks for."""
    needed = {SCORE_OUTPUT}
    kept = []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(kept))
    unused = [one for one in model.graph.initializer if one.name not in needed]
    for one in unused:
        model.graph.initializer.remove(one)


def _rank_correlation(told: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]) -> float:
    apart = wanted[:, None] - wanted[None, :]
    above = apart > TIE * max(float(wanted.std()), 1e-12)
    same = np.sign(told[:, None] - told[None, :])[above]
    return float(same.mean()) if same.size else 1.0


def learned_numbers(front: nn.Module, estimator: object) -> int:
    """Weights of a network, and what a fitted detector keeps: its support vectors, its rows or its trees' splits."""
    total = sum(weights.numel() for weights in front.parameters())
    trees = getattr(estimator, "estimators_", None)
    if trees is not None:
        return total + sum(int(tree.tree_.node_count) for tree in trees)
    kept = getattr(estimator, "support_vectors_", getattr(estimator, "_fit_X", np.empty(0)))
    return total + int(np.size(np.asarray(kept)))
