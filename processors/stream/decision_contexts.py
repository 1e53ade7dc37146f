"""Decision contexts: what a decision needs of a window's detector, model and policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import structlog

from processors.core.alerting.decision_context import DecisionContext
from processors.core.alerting.detectors import Detector, Detectors
from processors.core.models.model import ScoringModel
from processors.core.threshold.budget import budget_plan
from processors.core.windowing.window import Window
from schemas.errors import SettingsError
from schemas.policy import DEFAULT_FALSE_ALARMS_PER_WEEK, Policy

_log = structlog.get_logger(__name__)
_MAX_CONTEXTS = 10_000


class _PolicyTerms(NamedTuple):
    """The part of a policy that decisions depend on; see :func:`context_of`."""

    false_alarms_per_week: float = DEFAULT_FALSE_ALARMS_PER_WEEK
    hours: tuple[int, ...] = ()
    use_reported_regime: bool = False


class PolicySource(Protocol):
    """Knows which policy applies; see :class:`processors.adapters.kafka.policies.Policies`."""

    def policy(self, device_id: str, kind: str, detector: str) -> Policy | None:
        """The narrowest policy for a device's detector; None where the default applies."""
        ...


class NoPolicies:
    """The default for every device: for files, and where there is no topic of policies."""

    def policy(self, device_id: str, kind: str, detector: str) -> Policy | None:  # noqa: ARG002
        """See :class:`PolicySource`."""
        return None


def context_of(
    detector: Detector,
    model: ScoringModel,
    topic: str | None,
    false_alarms_per_week: float = DEFAULT_FALSE_ALARMS_PER_WEEK,
    hours: tuple[int, ...] = (),
    *,
    use_reported_regime: bool = False,
) -> DecisionContext:
    """The context of decisions on a model's scores as a detector's.

    Args:
        detector: the role.
        model: computes the scores.
        topic: of the audio; None for files.
        false_alarms_per_week: the budget, on each device.
        hours, use_reported_regime: see :class:`processors.core.alerting.decision_context.DecisionContext`.

    Raises:
        SettingsError: no threshold can keep this budget.
    """
    return DecisionContext(
        detector=detector,
        plan=budget_plan(false_alarms_per_week, sustained=detector.sustained),
        calibration=model.calibration,
        model=model.ref,
        spec=model.spec,
        topic=topic,
        hours=hours,
        use_reported_regime=use_reported_regime,
    )


class DecisionContexts:
    """Decision contexts by window, computed once for each model, detector and policy.

    Args:
        policies: which policy applies.
        kind_of: a device's kind.
        topic: of the audio.
        detectors: by name.
    """

    def __init__(self, policies: PolicySource, kind_of: Callable[[str], str], topic: str, detectors: Detectors) -> None:
        self._policies, self._kind_of, self._topic, self._detectors = policies, kind_of, topic, detectors
        self._contexts: dict[tuple[str, str, _PolicyTerms], DecisionContext] = {}

    def of(self, window: Window) -> DecisionContext:
        """The context of a window's decision."""
        return self.of_model(window.device_id, window.slot.detector, window.model)

    def of_model(self, device_id: str, detector: str, model: ScoringModel) -> DecisionContext:
        """The context of decisions on a model's scores of a device, as a detector's."""
        policy = self._policies.policy(device_id, self._kind_of(device_id), detector)
        terms = _PolicyTerms() if policy is None else _terms_of(policy)
        key = (model.ref.sha256, detector, terms)
        if key not in self._contexts:
            if len(self._contexts) >= _MAX_CONTEXTS:
                self._contexts.clear()
            self._contexts[key] = self._compute(self._detectors[detector], model, terms)
        return self._contexts[key]

    def _compute(self, detector: Detector, model: ScoringModel, terms: _PolicyTerms) -> DecisionContext:
        budget, hours, reported = terms
        try:
            return context_of(detector, model, self._topic, budget, hours, use_reported_regime=reported)
        except SettingsError as error:
            # The command refuses such a policy; a record may have come another way.
            _log.warning("policy ignored, the default budget applies", error=str(error))
            return context_of(detector, model, self._topic, hours=hours, use_reported_regime=reported)


def _terms_of(policy: Policy) -> _PolicyTerms:
    return _PolicyTerms(policy.false_alarms_per_week, policy.regime_hours, policy.use_reported_regime)
