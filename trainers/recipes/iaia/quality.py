"""The clip-statistics recipe's figures: AUC by machine and SNR over seeds, and what the threshold lets through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.evaluation.figures import confusion
from trainers.evaluation.metrics import auc
from trainers.export.estimator import scores
from trainers.recipes.iaia.chain import DETECTORS, Denoiser, fit_detector, project
from trainers.recipes.iaia.protocol import Plan, Split

Float64 = npt.NDArray[np.float64]

_WORDS = {"if": "isolation forest", "ocsvm": "one-class SVM", "lof": "local outlier factor"}
QUANTILE = 0.95
"""Of the training scores: the threshold."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One detector on one machine at one SNR with one seed.

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


def measure(split: Split, denoiser: Denoiser, seed: int) -> list[Outcome]:
    """All three detectors on one machine at one SNR."""
    rebuilt = denoiser(split.train)
    projection = project(rebuilt)
    train = projection(rebuilt)
    tested = [projection(denoiser(rows)) for rows in (split.normal, split.abnormal)]
    outcomes = []
    for name in DETECTORS:
        estimator = fit_detector(name, train, seed)
        told = [scores(estimator, rows) for rows in (train, *tested)]
        outcomes.append(Outcome(split.unit, split.snr_db, name, seed, told[0], told[1], told[2], projection.sizes))
    return outcomes


def table(outcomes: Sequence[Outcome], plan: Plan) -> dict[str, Any]:
    """AUC by detector and SNR, each the mean over machines: of the first seed, and mean and spread over seeds.

    The threshold's false alarms are clips of normal sound above it, from the test.
    """
    seeds = sorted({one.seed for one in outcomes})
    snrs = sorted({split.snr_db for split in plan.splits}, reverse=True)
    found: dict[str, Any] = {"seeds": seeds, "auc": {}, "by_unit": {}, "false_alarms": {}}
    for name in DETECTORS:
        for snr_db in snrs:
            mine = [one for one in outcomes if (one.detector, one.snr_db) == (name, snr_db)]
            each = [float(np.mean([one.auc for one in mine if one.seed == seed])) for seed in seeds]
            column = f"{snr_db:g} dB"
            found["auc"].setdefault(name, {})[column] = {
                "first_seed": round(each[0], 4),
                "mean": round(float(np.mean(each)), 4),
                "sd": round(float(np.std(each)), 4),
                "lowest": round(min(each), 4),
                "highest": round(max(each), 4),
            }
            units = sorted({one.unit for one in mine})
            found["by_unit"].setdefault(name, {})[column] = {
                unit: round(float(np.mean([one.auc for one in mine if one.unit == unit])), 4) for unit in units
            }
            called = sum(one.false_alarms for one in mine) / sum(len(one.normal) for one in mine)
            found["false_alarms"].setdefault(name, {})[column] = {
                "share_of_normal_clips": round(called, 4),
                "a_day_at_10_s_clips": round(called * 8_640.0, 1),
            }
    found["components"] = {
        f"{one.snr_db:g} dB {one.unit}": list(one.sizes)
        for one in outcomes
        if one.seed == seeds[0] and one.detector == DETECTORS[0]
    }
    return found


def metrics(found: Mapping[str, Any]) -> dict[str, float]:
    """The mean AUCs of :func:`table`, flat, by name."""
    return {
        f"auc_{name}_{column.replace(' ', '_')}": row["mean"]
        for name, columns in found["auc"].items()
        for column, row in columns.items()
    }


def pictures(outcomes: Sequence[Outcome]) -> dict[str, bytes]:
    """Confusion at the threshold by detector and SNR, machines together, of the first seed; PNGs by name."""
    first = min(one.seed for one in outcomes)
    made = {}
    for name in DETECTORS:
        for snr_db in sorted({one.snr_db for one in outcomes}, reverse=True):
            mine = [one for one in outcomes if (one.detector, one.snr_db, one.seed) == (name, snr_db, first)]
            # Each machine has a threshold of its own: what is left of a score without it can be laid together.
            above = {
                "normal": np.concatenate([one.normal - one.threshold for one in mine]),
                "abnormal": np.concatenate([one.abnormal - one.threshold for one in mine]),
            }
            made[f"{name}-{snr_db:g}dB-confusion"] = confusion(
                above, 0.0, f"{_WORDS[name]} at {snr_db:g} dB\nthreshold: {QUANTILE:.0%} of training, by machine"
            )
    return made
