"""Writes a trained model to disk: ONNX file, metrics and plots; installs it among the shipped models."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from schemas.errors import UnreadableInput
from schemas.manifest import Manifest, read_metadata
from trainers.evaluation.example_figures import draw_examples
from trainers.evaluation.figures import confusion, histogram, loss_curves, roc_and_precision
from trainers.export.onnx_export import artefact_bytes
from trainers.export.provenance import code_revision
from trainers.files import write_all_atomically
from trainers.recipe import Trained

INDEX = "index.json"


def write(trained: Trained, out: Path, seed: int, version: str) -> Path:
    """Writes ``<name>.onnx``, ``<name>.json`` and plots, all or none; no ONNX file if there is no model.

    Args:
        trained: the model.
        out: folder, created as needed.
        seed: of the run.
        version: the model's version.

    Returns:
        The ONNX file, or the JSON file if there is no model.

    Raises:
        OutputError: a file cannot be written.
        ExportError: the exported model gives other scores.
    """
    metrics, direction = dict(trained.metrics), trained.direction
    if direction is not None:
        metrics |= {"direction_rising": round(direction.rising, 4), "direction_auc": round(direction.auc, 4)}
    pictures = {out / f"{trained.name}-{name}.png": picture for name, picture in _pictures(trained).items()}
    if trained.model is None:
        path = out / f"{trained.name}.json"
        results = {"metrics": metrics, "trained_on": trained.trained_on, "report": trained.report}
        write_all_atomically({**pictures, path: (json.dumps(results, indent=2) + "\n").encode()})
        return path
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
        metrics=metrics,
        parameters=trained.model.parameters,
        direction=None if direction is None else direction.kind,
    )
    figures = {"manifest": manifest.model_dump(mode="json"), "report": trained.report}
    if direction is not None:
        figures["direction"] = asdict(direction)
    path = out / f"{trained.name}.onnx"
    raw = artefact_bytes(trained.model, manifest, trained.golden)
    text = (json.dumps(figures, indent=2) + "\n").encode()
    write_all_atomically({**pictures, path.with_suffix(".json"): text, path: raw})
    return path


def _pictures(trained: Trained) -> dict[str, bytes]:
    """PNGs by name, for all available results."""
    absolute = trained.calibration.transfer != "relative"
    threshold = trained.calibration.threshold if trained.threshold is None and absolute else trained.threshold
    plots = dict(trained.pictures)
    if trained.losses:
        plots["loss"] = loss_curves(trained.losses)
    if trained.scores:
        plots["scores"] = histogram(trained.scores, threshold)
    if len(trained.scores) > 1:
        plots["roc"] = roc_and_precision(trained.scores)
        if threshold is not None:
            plots["confusion"] = confusion(trained.scores, threshold)
    if trained.examples:
        plots["examples"] = draw_examples(trained.examples)
    return plots


def install(model: Path, folder: Path) -> None:
    """Copies a model into a folder of shipped models and adds it to the folder's index.

    Args:
        model: the ONNX file; it replaces the model of the detector in its manifest.
        folder: holds the models and ``index.json``; created as needed.

    Raises:
        UnreadableInput: the model or the index cannot be read.
        ManifestInvalid: the model has no valid manifest.
        OutputError: the folder cannot be written; its previous files are unchanged.
    """
    index = folder / INDEX
    try:
        raw = model.read_bytes()
        entries = json.loads(index.read_text(encoding="utf-8")) if index.exists() else {}
    except (OSError, ValueError) as error:
        raise UnreadableInput(f"{model} or {index} cannot be read: {error}") from None
    entries[_detector(model, raw)] = {"file": model.name, "sha256": hashlib.sha256(raw).hexdigest()}
    text = (json.dumps(entries, indent=2, sort_keys=True) + "\n").encode()
    write_all_atomically({folder / model.name: raw, index: text})


def _detector(path: Path, raw: bytes) -> str:
    try:
        metadata = {entry.key: entry.value for entry in onnx.load_from_string(raw).metadata_props}
    except DecodeError:
        raise UnreadableInput(f"{path} is not an ONNX file: give the file that `tocsin train` wrote") from None
    return read_metadata(metadata)[0].detector
