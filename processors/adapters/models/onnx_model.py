"""ONNX models: verified, then run on one thread."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from processors.core.alerting.detectors import Detectors
from schemas.errors import DigestMismatch, FeatureMismatch, GoldenMismatch, ManifestInvalid, ShapeMismatch
from schemas.features import FeatureSpec
from schemas.manifest import BANDS_OUTPUT, SCORE_OUTPUT, Calibration, Manifest, read_metadata
from schemas.score import ModelRef

Float32 = npt.NDArray[np.float32]

# Golden scores were computed on another machine; measured differences are about 1e-6.
_GOLDEN_RTOL = 1e-4
_GOLDEN_ATOL = 1e-4
# A batch's activations then stay within the second-level cache, where a window costs least.
MAX_BATCH = 16


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class OnnxModel:
    """A model that passed its checks.

    Attributes:
        manifest: its description.
        sha256: digest of the file.
        session: onnxruntime's session, one thread.
        batch: windows in one run at most; 1 for a model in which a window's score depends on the windows beside it.
    """

    manifest: Manifest
    sha256: str
    session: onnxruntime.InferenceSession
    batch: int = MAX_BATCH

    @property
    def ref(self) -> ModelRef:
        """The reference that scores carry."""
        return ModelRef(name=self.manifest.model_id, version=self.manifest.version, sha256=self.sha256)

    @property
    def spec(self) -> FeatureSpec:
        """Its input features."""
        return self.manifest.features

    @property
    def calibration(self) -> Calibration:
        """How it scores normal sound."""
        return self.manifest.calibration

    def score(self, features: Float32) -> tuple[Float32, Float32 | None]:
        """Scores windows.

        Args:
            features: float32 (n, n_frames, width), level-normalised.

        Returns:
            Scores float32 (n,), and float32 (n, n_mels) each band's contribution, or None where the model has no such
            output.
        """
        names = [output.name for output in self.session.get_outputs()]
        wanted = [name for name in (SCORE_OUTPUT, BANDS_OUTPUT) if name in names]
        name_in = self.manifest.features.transform
        parts = [
            self.session.run(wanted, {name_in: np.ascontiguousarray(features[start : start + self.batch])})
            for start in range(0, len(features), self.batch)
        ]
        scores = np.concatenate([part[0] for part in parts])
        return scores, np.concatenate([part[1] for part in parts]) if len(wanted) == 2 else None


def load_model(path: Path, sha256: str | None = None) -> OnnxModel:
    """Reads, checks and warms up an artefact.

    Args:
        path: the ONNX file.
        sha256: its expected digest, hexadecimal; None accepts any.

    Raises:
        DigestMismatch: the file is not the one announced. Nothing of it was parsed.
        ManifestInvalid: not an ONNX file, or without a manifest.
        FeatureMismatch: this build does not compute its features.
        ShapeMismatch: inputs or outputs differ from the manifest.
        GoldenMismatch: it does not reproduce its golden scores.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ManifestInvalid(f"{path}: {error.strerror}: name a model file that can be read") from None
    return model_of(data, str(path), sha256)


def model_of(data: bytes, name: str, sha256: str | None = None) -> OnnxModel:
    """As :func:`load_model`, from bytes; ``name`` is for messages."""
    digest = hashlib.sha256(data).hexdigest()
    if sha256 is not None and digest != sha256:
        raise DigestMismatch(f"{name}: sha256 {digest}, announced {sha256}: fetch the file again")
    model = verified(open_session(data, name), digest, name)
    return model if _is_batch_invariant(model) else replace(model, batch=1)


def open_session(data: bytes, name: str) -> onnxruntime.InferenceSession:
    """A file's graph, optimised, on one thread.

    Raises:
        ManifestInvalid: onnxruntime cannot read it.
    """
    options = onnxruntime.SessionOptions()
    # Parallelism comes from batches and processes; further threads would compete for the cores.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Without it, onnxruntime reads some files as its own format, which the checks do not cover.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime's exceptions have no common base but Exception.
        raise ManifestInvalid(f"{name}: onnxruntime cannot read it: {str(error)[:300]}") from None


def verified(session: onnxruntime.InferenceSession, digest: str, name: str) -> OnnxModel:
    """The model of a session that behaves as its manifest says.

    Args:
        session: of the file.
        digest: the file's sha256, hexadecimal.
        name: for messages.

    Raises:
        ManifestInvalid, FeatureMismatch, ShapeMismatch, GoldenMismatch: as for :func:`load_model`.
    """
    manifest, features, scores = read_metadata(dict(session.get_modelmeta().custom_metadata_map))
    model = OnnxModel(manifest, digest, session)
    _check_features(name, manifest)
    _check_shapes(name, model)
    _check_golden(name, model, features, scores)
    return model


def load_shipped(detector: str) -> OnnxModel:
    """The model that ships with the package for a detector.

    Raises:
        ModelRefused: it does not pass its checks.
        ManifestInvalid: none ships for this detector.
    """
    folder = resources.files("processors.shipped_models")
    index = json.loads((folder / "index.json").read_text())
    if detector not in index:
        raise ManifestInvalid(f"no model ships for detector {detector!r}; there are {', '.join(sorted(index))}")
    with resources.as_file(folder / index[detector]["file"]) as path:
        model = load_model(path, index[detector]["sha256"])
    if model.manifest.detector != detector:
        raise ManifestInvalid(f"{path.name} is a model for {model.manifest.detector!r}, not {detector!r}")
    return model


def load_shipped_models(detectors: Detectors) -> dict[str, OnnxModel]:
    """The models that ship, by detector, verified; detectors without one are left out.

    Raises:
        ModelRefused: one does not pass its checks.
    """
    return {name: load_shipped(name) for name, detector in detectors.items() if detector.default_model is not None}


def _check_features(name: str, manifest: Manifest) -> None:
    computed = manifest.features.hash()
    if computed != manifest.features_hash:
        raise FeatureMismatch(
            f"{name}: trained on features {manifest.features_hash[:12]}, this build computes {computed[:12]}:"
            " train it anew or use the build it was trained with"
        )


def _check_shapes(name: str, model: OnnxModel) -> None:
    spec = model.manifest.features
    inputs = {i.name: (i.type, i.shape[1:]) for i in model.session.get_inputs()}
    want = {spec.transform: ("tensor(float)", [spec.n_frames, spec.width])}
    if inputs != want:
        raise ShapeMismatch(f"{name}: inputs {inputs}; {want} after the batch dimension are required")
    outputs = {o.name: (o.type, o.shape[1:]) for o in model.session.get_outputs()}
    allowed: dict[str, tuple[str, list[int]]] = {SCORE_OUTPUT: ("tensor(float)", [])}
    if spec.transform == "log_mel":
        allowed[BANDS_OUTPUT] = ("tensor(float)", [spec.n_mels])
    if SCORE_OUTPUT not in outputs or any(allowed.get(output) != kind for output, kind in outputs.items()):
        raise ShapeMismatch(f"{name}: outputs {outputs}; of {allowed} 'score' is required, others are not allowed")


def _is_batch_invariant(model: OnnxModel) -> bool:
    """Whether windows have the same scores, to the last bit, in batches of different sizes.

    onnxruntime chooses kernels by the batch's size, and some round differently.
    """
    spec = model.spec
    shape = (MAX_BATCH, spec.n_frames, spec.width)
    sound = np.random.default_rng(0).normal(0.0, 10.0, shape).astype(np.float32)
    whole, _ = model.score(sound)
    parts = [
        np.concatenate([model.score(sound[start : start + size])[0] for start in range(0, MAX_BATCH, size)])
        for size in (1, 3)
    ]
    return all(np.array_equal(whole, part, equal_nan=True) for part in parts)


def _check_golden(name: str, model: OnnxModel, features: Float32, scores: Float32) -> None:
    got, _ = model.score(features)
    if not np.allclose(got, scores, rtol=_GOLDEN_RTOL, atol=_GOLDEN_ATOL):
        worst = float(np.max(np.abs(got - scores)))
        raise GoldenMismatch(f"{name}: golden scores differ by up to {worst:.3g}: export the model anew")
