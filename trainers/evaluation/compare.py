"""Compares two models on the same sound: detection of anomalies and false alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from schemas.manifest import Calibration
from trainers.evaluation.metrics import auc

Float64 = npt.NDArray[np.float64]

QUANTILES = (0.5, 0.9, 0.99, 0.999, 1.0)
# Standard deviations of a device's own normal scores, between their mean and the threshold of a relative score.
_MARGIN = 6.0
_SLACK_S = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class TimedScores:
    """Window scores of one continuous recording.

    Attributes:
        starts_s: start of each window, seconds into the recording, float64 (n,), increasing.
        length_s: window length, seconds.
        scores: float64 (n,).
    """

    starts_s: Float64
    length_s: float
    scores: Float64


def align_windows(one: TimedScores, other: TimedScores) -> tuple[Float64, Float64]:
    """Two models' scores of the same recording on common windows.

    With equal windows these are used as they are. Otherwise the longer windows are used, and the model with the shorter
    windows gets the mean of its scores inside each: its alerts are not averaged so, hence this does not put it at a
    disadvantage. Windows without a counterpart are dropped.

    Returns:
        float64 (n,) each.
    """
    same_grid = len(one.scores) == len(other.scores) and abs(one.length_s - other.length_s) < _SLACK_S
    if same_grid and np.allclose(one.starts_s, other.starts_s, atol=_SLACK_S):
        return one.scores, other.scores
    if one.length_s < other.length_s:
        longer, shorter = align_windows(other, one)
        return shorter, longer
    begins = np.searchsorted(other.starts_s, one.starts_s - _SLACK_S, "left")
    ends = np.searchsorted(other.starts_s, one.starts_s + one.length_s - other.length_s + _SLACK_S, "right")
    inside = ends > begins
    sums = np.concatenate([[0.0], np.cumsum(other.scores)])
    means = (sums[ends[inside]] - sums[begins[inside]]) / (ends[inside] - begins[inside])
    return one.scores[inside], means


def calibrated_threshold(calibration: Calibration, reference: npt.ArrayLike) -> float:
    """The threshold of a device with the normal scores ``reference``.

    Absolute scores and scores of a device's own model keep the model's threshold. For relative scores it is six
    standard deviations above the mean of the device's normal scores, with the model's spread as the minimum deviation.

    Args:
        calibration: of the model.
        reference: the model's scores of the device's normal sound, (n,), n >= 2.
    """
    if calibration.transfer != "relative":
        return calibration.threshold
    scores = np.asarray(reference, dtype=np.float64)
    return float(scores.mean() + _MARGIN * max(float(scores.std()), calibration.spread))


@dataclass(frozen=True, slots=True, eq=False)
class DeviceScores:
    """One model's scores of one device.

    Attributes:
        device: its ID.
        threshold: see :func:`calibrated_threshold`.
        spread: of the model's calibration, > 0.
        normal: of held-out normal sound, float64 (n,).
        anomalous: of generated anomalies, by ``kind at SNR``, float64 (m,) each.
        real: of sound that operators confirmed as anomalous, float64 (k,), k may be 0.
    """

    device: str
    threshold: float
    spread: float
    normal: Float64
    anomalous: Mapping[str, Float64]
    real: Float64 = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a model's scores.

    Attributes:
        auc: mean over devices, by kind of anomaly.
        mean_auc: over devices and anomalies, 0 to 1.
        real_auc: against sound confirmed by operators, mean over devices with such sound; None without any.
        false_share: share of normal windows above the threshold.
        found_share: share of generated anomalies' windows above the threshold, by anomaly.
        normal_quantiles: of (score - threshold) / spread on normal sound, by probability; above 0 is a false alarm.
        windows: number of normal windows.
    """

    auc: dict[str, float]
    mean_auc: float
    real_auc: float | None
    false_share: float
    found_share: dict[str, float]
    normal_quantiles: dict[str, float]
    windows: int


def figures_of(devices: Sequence[DeviceScores]) -> Figures:
    """Figures over one or more devices with normal windows and the same anomalies; devices have equal weight."""
    kinds = list(devices[0].anomalous)
    table = {kind: [auc(one.normal, one.anomalous[kind]) for one in devices] for kind in kinds}
    real = [auc(one.normal, one.real) for one in devices if len(one.real)]
    offsets = np.concatenate([(one.normal - one.threshold) / one.spread for one in devices])
    found = {kind: float(np.mean([np.mean(one.anomalous[kind] > one.threshold) for one in devices])) for kind in kinds}
    return Figures(
        auc={kind: round(float(np.mean(values)), 4) for kind, values in table.items()},
        mean_auc=round(float(np.mean([value for values in table.values() for value in values])), 4),
        real_auc=round(float(np.mean(real)), 4) if real else None,
        false_share=round(float(np.mean([np.mean(one.normal > one.threshold) for one in devices])), 5),
        found_share={kind: round(share, 4) for kind, share in found.items()},
        normal_quantiles={str(p): round(float(np.quantile(offsets, p)), 3) for p in QUANTILES},
        windows=sum(len(one.normal) for one in devices),
    )


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much worse a candidate's figures may be.

    Attributes:
        auc: decrease of a mean AUC.
        false_share: increase of the share of false windows.
        highest_false_share: limit without a champion to compare with.
    """

    auc: float = 0.01
    false_share: float = 0.01
    highest_false_share: float = 0.05


def rejection_reasons(candidate: Figures, champion: Figures | None, tolerance: Tolerance) -> list[str]:
    """Reasons to reject a candidate; empty if it is not worse.

    Args:
        candidate: of the new model.
        champion: of the current model on the same windows; None without one.
        tolerance: see :class:`Tolerance`.
    """
    reasons = []
    if not candidate.mean_auc > 0.5:
        reasons.append(f"mean AUC {candidate.mean_auc:.3f}: anomalies score no higher than normal sound")
    if champion is None:
        if candidate.false_share > tolerance.highest_false_share:
            reasons.append(
                f"{candidate.false_share:.2%} of normal windows above its threshold;"
                f" {tolerance.highest_false_share:.0%} are allowed"
            )
        return reasons
    if candidate.mean_auc < champion.mean_auc - tolerance.auc:
        reasons.append(
            f"mean AUC {candidate.mean_auc:.3f} on generated anomalies, the champion's {champion.mean_auc:.3f}"
        )
    real, champion_real = candidate.real_auc, champion.real_auc
    if real is not None and champion_real is not None and real < champion_real - tolerance.auc:
        reasons.append(f"AUC {real:.3f} on alerts judged real, the champion's {champion_real:.3f}")
    if candidate.false_share > champion.false_share + tolerance.false_share:
        reasons.append(
            f"{candidate.false_share:.2%} of normal windows above its threshold, the champion's"
            f" {champion.false_share:.2%}"
        )
    return reasons
