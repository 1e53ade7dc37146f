"""The clip-statistics recipe: denoised MFCC means and waveform statistics, and three detectors of scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from schemas.errors import ExportError, InputError, SettingsError
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
from trainers.recipe import Trained, with_settings
from trainers.recipes.iaia.chain import BLOCKS, Denoiser, fit_detector, project
from trainers.recipes.iaia.data import FeatureCells, load_cells
from trainers.recipes.iaia.features import Front
from trainers.recipes.iaia.network import BASIC_WIDTHS, MFCC_WIDTHS, train_denoiser
from trainers.recipes.iaia.protocol import Plan, Split, plan
from trainers.recipes.iaia.quality import Outcome, measure, metrics, pictures, table
from trainers.training.loop import repeatable

Float32 = npt.NDArray[np.float32]

_SPAN_FLOOR = 1e-8
_FEATURE_ERROR = 1e-3


@dataclass(frozen=True, slots=True)
class IaiaOptions:
    """What may be set.

    Attributes:
        machine: type of machine; empty takes the only one in the data.
        protocol: ``clean`` or ``source``, see :func:`trainers.recipes.iaia.protocol.plan`.
        seeds: runs to measure with, from the seed given on; the model is the first one's.
        detector: of the model: ``if``, ``ocsvm`` or ``lof``; all three are measured.
        unit: the machine the model is for; empty takes the first.
        snr_db: the SNR it learns at, as text; empty takes the highest.
        noise: of the denoisers, in standard deviations of each feature.
        epochs, batch, rate: of the denoisers; IAIA2 takes 300, 128 and 1e-5 for sliders.
        least_steps: of each denoiser with ``clean``: on few clips so many epochs more. Hardly trained ones give the
            same for every clip, and what is left of their differences is rounding.
    """

    machine: str = ""
    protocol: str = "clean"
    seeds: int = 5
    detector: str = "lof"
    unit: str = ""
    snr_db: str = ""
    noise: float = 0.7
    epochs: int = 100
    batch: int = 64
    rate: float = 1e-4
    least_steps: int = 1_800


class IaiaRecipe:
    """See :class:`trainers.recipe.Recipe`.

    Needs recordings in a MIMII layout, or an archive of their features. Without sound a worker would have nothing to
    feed a model with: an archive gives figures and no model.

    The threshold in the figures is IAIA2's, the 95th percentile of the training scores: by design one normal clip in
    twenty lies above it, 432 false alarms a day with clips of 10 s end to end.
    """

    name = "iaia"
    summary = (
        "machines: statistics of whole clips, denoised; isolation forest, one-class SVM and LOF; needs a MIMII set"
    )

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """See :class:`trainers.recipe.Recipe`."""
        options = with_settings(IaiaOptions(), settings, {"small": {"seeds": 1}})
        if data is None:
            raise InputError("the iaia recipe needs --data: a folder in a MIMII layout, or an archive of features")
        cells = load_cells(data, options.machine, density=options.protocol == "source")
        dealt = plan(cells, options.protocol)
        chosen = _chosen(cells, dealt, options)
        outcomes: list[Outcome] = []
        denoisers = []
        for one in track(range(seed, seed + options.seeds), "training"):
            with repeatable(one):
                denoisers.append(fit_denoiser(dealt, options))
            for split in dealt.splits:
                outcomes += measure(split, denoisers[-1], one)
        found = table(outcomes, dealt)
        report = {
            "options": asdict(options),
            "machine": cells.machine,
            "unit": chosen.unit,
            "snr_db": chosen.snr_db,
            **found,
        }
        return _trained(cells, chosen, denoisers[0], outcomes, seed, options, report)


def fit_denoiser(dealt: Plan, options: IaiaOptions) -> Denoiser:
    """Scaling and both autoencoders; torch's generator must be seeded."""
    low = dealt.scaling.min(axis=0)
    span = dealt.scaling.max(axis=0) - low + np.float32(_SPAN_FLOOR)
    rows = ((dealt.denoising - low) / span).astype(np.float32)
    epochs = options.epochs
    if options.protocol == "clean":
        epochs = max(epochs, -(-options.least_steps // -(-len(rows) // options.batch)))
    (mfcc, mfcc_losses), (basic, basic_losses) = (
        train_denoiser(rows[:, block], widths, options.noise, epochs, options.batch, options.rate)
        for block, widths in zip(BLOCKS, (MFCC_WIDTHS, BASIC_WIDTHS), strict=True)
    )
    return Denoiser(low, span, (mfcc, basic), {"of MFCC means": mfcc_losses, "of the waveform": basic_losses})


def _chosen(cells: FeatureCells, dealt: Plan, options: IaiaOptions) -> Split:
    snr_db = _number(options.snr_db) if options.snr_db else cells.snrs[0]
    units = [split.unit for split in dealt.splits]
    unit = options.unit or units[0]
    cells.cell(snr_db, unit)
    for split in dealt.splits:
        if (split.unit, split.snr_db) == (unit, snr_db):
            return split
    raise InputError(f"{unit!r} has no part in protocol {options.protocol!r}; {', '.join(sorted(set(units)))} have")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"option 'snr_db' is {text!r}, which is no number") from None


def _trained(
    cells: FeatureCells,
    chosen: Split,
    denoiser: Denoiser,
    outcomes: list[Outcome],
    seed: int,
    options: IaiaOptions,
    report: dict[str, Any],
) -> Trained:
    rebuilt = denoiser(chosen.train)
    projection = project(rebuilt)
    rows = projection(rebuilt)
    estimator = fit_detector(options.detector, rows, seed)
    shown = next(
        one
        for one in outcomes
        if (one.unit, one.snr_db, one.detector, one.seed) == (chosen.unit, chosen.snr_db, options.detector, seed)
    )
    model, direction, golden = None, None, np.empty((0, 0, 0), np.float32)
    if cells.spec is not None:
        source = options.protocol == "source"
        front = Front(denoiser, projection, density=source).eval()
        plain = SklearnModel(front, estimator, rows.shape[1], parameter_count(front, estimator), cells.spec.transform)
        tested = projection(denoiser(np.concatenate([chosen.train, chosen.normal, chosen.abnormal])))
        report["onnx_against_sklearn"] = asdict(plain.agreement(tested, shown.threshold))
        report["features_against_numpy"] = _feature_error(front, cells.spec, seed, density=source)
        model, direction = ensure_score_direction(plain, cells.spec, _unlearned(cells, chosen), seed)
        golden = golden_windows(cells.spec, seed)
    return Trained(
        name=IaiaRecipe.name,
        detector="machine",
        model=model,
        spec=cells.spec or FeatureSpec(n_frames=1, window_hop=1),
        calibration=Calibration(
            transfer="relative",
            threshold=round(float(np.quantile(shown.normal, 0.999)), 6),
            spread=round(max(float(shown.normal.std()), 1e-6), 6),
            n=len(shown.normal),
            quantiles=quantiles_of(shown.normal),
        ),
        metrics=metrics(report),
        report=report,
        trained_on=f"{len(chosen.train)} normal clips of {cells.machine} {chosen.unit} at {chosen.snr_db:g} dB",
        training_digest=training_digest(cells.digests, seed),
        golden=golden,
        scores={"normal": shown.normal, "abnormal": shown.abnormal},
        threshold=shown.threshold,
        losses=denoiser.losses,
        examples=_examples(cells, chosen, denoiser, shown),
        pictures=pictures(outcomes),
        direction=direction,
    )


def _examples(cells: FeatureCells, chosen: Split, denoiser: Denoiser, shown: Outcome) -> tuple[Example, ...]:
    """Clips of the test, as the denoisers were shown their features and as they gave them back."""
    sound = {row.tobytes(): clip for clip, row in cells.heard(chosen.snr_db, chosen.unit)}

    def look(title: str, score: float, window: Float32) -> Example:
        clip = sound.get(window.tobytes())
        return Example(
            title,
            score,
            denoiser.scaled(window),
            denoiser(window),
            columns="feature",
            unit="0 to 1: as trained on",
            samples=None if clip is None else clip.samples(SAMPLE_RATE),
            sample_rate=SAMPLE_RATE,
        )

    groups = {"normal": (chosen.normal, shown.normal), "abnormal": (chosen.abnormal, shown.abnormal)}
    return best_and_worst({name: [(rows[:, None], scores)] for name, (rows, scores) in groups.items()}, look)


def _unlearned(cells: FeatureCells, chosen: Split) -> list[Float32]:
    """Sound of normal clips of the chosen machine that no detector learned from, or of all where none is left."""
    normal = [(clip, row) for clip, row in cells.heard(chosen.snr_db, chosen.unit) if clip.label == "normal"]
    learned = {row.tobytes() for row in chosen.train}
    left = [clip for clip, row in normal if row.tobytes() not in learned]
    return [clip.samples(SAMPLE_RATE) for clip in left or [clip for clip, _ in normal]]


def _feature_error(front: Front, spec: FeatureSpec, seed: int, *, density: bool) -> float:
    """How far the network's features lie from the reference's, over 1 or their size, the largest of all."""
    windows = golden_windows(spec, seed)
    with torch.no_grad():
        told = front.features(torch.from_numpy(windows)).numpy()
    wanted = np.stack([clip_features(window.ravel(), density=density) for window in windows])
    error = float((np.abs(told - wanted) / np.maximum(np.abs(wanted), 1.0)).max())
    if not error <= _FEATURE_ERROR:
        raise ExportError(f"features of the exported model are off by {error:.2g} of their size, not {_FEATURE_ERROR}")
    return error
