"""Model files made by hand: a good one, and hostile ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from schemas.artefact import Artefact
from schemas.features import FeatureSpec
from schemas.manifest import Calibration, Manifest, write_metadata

SPEC = FeatureSpec(n_fft=256, win_length=256, hop=128, n_mels=8, n_frames=4, window_hop=4)
Float32 = npt.NDArray[np.float32]

ENDING = (
    helper.make_node("Mul", ["log_mel", "weight"], ["weighted"]),
    helper.make_node("ReduceSum", ["weighted", "axes"], ["score"], keepdims=0),
)
"""From the input to a score."""


def manifest(**changes: Any) -> Manifest:
    """A manifest that matches :func:`graph`, but for the changes."""
    fields: dict[str, Any] = {
        "model_id": "crafted",
        "version": "1.0.0",
        "detector": "machine",
        "features": SPEC,
        "features_hash": SPEC.hash(),
        "calibration": Calibration(transfer="absolute", threshold=1.0, spread=1.0, n=10, quantiles={"0.5": 0.0}),
        "trained_on": "nothing",
        "training_digest": "0" * 64,
        "code_revision": "crafted",
        "seed": 1,
        "metrics": {"auc": 0.9},
        "parameters": 32,
    }
    return Manifest(**(fields | changes))


def golden(n: int = 3) -> Float32:
    """Windows float32 (n, 4, 8)."""
    return np.random.default_rng(1).normal(size=(n, SPEC.n_frames, SPEC.width)).astype(np.float32)


def graph(
    nodes: Sequence[NodeProto] = ENDING,
    tensors: dict[str, npt.NDArray[Any]] | None = None,
    *,
    shape: Sequence[str | int] = ("batch", SPEC.n_frames, SPEC.width),
    name: str = "log_mel",
    kind: int = TensorProto.FLOAT,
    outputs: dict[str, Sequence[str | int]] | None = None,
    domains: Sequence[str] = ("",),
) -> ModelProto:
    """A model: the sum of weighted features, unless other nodes are given."""
    rng = np.random.default_rng(2)
    constants: dict[str, npt.NDArray[Any]] = {
        "weight": rng.normal(size=(SPEC.n_frames, SPEC.width)).astype(np.float32),
        "axes": np.array([1, 2]),
    }
    wanted = outputs if outputs is not None else {"score": ("batch",)}
    return helper.make_model(
        helper.make_graph(
            list(nodes),
            "crafted",
            [helper.make_tensor_value_info(name, kind, shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, dims) for output, dims in wanted.items()],
            [numpy_helper.from_array(array, key) for key, array in (constants | (tensors or {})).items()],
        ),
        opset_imports=[helper.make_opsetid(domain, 3 if domain == "ai.onnx.ml" else 18) for domain in domains],
        ir_version=10,
    )


def scored(model: ModelProto, windows: Float32) -> Float32:
    """The scores by onnxruntime, float32 (n,)."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    scores: Float32 = session.run(["score"], {session.get_inputs()[0].name: windows})[0]
    return scores


def described(
    model: ModelProto,
    claimed: Manifest | None = None,
    windows: Float32 | None = None,
    scores: Float32 | None = None,
) -> ModelProto:
    """The model with its metadata; golden scores are its own unless given."""
    windows = golden() if windows is None else windows
    scores = scored(model, windows) if scores is None else scores
    del model.metadata_props[:]
    for key, value in write_metadata(claimed or manifest(), windows, scores).items():
        model.metadata_props.add(key=key, value=value)
    return model


def written(folder: Path, model: ModelProto | bytes) -> Path:
    """The model as a file."""
    path = folder / "model.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return path


def good(folder: Path) -> Path:
    """A file that passes every check."""
    return written(folder, described(graph()))


def announced(path: Path, **changes: Any) -> Artefact:
    """The announcement of a file, but for the changes."""
    data = path.read_bytes()
    own = manifest()
    fields: dict[str, Any] = {
        "detector": own.detector,
        "model_id": own.model_id,
        "version": own.version,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "url": f"file:///models/{hashlib.sha256(data).hexdigest()}.onnx",
        "features_hash": own.features_hash,
        "published_ns": 1,
    }
    return Artefact(**(fields | changes))
