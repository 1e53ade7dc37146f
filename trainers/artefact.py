"""A trained model on disk: the ONNX file, its figures and pictures, and its place among the shipped models."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from schemas.errors import OutputError, UnreadableInput
from schemas.manifest import Manifest
from trainers.export import export
from trainers.pictures import draw_histogram, draw_roc
from trainers.provenance import code_revision
from trainers.recipe import Trained

INDEX = "index.json"


def write(trained: Trained, out: Path, seed: int, version: str) -> Path:
    """Writes ``<detector>.onnx``, ``<detector>.json`` and two pictures.

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
        model_id=f"tocsin-{trained.detector}",
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
        parameters=sum(weights.numel() for weights in trained.net.parameters()),
    )
    path = out / f"{trained.detector}.onnx"
    export(trained.net, manifest, trained.golden, path, has_bands=trained.has_bands)
    figures = {"manifest": manifest.model_dump(mode="json"), "report": trained.report}
    absolute = trained.calibration.transfer == "absolute"
    try:
        path.with_suffix(".json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        if trained.scores:
            limit = trained.calibration.threshold if absolute else None
            draw_histogram(trained.scores, limit, out / f"{trained.detector}-scores.png")
            draw_roc(trained.scores, out / f"{trained.detector}-roc.png")
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror}") from None
    return path


def install(model: Path, folder: Path) -> None:
    """Copies a model into a folder of shipped models and enters it in the folder's index.

    Args:
        model: ``<detector>.onnx``.
        folder: holds the models and ``index.json``; made if need be.

    Raises:
        UnreadableInput: the model or the index cannot be read.
        OutputError: the folder cannot be written.
    """
    index = folder / INDEX
    try:
        raw = model.read_bytes()
        entries = json.loads(index.read_text(encoding="utf-8")) if index.exists() else {}
    except (OSError, ValueError) as error:
        raise UnreadableInput(f"{model} or {index} cannot be read: {error}") from None
    entries[model.stem] = {"file": model.name, "sha256": hashlib.sha256(raw).hexdigest()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / model.name).write_bytes(raw)
        index.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}") from None
