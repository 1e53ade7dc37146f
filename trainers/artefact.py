"""A trained model on disk: the ONNX file, its figures and pictures, and its place among the shipped models."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from schemas.errors import OutputError, UnreadableInput
from schemas.manifest import Manifest, read_metadata
from trainers.export import export
from trainers.files import write_whole
from trainers.pictures import draw_histogram, draw_roc
from trainers.provenance import code_revision
from trainers.recipe import Trained

INDEX = "index.json"


def write(trained: Trained, out: Path, seed: int, version: str) -> Path:
    """Writes ``<name>.onnx``, ``<name>.json`` and two pictures, each whole or not at all.

    Args:
        trained: the model.
        out: folder, made if need be.
        seed: of the run.
        version: the model's version.

    Returns:
        The ONNX file.

    Raises:
        OutputError: a file cannot be written.
    """
    manifest = Manifest(
        model_id=f"tocsin-{trained.name}",
        version=version,
        detector=trained.detector,
        features=trained.spec,
        features_hash=trained.spec.hash(),
        calibration=trained.calibration,
        trained_on=trained.trained_on,
        training_digest=trained.training_digest,
        code_revision=code_revision(),
        seed=seed,
        metrics=trained.metrics,
        parameters=trained.model.parameters,
    )
    path = out / f"{trained.name}.onnx"
    export(trained.model, manifest, trained.golden, path)
    figures = {"manifest": manifest.model_dump(mode="json"), "report": trained.report}
    absolute = trained.calibration.transfer == "absolute"
    try:
        write_whole(path.with_suffix(".json"), (json.dumps(figures, indent=2) + "\n").encode())
        if trained.scores:
            limit = trained.calibration.threshold if absolute else None
            draw_histogram(trained.scores, limit, out / f"{trained.name}-scores.png")
            draw_roc(trained.scores, out / f"{trained.name}-roc.png")
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror}") from None
    return path


def install(model: Path, folder: Path) -> None:
    """Copies a model into a folder of shipped models and enters it in the folder's index.

    Args:
        model: the ONNX file; it takes the place of the detector its manifest names.
        folder: holds the models and ``index.json``; made if need be.

    Raises:
        UnreadableInput: the model or the index cannot be read.
        ManifestInvalid: the model says nothing of itself.
        OutputError: the folder cannot be written.
    """
    index = folder / INDEX
    try:
        raw = model.read_bytes()
        entries = json.loads(index.read_text(encoding="utf-8")) if index.exists() else {}
    except (OSError, ValueError) as error:
        raise UnreadableInput(f"{model} or {index} cannot be read: {error}") from None
    entries[_detector(model, raw)] = {"file": model.name, "sha256": hashlib.sha256(raw).hexdigest()}
    write_whole(folder / model.name, raw)
    write_whole(index, (json.dumps(entries, indent=2, sort_keys=True) + "\n").encode())


def _detector(path: Path, raw: bytes) -> str:
    try:
        metadata = {entry.key: entry.value for entry in onnx.load_from_string(raw).metadata_props}
    except DecodeError:
        raise UnreadableInput(f"{path} is no ONNX file: give the file that `tocsin train` wrote") from None
    return read_metadata(metadata)[0].detector
