"""Small model files made to order: their score is the window's mean feature, scaled: a number tells its model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from schemas.features import FeatureSpec
from schemas.manifest import Calibration, Manifest, write_metadata

MACHINE = FeatureSpec(n_frames=96, window_hop=48, level="none")
"""The windows of the machine model that ships, at their own level."""

_NAN_WIDTH = 4.0


def craft(
    path: Path,
    version: str,
    scale: float,
    spec: FeatureSpec = MACHINE,
    *,
    detector: str = "machine",
    features_hash: str | None = None,
    golden_off: float = 0.0,
    nan_around: float | None = None,
) -> Path:
    """Writes a model.

    Args:
        path: the file.
        version: what it calls itself.
        scale: score = scale * mean of the window's features.
        spec: what it is fed.
        detector: its role.
        features_hash: what it says of its features; None tells the truth.
        golden_off: how far its golden scores are from what it scores.
        nan_around: it scores NaN where the mean is within 4 of this.
    """
    features = np.random.default_rng(1).normal(-40.0, 5.0, (2, spec.n_frames, spec.width)).astype(np.float32)
    nodes = [helper.make_node("ReduceMean", [spec.transform, "axes"], ["mean"], keepdims=0)]
    if nan_around is None:
        nodes += [helper.make_node("Mul", ["mean", "scale"], ["score"])]
    else:
        nodes += [
            helper.make_node("Mul", ["mean", "scale"], ["scaled"]),
            helper.make_node("Sub", ["mean", "around"], ["off"]),
            helper.make_node("Abs", ["off"], ["distance"]),
            helper.make_node("Sub", ["distance", "width"], ["beyond"]),
            helper.make_node("Sqrt", ["beyond"], ["root"]),
            helper.make_node("Sub", ["root", "root"], ["nothing"]),
            helper.make_node("Add", ["scaled", "nothing"], ["score"]),
        ]
    graph = helper.make_graph(
        nodes,
        "crafted",
        [helper.make_tensor_value_info(spec.transform, TensorProto.FLOAT, ["batch", spec.n_frames, spec.width])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch"])],
        [
            numpy_helper.from_array(np.array([1, 2], np.int64), "axes"),
            numpy_helper.from_array(np.array(scale, np.float32), "scale"),
            numpy_helper.from_array(np.array(nan_around or 0.0, np.float32), "around"),
            numpy_helper.from_array(np.array(_NAN_WIDTH, np.float32), "width"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    manifest = Manifest(
        model_id="crafted",
        version=version,
        detector=detector,
        features=spec,
        features_hash=features_hash or spec.hash(),
        calibration=Calibration(
            transfer="relative", threshold=0.0, spread=abs(scale), n=100, quantiles={"0.5": -40.0 * scale}
        ),
        trained_on="nothing",
        training_digest="0" * 64,
        code_revision="test",
        seed=0,
        metrics={},
        parameters=1,
    )
    golden = features.mean(axis=(1, 2)) * np.float32(scale) + np.float32(golden_off)
    helper.set_model_props(model, write_metadata(manifest, features, golden))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def mean_score(rows: np.ndarray, scale: float) -> float:
    """What a crafted model says of a window, float32 (n_frames, width)."""
    return float(rows.mean()) * scale
