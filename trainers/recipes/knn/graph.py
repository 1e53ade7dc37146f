"""A closed form as ONNX: lines of its text form, and the numbers they name.

Doubles inside, since whitening subtracts large numbers from each other; what is kept is float32.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx.parser
from onnx import ModelProto, TensorProto, numpy_helper

from schemas.manifest import SCORE_OUTPUT
from trainers.model import IR_VERSION, OPSET
from trainers.recipes.knn.neighbours import NEIGHBOURS, ClosedForm, Float64, resolution

_ARRAYS = ("centre", "whitening", "references", "weight")
_DOUBLE = int(TensorProto.DOUBLE)

SCORING = f"""
    {" ".join(f"{name} = Cast <to = {_DOUBLE}> ({name}_kept)" for name in _ARRAYS)}
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
    relative = Sub (level, usual)
    {SCORE_OUTPUT} = Cast <to = {int(TensorProto.FLOAT)}> (relative)
"""
"""From ``row``, double (batch, d), to ``score``, float (batch); ``white`` (batch, d) and ``which`` reference is nearest
are for explanations."""


def kept(form: ClosedForm) -> ClosedForm:
    """The form with its arrays rounded to the float32 numbers that a file keeps."""

    def single(values: Float64) -> Float64:
        return values.astype(np.float32).astype(np.float64)

    return replace(
        form,
        centre=single(form.centre),
        whitening=single(form.whitening),
        references=single(form.references),
        weight=single(form.weight),
    )


def numbers(form: ClosedForm) -> list[TensorProto]:
    """What the names in :data:`SCORING` stand for."""
    scalars = {"resolution": resolution(len(form.centre)), "decibels": 20.0 / np.log(10.0), "usual": form.usual_db}
    integers = {"columns": [1], "neighbours": [NEIGHBOURS]}
    return [
        *(numpy_helper.from_array(getattr(form, name).astype(np.float32), f"{name}_kept") for name in _ARRAYS),
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
    text = f'<ir_version: {IR_VERSION}, opset_import: ["" : {OPSET}]> closed_form {signature} {{ {lines} }}'
    model: ModelProto = onnx.parser.parse_model(text)
    model.graph.initializer.extend(initializers)
    return model
