"""From torch to one ONNX file that says what it is and proves what it answers."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from torch import nn

from schemas.errors import OutputError
from schemas.manifest import BANDS_OUTPUT, INPUT, SCORE_OUTPUT, Manifest, write_metadata

OPSET = 18
IR_VERSION = 10
"""What onnxruntime 1.20 reads."""
GOLDEN_WINDOWS = 3
_PARITY = 1e-5

Float32 = npt.NDArray[np.float32]


def export(net: nn.Module, manifest: Manifest, golden: Float32, path: Path, *, has_bands: bool) -> None:
    """Writes a network as an artefact.

    Args:
        net: in evaluation mode; takes float32 (batch, n_frames, n_mels), gives score (batch,) and, with
            ``has_bands``, bands (batch, n_mels).
        manifest: what the file says of itself.
        golden: windows to keep with their scores, float32 (n, n_frames, n_mels), 3 <= n <= 64.
        path: the file, overwritten.
        has_bands: whether there is a second output.

    Raises:
        OutputError: onnxruntime answers differently from torch by more than 1e-5, or the file cannot be written.
    """
    outputs = [SCORE_OUTPUT, BANDS_OUTPUT] if has_bands else [SCORE_OUTPUT]
    model = _converted(net, golden, outputs)
    scores = _checked(model, net, golden, outputs)
    del model.metadata_props[:]
    for key, value in write_metadata(manifest, golden, scores).items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model, full_check=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(model.SerializeToString(deterministic=True))
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None


def _converted(net: nn.Module, golden: Float32, outputs: list[str]) -> onnx.ModelProto:
    with _quiet():
        program = torch.onnx.export(
            net,
            (torch.from_numpy(golden),),
            input_names=[INPUT],
            output_names=outputs,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4_096)},),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise OutputError("torch gave no ONNX program")
    model: onnx.ModelProto = program.model_proto
    model.ir_version = IR_VERSION
    _forget_origin(model)
    return model


def _forget_origin(model: onnx.ModelProto) -> None:
    """The exporter notes the source line of every node, with the paths of the machine it ran on."""
    model.doc_string = ""
    graph = model.graph
    graph.doc_string = ""
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]


def _checked(model: onnx.ModelProto, net: nn.Module, golden: Float32, outputs: list[str]) -> Float32:
    """Scores by onnxruntime, float32 (n,), once they are torch's, for batches and for single windows."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    answers = session.run(outputs, {INPUT: golden})
    singles = [session.run(outputs, {INPUT: window[None]}) for window in golden]
    with torch.no_grad():
        told = net(torch.from_numpy(golden))
    expected = [told] if isinstance(told, torch.Tensor) else list(told)
    for number, name in enumerate(outputs):
        wanted = expected[number].numpy()
        single = np.concatenate([one[number] for one in singles])
        scale = max(float(np.abs(wanted).max()), 1.0)
        off = max(float(np.abs(got - wanted).max()) for got in (answers[number], single)) / scale
        if not off <= _PARITY:
            raise OutputError(f"output {name!r} of the exported model is off by {off:.2g} of its size, not 1e-5")
    return np.asarray(answers[0], dtype=np.float32)


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
