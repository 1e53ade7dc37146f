"""Model files made for a run: their score is the window's mean feature, scaled; one kind fails on silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from schemas.features import FeatureSpec
from schemas.manifest import Calibration, Manifest, write_metadata

SPEC = FeatureSpec(n_frames=96, window_hop=48, level="none")
"""The windows of the machine model that ships, at their own level."""


def craft_model(path: Path, version: str, scale: float, *, finite: bool = True) -> Path:
    """Writes a model of machines.

    Args:
        path: the file.
        version: what it calls itself.
        scale: score = scale * the window's mean feature.
        finite: False: it is not a number where the sound is quiet, and passes every check on louder sound.
    """
    features = np.random.default_rng(1).normal(-30.0, 5.0, (2, SPEC.n_frames, SPEC.width)).astype(np.float32)
    means = features.mean(axis=(1, 2))
    nodes = [helper.make_node("ReduceMean", ["log_mel", "axes"], ["mean"], keepdims=0)]
    constants = [numpy_helper.from_array(np.array([1, 2], np.int64), "axes")]
    if finite:
        golden = means * np.float32(scale)
    else:
        # The root of a negative number: quiet sound lies below -50 dB on average.
        nodes += [helper.make_node("Add", ["mean", "fifty"], ["above"]), helper.make_node("Sqrt", ["above"], ["root"])]
        constants.append(numpy_helper.from_array(np.array(50.0, np.float32), "fifty"))
        golden = np.sqrt(means + np.float32(50.0)) * np.float32(scale)
    nodes.append(helper.make_node("Mul", ["mean" if finite else "root", "scale"], ["score"]))
    constants.append(numpy_helper.from_array(np.array(scale, np.float32), "scale"))
    graph = helper.make_graph(
        nodes,
        "crafted",
        [helper.make_tensor_value_info("log_mel", TensorProto.FLOAT, ["batch", SPEC.n_frames, SPEC.width])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch"])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    manifest = Manifest(
        model_id="crafted",
        version=version,
        detector="machine",
        features=SPEC,
        features_hash=SPEC.hash(),
        calibration=Calibration(transfer="relative", threshold=0.0, spread=abs(scale), n=100, quantiles={"0.5": 0.0}),
        trained_on="nothing",
        training_digest="0" * 64,
        code_revision="faults",
        seed=0,
        metrics={},
        parameters=1,
    )
    helper.set_model_props(model, write_metadata(manifest, features, golden.astype(np.float32)))
    path.write_bytes(model.SerializeToString())
    return path
