"""The nearest-neighbour score as ONNX: nodes in ONNX's text form, and their constants.

Computes in doubles, since whitening subtracts large numbers from each other; stored arrays are float32.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx.parser
from onnx import ModelProto, TensorProto, numpy_helper

from schemas.manifest import SCORE_OUTPUT
from trainers.model import IR_VERSION, OPSET
from trainers.recipes.knn.neighbours import NEIGHBOURS, Float64, NearestNeighbours, resolution

_ARRAYS = ("centre", "whitening", "references", "weight")
_DOUBLE = int(TensorProto.DOUBLE)

SCORING = f"""
    {" ".join(f"{name} = Cast <to = {_DOUBLE}> ({name}_stored)" for name in _ARRAYS)}
    off = Sub (row, centre)
    white = MatMul (off, whitening)
    white_squared = ReduceSumSquare <keepdims = 1> (white, columns)
    reference_squared = ReduceSumSquare <keepdims = 0> (references, columns)
    without_white = Gemm <alpha = -2.0, transB = 1> (white, references, reference_squared)
    unbounded = Add (white_squared, without_white)
    bounded = Relu (unbounded)
    squared = Add (bounded, resolution)
    distance = Sqrt (squared)
    weighted = Mul (distance, weight)
    nearest, which = TopK <largest = 0> (weighted, neighbours)
    mean = ReduceMean <keepdims = 0> (nearest, columns)
    natural = Log (mean)
    level = Mul (natural, decibels)
    relative = Sub (level, typical)
    {SCORE_OUTPUT} = Cast <to = {int(TensorProto.FLOAT)}> (relative)
"""
"""From ``row``, double (batch, d), to ``score``, float (batch); ``white`` (batch, d) and the index ``which`` of the
nearest reference are used for explanations."""


def as_stored(scorer: NearestNeighbours) -> NearestNeighbours:
    """The same with its arrays rounded to float32, as a file stores them."""

    def single(values: Float64) -> Float64:
        return values.astype(np.float32).astype(np.float64)

    return replace(
        scorer,
        centre=single(scorer.centre),
        whitening=single(scorer.whitening),
        references=single(scorer.references),
        weight=single(scorer.weight),
    )


def constants(scorer: NearestNeighbours) -> list[TensorProto]:
    """Initialisers of the names in :data:`SCORING`."""
    scalars = {
        "resolution": resolution(len(scorer.centre)),
        "decibels": 20.0 / np.log(10.0),
        "typical": scorer.typical_db,
    }
    integers = {"columns": [1], "neighbours": [NEIGHBOURS]}
    return [
        *(numpy_helper.from_array(getattr(scorer, name).astype(np.float32), f"{name}_stored") for name in _ARRAYS),
        *(numpy_helper.from_array(np.array(value), name) for name, value in scalars.items()),
        *(numpy_helper.from_array(np.array(value, dtype=np.int64), name) for name, value in integers.items()),
    ]


def model_of(signature: str, lines: str, initializers: list[TensorProto]) -> ModelProto:
    """A model from ONNX's text form.

    Args:
        signature: inputs and outputs, as in ``(float[batch, 3] x) => (float[batch] score)``.
        lines: the nodes.
        initializers: their constants.
    """
    text = f'<ir_version: {IR_VERSION}, opset_import: ["" : {OPSET}]> nearest_neighbours {signature} {{ {lines} }}'
    model: ModelProto = onnx.parser.parse_model(text)
    model.graph.initializer.extend(initializers)
    return model
