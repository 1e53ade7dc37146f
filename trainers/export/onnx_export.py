"""Exports a trained model to one ONNX file with manifest and golden windows, and checks its scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from schemas.errors import ExportError
from schemas.manifest import Manifest, write_metadata
from trainers.files import write_atomically
from trainers.model import Model

GOLDEN_WINDOWS = 3
_MAX_DIFFERENCE = 1e-5

Float32 = npt.NDArray[np.float32]


def export(model: Model, manifest: Manifest, golden: Float32, path: Path) -> None:
    """Writes a model as an artefact, atomically.

    Args:
        model, manifest, golden: see :func:`artefact_bytes`.
        path: the file, overwritten.

    Raises:
        ExportError: see :func:`artefact_bytes`.
        OutputError: the file cannot be written.
    """
    write_atomically(path, artefact_bytes(model, manifest, golden))


def artefact_bytes(model: Model, manifest: Manifest, golden: Float32) -> bytes:
    """The bytes of a model's artefact.

    Args:
        model: the trained model.
        manifest: the file's metadata.
        golden: windows stored with their scores, float32 (n, n_frames, width), 3 <= n <= 64.

    Raises:
        ExportError: scores of onnxruntime and the model differ by more than 1e-5.
    """
    graph = model.graph(golden)
    _strip_source_info(graph)
    scores = _checked(graph, model, golden, manifest.features.transform)
    del graph.metadata_props[:]
    for key, value in write_metadata(manifest, golden, scores).items():
        graph.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(graph, full_check=True)
    raw: bytes = graph.SerializeToString(deterministic=True)
    return raw


def _strip_source_info(model: onnx.ModelProto) -> None:
    """Removes the source lines and file paths that exporters store with every node."""
    model.doc_string = ""
    graph = model.graph
    graph.doc_string = ""
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]


def _checked(graph: onnx.ModelProto, model: Model, golden: Float32, name_in: str) -> Float32:
    """Scores by onnxruntime, float32 (n,), after checking them against the model's, in a batch and one by one."""
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    names = list(model.outputs)
    batch = session.run(names, {name_in: golden})
    singles = [session.run(names, {name_in: window[None]}) for window in golden]
    for number, (name, expected) in enumerate(zip(names, model.infer(golden), strict=True)):
        single = np.concatenate([one[number] for one in singles])
        scale = max(float(np.abs(expected).max()), 1.0)
        difference = max(float(np.abs(got - expected).max()) for got in (batch[number], single)) / scale
        if not difference <= _MAX_DIFFERENCE:
            raise ExportError(
                f"output {name!r} of the exported model differs by {difference:.2g} of its size, at most 1e-5 is"
                " allowed: rounding dominates it;"
                " train for longer or on more sound"
            )
    return np.asarray(batch[0], dtype=np.float32)
