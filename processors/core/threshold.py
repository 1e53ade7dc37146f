"""The threshold rule: what a score is compared with, and how a device's own sound moves it.

Pure and small, so that another rule can take its place: state in, state out, no clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from schemas.manifest import Calibration
from schemas.score import ThresholdState


class RuleState(BaseModel):
    """What the rule remembers of a device and detector.

    Attributes:
        n: windows learned from.
        mean: exponentially weighted mean of the scores.
        variance: exponentially weighted variance of the scores, >= 0.
        waiting: the latest scores, oldest first, not yet learned from.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    n: int = 0
    mean: float = 0.0
    variance: float = 0.0
    waiting: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Limit:
    """What the next score is compared with.

    Attributes:
        threshold: None while there is none.
        margin: how far the threshold lies above the device's usual score, > 0.
        state: ``learning`` until the device's own sound decides.
    """

    threshold: float | None
    margin: float
    state: ThresholdState


class Rule(Protocol):
    """A threshold rule."""

    def limit(self, state: RuleState, calibration: Calibration) -> Limit:
        """What the next score is compared with."""
        ...

    def learn(self, state: RuleState, calibration: Calibration, score: float, *, alerting: bool) -> RuleState:
        """The state after a score.

        Args:
            state: before.
            calibration: of the model.
            score: the window's.
            alerting: whether an alert is open after this window; what it covers is not normal sound.
        """
        ...


@dataclass(frozen=True, slots=True)
class MeanAndSpread:
    """Threshold = mean + k sd of the device's own scores, both exponentially weighted.

    A score enters at most one spread above the threshold, so that one event cannot carry the threshold away, and
    what chance brings still enters. It enters ``quarantine`` windows late, and not at all when an alert opens before:
    a fault that grows over seconds would otherwise push the threshold ahead of itself.

    Where scores mean the same on every device (``absolute``), the model's own threshold holds from the first window
    and the device can only raise it, by at most ``head_room`` spreads, so that no noise makes a detector deaf.

    Attributes:
        k: standard deviations between mean and threshold of a relative score.
        k_absolute: the same for an absolute one, which has the model's threshold besides.
        warm_up: windows before a device's own sound decides.
        quarantine: windows a score waits before it is learned from.
        memory: windows after which a score has lost 63 % of its weight.
        head_room: see above, in the calibration's spreads.
    """

    k: float = 6.0
    k_absolute: float = 3.0
    warm_up: int = 8
    quarantine: int = 8
    memory: int = 900
    head_room: float = 1.0

    def limit(self, state: RuleState, calibration: Calibration) -> Limit:
        """See :class:`Rule`. The calibration's spread bounds the sd of few or very steady scores from below."""
        spread = math.sqrt(max(state.variance, 0.0))
        if state.n < self.warm_up:
            unknown = calibration.threshold if calibration.transfer == "absolute" else None
            return Limit(unknown, self.k * calibration.spread, "learning")
        if calibration.transfer == "absolute":
            highest = calibration.threshold + self.head_room * calibration.spread
            threshold = max(calibration.threshold, min(state.mean + self.k_absolute * spread, highest))
            return Limit(threshold, max(threshold - state.mean, calibration.spread), "ready")
        # A spread estimated from n windows is uncertain by about 1 / sqrt(2 n): stand further off at first.
        k = self.k * (1.0 + self.warm_up / state.n)
        margin = k * max(spread, calibration.spread)
        return Limit(state.mean + margin, margin, "ready")

    def learn(self, state: RuleState, calibration: Calibration, score: float, *, alerting: bool) -> RuleState:
        """See :class:`Rule`. What comes before the device has a threshold of its own is learned from at once."""
        if alerting:
            return state.model_copy(update={"waiting": ()})
        if state.n < self.warm_up:
            return self._enter(state, calibration, score)
        waiting = (*state.waiting, score)
        if len(waiting) <= self.quarantine:
            return state.model_copy(update={"waiting": waiting})
        return self._enter(state, calibration, waiting[0]).model_copy(update={"waiting": waiting[1:]})

    def _enter(self, state: RuleState, calibration: Calibration, score: float) -> RuleState:
        # West's weighted update (Comm. ACM 22, 1979).
        threshold = self.limit(state, calibration).threshold
        x = score if threshold is None else min(score, threshold + calibration.spread)
        weight = 1.0 / min(state.n + 1, self.memory)
        step = x - state.mean
        mean = state.mean + weight * step
        return RuleState(n=state.n + 1, mean=mean, variance=(1.0 - weight) * (state.variance + weight * step * step))
