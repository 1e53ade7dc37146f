"""The clip-statistics recipe's figures: AUC by machine and SNR over seeds, and false alarms at the threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.evaluation.figures import confusion
from trainers.evaluation.metrics import auc
from trainers.export.estimator import scores
from trainers.recipes.iaia.chain import DETECTORS, Denoiser, fit_detector, fit_projection
from trainers.recipes.iaia.protocol import CellSplit, ProtocolSplit

Float64 = npt.NDArray[np.float64]

_DETECTOR_TITLES = {"if": "isolation forest", "ocsvm": "one-class SVM", "lof": "local outlier factor"}
QUANTILE = 0.95
"""Of the training scores: the threshold."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectorResult:
    """Scores of one detector on one machine at one SNR with one seed.

    Attributes:
        unit, snr_db, detector, seed: which.
        train, normal, abnormal: scores, float64 (n,).
        sizes: principal components of the two blocks.
    """

    unit: str
    snr_db: float
    detector: str
    seed: int
    train: Float64
    normal: Float64
    abnormal: Float64
    sizes: tuple[int, int]

    @property
    def auc(self) -> float:
        """0 to 1."""
        return auc(self.normal, self.abnormal)

    @property
    def threshold(self) -> float:
        """The training scores' 95th percentile."""
        return float(np.quantile(self.train, QUANTILE))

    @property
    def false_alarms(self) -> int:
        """Normal clips of the test above the threshold."""
        return int(np.sum(self.normal > self.threshold))


def measure(split: CellSplit, denoiser: Denoiser, seed: int) -> list[DetectorResult]:
    """All three detectors on one machine at one SNR."""
    denoised = denoiser(split.train)
    projection = fit_projection(denoised)
    train = projection(denoised)
    test = [projection(denoiser(rows)) for rows in (split.normal, split.abnormal)]
    results = []
    for name in DETECTORS:
        estimator = fit_detector(name, train, seed)
        train_scores, normal, abnormal = (scores(estimator, rows) for rows in (train, *test))
        results.append(
            DetectorResult(split.unit, split.snr_db, name, seed, train_scores, normal, abnormal, projection.sizes)
        )
    return results


def table(results: Sequence[DetectorResult], split: ProtocolSplit) -> dict[str, Any]:
    """AUC by detector and SNR, each the mean over machines: of the first seed, and mean and spread over seeds.

    False alarms are normal test clips above the threshold.
    """
    seeds = sorted({one.seed for one in results})
    snrs = sorted({cell.snr_db for cell in split.splits}, reverse=True)
    figures: dict[str, Any] = {"seeds": seeds, "auc": {}, "by_unit": {}, "false_alarms": {}}
    for name in DETECTORS:
        for snr_db in snrs:
            selected = [one for one in results if (one.detector, one.snr_db) == (name, snr_db)]
            each = [float(np.mean([one.auc for one in selected if one.seed == seed])) for seed in seeds]
            column = f"{snr_db:g} dB"
            figures["auc"].setdefault(name, {})[column] = {
                "first_seed": round(each[0], 4),
                "mean": round(float(np.mean(each)), 4),
                "sd": round(float(np.std(each)), 4),
                "lowest": round(min(each), 4),
                "highest": round(max(each), 4),
            }
            units = sorted({one.unit for one in selected})
            figures["by_unit"].setdefault(name, {})[column] = {
                unit: round(float(np.mean([one.auc for one in selected if one.unit == unit])), 4) for unit in units
            }
            false_alarm_share = sum(one.false_alarms for one in selected) / sum(len(one.normal) for one in selected)
            figures["false_alarms"].setdefault(name, {})[column] = {
                "share_of_normal_clips": round(false_alarm_share, 4),
                "a_day_at_10_s_clips": round(false_alarm_share * 8_640.0, 1),
            }
    figures["components"] = {
        f"{one.snr_db:g} dB {one.unit}": list(one.sizes)
        for one in results
        if one.seed == seeds[0] and one.detector == DETECTORS[0]
    }
    return figures


def metrics(figures: Mapping[str, Any]) -> dict[str, float]:
    """The mean AUCs of :func:`table`, flat, by name."""
    return {
        f"auc_{name}_{column.replace(' ', '_')}": row["mean"]
        for name, columns in figures["auc"].items()
        for column, row in columns.items()
    }


def pictures(results: Sequence[DetectorResult]) -> dict[str, bytes]:
    """Confusion at the threshold by detector and SNR, machines together, of the first seed; PNGs by name."""
    first = min(one.seed for one in results)
    images = {}
    for name in DETECTORS:
        for snr_db in sorted({one.snr_db for one in results}, reverse=True):
            selected = [one for one in results if (one.detector, one.snr_db, one.seed) == (name, snr_db, first)]
            # Each machine has its own threshold: scores relative to it can be pooled.
            above = {
                "normal": np.concatenate([one.normal - one.threshold for one in selected]),
                "abnormal": np.concatenate([one.abnormal - one.threshold for one in selected]),
            }
            images[f"{name}-{snr_db:g}dB-confusion"] = confusion(
                above,
                0.0,
                f"{_DETECTOR_TITLES[name]} at {snr_db:g} dB\nthreshold: {QUANTILE:.0%} of training, by machine",
            )
    return images
