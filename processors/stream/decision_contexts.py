"""What decides on each window: its model, and the promise made for its device."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import structlog

from processors.core.alerting.decision_context import DecisionContext
from processors.core.alerting.detectors import DETECTORS
from processors.core.models.model import ScoringModel
from processors.core.threshold.budget import budget_plan
from processors.core.windowing.window import Window
from schemas.errors import SettingsError
from schemas.policy import DEFAULT_FALSE_ALARMS_PER_WEEK, Policy

_log = structlog.get_logger(__name__)
_MOST_JUDGES = 10_000


class _Terms(NamedTuple):
    """What a policy says; see :func:`context_of`."""

    per_week: float = DEFAULT_FALSE_ALARMS_PER_WEEK
    hours: tuple[int, ...] = ()
    use_reported_regime: bool = False


class PolicySource(Protocol):
    """Knows which policy holds; see :class:`processors.adapters.kafka.policies.Policies`."""

    def policy(self, device_id: str, kind: str, detector: str) -> Policy | None:
        """The narrowest policy for a device's detector, None where the fleet's default holds."""
        ...


class NoPolicies:
    """The fleet's default for every device: for files, and where there is no topic of policies."""

    def policy(self, device_id: str, kind: str, detector: str) -> Policy | None:  # noqa: ARG002
        """See :class:`PolicySource`."""
        return None


def context_of(
    detector: str,
    model: ScoringModel,
    topic: str | None,
    per_week: float = DEFAULT_FALSE_ALARMS_PER_WEEK,
    hours: tuple[int, ...] = (),
    *,
    use_reported_regime: bool = False,
) -> DecisionContext:
    """What decides on a model's scores as a detector's.

    Args:
        detector: its name.
        model: which scores.
        topic: where the audio comes from; None for files.
        per_week: the promise, false alarms a week.
        hours, use_reported_regime: see :class:`processors.core.alerting.decision_context.DecisionContext`.

    Raises:
        SettingsError: the promise cannot be kept.
    """
    role = DETECTORS[detector]
    return DecisionContext(
        detector=role,
        plan=budget_plan(per_week, sustained=role.sustained),
        calibration=model.calibration,
        model=model.ref,
        spec=model.spec,
        topic=topic,
        hours=hours,
        use_reported_regime=use_reported_regime,
    )


class DecisionContexts:
    """Judges by window, made once for each model and promise.

    Args:
        promises: policies.
        kind_of: a device's kind.
        topic: where the audio comes from.
    """

    def __init__(self, promises: PolicySource, kind_of: Callable[[str], str], topic: str) -> None:
        self._promises, self._kind_of, self._topic = promises, kind_of, topic
        self._judges: dict[tuple[str, str, _Terms], DecisionContext] = {}

    def of(self, window: Window) -> DecisionContext:
        """What decides on a window."""
        return self.of_model(window.device_id, window.slot.detector, window.model)

    def of_model(self, device_id: str, detector: str, model: ScoringModel) -> DecisionContext:
        """What decides on a model's scores of a device, as a detector's."""
        policy = self._promises.policy(device_id, self._kind_of(device_id), detector)
        terms = _Terms() if policy is None else _terms(policy)
        key = (model.ref.sha256, detector, terms)
        if key not in self._judges:
            if len(self._judges) >= _MOST_JUDGES:
                self._judges.clear()
            self._judges[key] = self._judge(detector, model, terms)
        return self._judges[key]

    def _judge(self, detector: str, model: ScoringModel, terms: _Terms) -> DecisionContext:
        hours, reported = terms.hours, terms.use_reported_regime
        try:
            return context_of(detector, model, self._topic, terms.per_week, hours, use_reported_regime=reported)
        except SettingsError as error:
            # The command refuses such a policy; a record may have come another way.
            _log.warning("policy ignored, the fleet's default holds", error=str(error))
            return context_of(detector, model, self._topic, hours=hours, use_reported_regime=reported)


def _terms(policy: Policy) -> _Terms:
    return _Terms(policy.false_alarms_per_week, policy.regime_hours, policy.use_reported_regime)
