"""The decision context: a detector's settings, budget, regimes and model, for one device."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

from processors.core.alerting.detectors import Detector
from processors.core.alerting.observation import ScoredObservation
from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.budget import BudgetPlan
from processors.core.threshold.limits import Prior, prior_of
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from schemas.score import ModelRef

_HOUR_NS = 3_600_000_000_000
_HOUR_BAND = "{:02d}h"
_NOT_REPORTED = {"", *(_HOUR_BAND.format(hour) for hour in range(24))}


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """All that a decision needs besides state and scores.

    Attributes:
        detector: confirmation and release.
        plan: the false-alarm budget and what follows from it.
        calibration: of the model.
        model: the model that scored.
        spec: its features.
        topic: the audio's topic; None for files.
        hours: hours of the day (UTC) at which another regime begins, ascending; fewer than two make one regime.
        use_reported_regime: whether each regime that the producer reports has thresholds of its own.
    """

    detector: Detector
    plan: BudgetPlan
    calibration: Calibration
    model: ModelRef
    spec: FeatureSpec
    topic: str | None = None
    hours: tuple[int, ...] = ()
    use_reported_regime: bool = False

    @property
    def hop_ns(self) -> int:
        """New audio a window brings, ns."""
        return hop_of(self.spec)

    def rule(self, prior: Prior) -> BlockRule:
        """The threshold rule with a model's prior.

        That of a device's own model follows from its calibration alone: one that was stored before it was a prior at
        all lacks the spread.
        """
        if self.calibration.transfer == "own":
            prior = prior_of(self.calibration)
        return _rule(self.detector, self.plan, prior)

    def regime_of(self, observation: ScoredObservation, current: str) -> str:
        """The regime a window belongs to; "" where there is only one.

        It is the regime reported for the window's beginning, or the hour-of-day band of its beginning, named by the
        band's first hour. Audio without a reported regime stays in the ``current`` one.
        """
        if self.use_reported_regime:
            return observation.reported_regime or current
        if len(self.hours) < 2:
            return ""
        hour = observation.captured_ns // _HOUR_NS % 24
        return _HOUR_BAND.format(self.hours[bisect_right(self.hours, hour) - 1])

    def is_obsolete(self, regime: str) -> bool:
        """Whether the policy does not make a regime: it is from an earlier policy."""
        if self.use_reported_regime:
            return regime in _NOT_REPORTED
        return regime not in {_HOUR_BAND.format(hour) for hour in self.hours}


def hop_of(spec: FeatureSpec) -> int:
    """New audio a window brings, ns."""
    return spec.window_hop * spec.pool * spec.hop * 1_000_000_000 // spec.sample_rate


@lru_cache(maxsize=4_096)
def _rule(detector: Detector, plan: BudgetPlan, prior: Prior) -> BlockRule:
    return BlockRule(
        plan=plan,
        prior=prior,
        min_confirmations=detector.min_confirmations,
        window_count=detector.window_count,
        release_ns=detector.release_ns,
        hysteresis=detector.hysteresis,
        cooldown_ns=detector.cooldown_ns,
    )
