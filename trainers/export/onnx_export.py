"""From a trained model to one ONNX file that says what it is and proves what it answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from schemas.errors import ExportError
from schemas.manifest import Manifest, write_metadata
from trainers.files import write_whole
from trainers.model import Model

GOLDEN_WINDOWS = 3
_PARITY = 1e-5

Float32 = npt.NDArray[np.float32]


def export(model: Model, manifest: Manifest, golden: Float32, path: Path) -> None:
    """Writes a model as an artefact; the file is whole or not there.

    Args:
        model, manifest, golden: see :func:`exported`.
        path: the file, overwritten.

    Raises:
        ExportError: as :func:`exported`.
        OutputError: the file cannot be written.
    """
    write_whole(path, exported(model, manifest, golden))


def exported(model: Model, manifest: Manifest, golden: Float32) -> bytes:
    """A model as an artefact's bytes.

    Args:
        model: what was trained.
        manifest: what the file says of itself.
        golden: windows to keep with their scores, float32 (n, n_frames, width), 3 <= n <= 64.

    Raises:
        ExportError: onnxruntime answers differently from the model by more than 1e-5.
    """
    graph = model.graph(golden)
    _forget_origin(graph)
    scores = _checked(graph, model, golden, manifest.features.transform)
    del graph.metadata_props[:]
    for key, value in write_metadata(manifest, golden, scores).items():
        graph.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(graph, full_check=True)
    raw: bytes = graph.SerializeToString(deterministic=True)
    return raw


def _forget_origin(model: onnx.ModelProto) -> None:
    """Exporters note the source line of every node, with the paths of the machine they ran on."""
    model.doc_string = ""
    graph = model.graph
    graph.doc_string = ""
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]


def _checked(graph: onnx.ModelProto, model: Model, golden: Float32, name_in: str) -> Float32:
    """Scores by onnxruntime, float32 (n,), once they are the model's own, for batches and for single windows."""
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    names = list(model.outputs)
    answers = session.run(names, {name_in: golden})
    singles = [session.run(names, {name_in: window[None]}) for window in golden]
    for number, (name, wanted) in enumerate(zip(names, model.predict(golden), strict=True)):
        single = np.concatenate([one[number] for one in singles])
        scale = max(float(np.abs(wanted).max()), 1.0)
        off = max(float(np.abs(got - wanted).max()) for got in (answers[number], single)) / scale
        if not off <= _PARITY:
            raise ExportError(
                f"output {name!r} of the exported model is off by {off:.2g} of its size, not 1e-5: rounding decides it;"
                " train for longer or on more sound"
            )
    return np.asarray(answers[0], dtype=np.float32)
