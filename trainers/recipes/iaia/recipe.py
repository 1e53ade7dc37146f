"""The clip-statistics recipe: denoised MFCC means and waveform statistics, and three detectors of scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from schemas.errors import ExportError, InputError
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from trainers.evaluation.direction import ensure_score_direction
from trainers.evaluation.examples import best_and_worst
from trainers.evaluation.metrics import quantiles_of
from trainers.example import Example
from trainers.export.golden import golden_windows
from trainers.export.provenance import training_digest
from trainers.export.sklearn_model import SklearnModel, parameter_count
from trainers.features.mfcc import SAMPLE_RATE, clip_features
from trainers.progress import track
from trainers.recipe import Trained
from trainers.recipes.iaia.chain import BLOCKS, Denoiser, fit_detector, fit_projection
from trainers.recipes.iaia.data import FeatureCells, load_cells
from trainers.recipes.iaia.model import DetectorInput
from trainers.recipes.iaia.network import BASIC_WIDTHS, MFCC_WIDTHS, train_denoiser
from trainers.recipes.iaia.options import IaiaOptions
from trainers.recipes.iaia.protocol import CellSplit, ProtocolSplit, split_cells
from trainers.recipes.iaia.quality import DetectorResult, measure, metrics, pictures, table
from trainers.training.loop import repeatable

Float32 = npt.NDArray[np.float32]

_SPAN_FLOOR = 1e-8
_MAX_FEATURE_ERROR = 1e-3


class IaiaRecipe:
    """See :class:`trainers.recipe.Recipe`.

    Needs recordings in a MIMII layout, or an archive of their features. An archive gives figures and no model, since a
    worker could not compute such features.

    The threshold in the figures is IAIA2's, the 95th percentile of the training scores: by design one normal clip in
    twenty exceeds it, 432 false alarms a day with clips of 10 s end to end.
    """

    name = "iaia"
    summary = (
        "machines: statistics of whole clips, denoised; isolation forest, one-class SVM and LOF; needs a MIMII set"
    )

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """See :class:`trainers.recipe.Recipe`."""
        options = IaiaOptions.parse(settings)
        if data is None:
            raise InputError("the iaia recipe needs --data: a folder in a MIMII layout, or an archive of features")
        cells = load_cells(data, options.machine, density=options.protocol == "source")
        split = split_cells(cells, options.protocol)
        chosen = _select_cell(cells, split, options)
        results: list[DetectorResult] = []
        denoisers = []
        for run_seed in track(range(seed, seed + options.seeds), "training"):
            with repeatable(run_seed):
                denoisers.append(fit_denoiser(split, options))
            for cell in split.splits:
                results += measure(cell, denoisers[-1], run_seed)
        report = {
            "options": options.model_dump(),
            "machine": cells.machine,
            "unit": chosen.unit,
            "snr_db": chosen.snr_db,
            **table(results, split),
        }
        return _trained(cells, chosen, denoisers[0], results, seed, options, report)


def fit_denoiser(split: ProtocolSplit, options: IaiaOptions) -> Denoiser:
    """Fits the scaling and trains both autoencoders; torch's generator must be seeded."""
    low = split.scaling.min(axis=0)
    span = split.scaling.max(axis=0) - low + np.float32(_SPAN_FLOOR)
    rows = ((split.denoising - low) / span).astype(np.float32)
    epochs = options.epochs
    if options.protocol == "clean":
        epochs = max(epochs, -(-options.least_steps // -(-len(rows) // options.batch)))
    (mfcc, mfcc_losses), (basic, basic_losses) = (
        train_denoiser(rows[:, block], widths, options.noise, epochs, options.batch, options.rate)
        for block, widths in zip(BLOCKS, (MFCC_WIDTHS, BASIC_WIDTHS), strict=True)
    )
    return Denoiser(low, span, (mfcc, basic), {"of MFCC means": mfcc_losses, "of the waveform": basic_losses})


def _select_cell(cells: FeatureCells, split: ProtocolSplit, options: IaiaOptions) -> CellSplit:
    snr_db = float(options.snr_db) if options.snr_db else cells.snrs[0]
    units = [cell.unit for cell in split.splits]
    unit = options.unit or units[0]
    # Reports an unknown machine or SNR.
    cells.cell(snr_db, unit)
    for cell in split.splits:
        if (cell.unit, cell.snr_db) == (unit, snr_db):
            return cell
    raise InputError(
        f"{unit!r} is not used by protocol {options.protocol!r}; select one of {', '.join(sorted(set(units)))}"
    )


def _trained(
    cells: FeatureCells,
    chosen: CellSplit,
    denoiser: Denoiser,
    results: list[DetectorResult],
    seed: int,
    options: IaiaOptions,
    report: dict[str, Any],
) -> Trained:
    denoised = denoiser(chosen.train)
    projection = fit_projection(denoised)
    rows = projection(denoised)
    estimator = fit_detector(options.detector, rows, seed)
    result = next(
        one
        for one in results
        if (one.unit, one.snr_db, one.detector, one.seed) == (chosen.unit, chosen.snr_db, options.detector, seed)
    )
    model, direction, golden = None, None, np.empty((0, 0, 0), np.float32)
    if cells.spec is not None:
        source = options.protocol == "source"
        detector_input = DetectorInput(denoiser, projection, density=source).eval()
        sklearn_model = SklearnModel(
            detector_input,
            estimator,
            rows.shape[1],
            parameter_count(detector_input, estimator),
            cells.spec.transform,
        )
        all_rows = projection(denoiser(np.concatenate([chosen.train, chosen.normal, chosen.abnormal])))
        report["onnx_against_sklearn"] = asdict(sklearn_model.agreement(all_rows, result.threshold))
        report["features_against_numpy"] = _feature_error(detector_input, cells.spec, seed, density=source)
        model, direction = ensure_score_direction(sklearn_model, cells.spec, _held_out_audio(cells, chosen), seed)
        golden = golden_windows(cells.spec, seed)
    return Trained(
        name=IaiaRecipe.name,
        detector="machine",
        model=model,
        spec=cells.spec or FeatureSpec(n_frames=1, window_hop=1),
        calibration=Calibration(
            transfer="relative",
            threshold=round(float(np.quantile(result.normal, 0.999)), 6),
            spread=round(max(float(result.normal.std()), 1e-6), 6),
            n=len(result.normal),
            quantiles=quantiles_of(result.normal),
        ),
        metrics=metrics(report),
        report=report,
        trained_on=f"{len(chosen.train)} normal clips of {cells.machine} {chosen.unit} at {chosen.snr_db:g} dB",
        training_digest=training_digest(cells.digests, seed),
        golden=golden,
        scores={"normal": result.normal, "abnormal": result.abnormal},
        threshold=result.threshold,
        losses=denoiser.losses,
        examples=_examples(cells, chosen, denoiser, result),
        pictures=pictures(results),
        direction=direction,
    )


def _examples(
    cells: FeatureCells, chosen: CellSplit, denoiser: Denoiser, result: DetectorResult
) -> tuple[Example, ...]:
    """Test clips: the denoisers' input and output."""
    clips = {row.tobytes(): clip for clip, row in cells.recordings(chosen.snr_db, chosen.unit)}

    def example_of(title: str, score: float, window: Float32) -> Example:
        clip = clips.get(window.tobytes())
        return Example(
            title,
            score,
            denoiser.scaled(window),
            denoiser(window),
            columns="feature",
            unit="scaled, 0 to 1",
            samples=None if clip is None else clip.samples(SAMPLE_RATE),
            sample_rate=SAMPLE_RATE,
        )

    groups = {"normal": (chosen.normal, result.normal), "abnormal": (chosen.abnormal, result.abnormal)}
    return best_and_worst({name: [(rows[:, None], scores)] for name, (rows, scores) in groups.items()}, example_of)


def _held_out_audio(cells: FeatureCells, chosen: CellSplit) -> list[Float32]:
    """Sound of normal clips of the chosen machine that no detector was fitted to, or of all where none is left."""
    normal = [(clip, row) for clip, row in cells.recordings(chosen.snr_db, chosen.unit) if clip.label == "normal"]
    training = {row.tobytes() for row in chosen.train}
    held_out = [clip for clip, row in normal if row.tobytes() not in training]
    return [clip.samples(SAMPLE_RATE) for clip in held_out or [clip for clip, _ in normal]]


def _feature_error(detector_input: DetectorInput, spec: FeatureSpec, seed: int, *, density: bool) -> float:
    """Largest deviation of the network's features from the reference's, relative to the larger of 1 and their size."""
    windows = golden_windows(spec, seed)
    with torch.no_grad():
        features = detector_input.features(torch.from_numpy(windows)).numpy()
    expected = np.stack([clip_features(window.ravel(), density=density) for window in windows])
    error = float((np.abs(features - expected) / np.maximum(np.abs(expected), 1.0)).max())
    if not error <= _MAX_FEATURE_ERROR:
        raise ExportError(
            f"features of the exported model are off by {error:.2g} of their size, not {_MAX_FEATURE_ERROR}"
        )
    return error
