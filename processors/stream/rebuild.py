"""Rebuilding a partition's states from the log of scores, where the store has lost them or lags behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from processors.adapters.kafka.score_log import ScoreLog
from processors.adapters.redis.state_store import StateKey, state_key
from processors.core.alerting.alert_lifecycle import AlertLifecycle, open_alert_of
from processors.core.alerting.decision_context import DecisionContext
from processors.core.alerting.detector_state import DetectorState, Position
from processors.core.alerting.operator_feedback import OperatorFeedback
from processors.core.alerting.replay import follow
from processors.core.models.model import Slot
from schemas.alert import Alert
from schemas.score import Score

_log = structlog.get_logger(__name__)
_REPORT_EVERY = 100_000


class Base(NamedTuple):
    """What a state is rebuilt on.

    Attributes:
        state: the most recent one known; an empty one where none is.
        stored: the position that the store has; None where it has none.
    """

    state: DetectorState
    stored: Position | None


BasesOf = Callable[[Sequence[StateKey]], Awaitable[Mapping[StateKey, Base]]]
ContextOf = Callable[[Score], DecisionContext | None]
"""The decision context of a score; None where its model no longer scores the device."""


@dataclass(slots=True)
class Rebuilt:
    """The states of a partition, as of an offset of the log.

    Attributes:
        end: the offset; scores before it are included.
        bases: what was known before.
        states: after the scores that were read.
    """

    end: int = 0
    bases: dict[StateKey, Base] = field(default_factory=dict)
    states: dict[StateKey, DetectorState] = field(default_factory=dict)

    def add(self, bases: Mapping[StateKey, Base], alerts: Mapping[StateKey, Alert]) -> None:
        """Adds keys with what is known of them: their states, or their open alerts alone."""
        self.bases |= bases
        for key, base in bases.items():
            self.states[key] = base.state
            if base.state.position is None and key in alerts:
                self.states[key] = DetectorState(lifecycle=AlertLifecycle(open_alert_of(alerts[key])))


class StateRebuild:
    """Rebuilds states from scores, alerts and feedback.

    Args:
        log: of scores.
        context_of: see :data:`ContextOf`.
        feedback_of: the operators' feedback on a device's detector.
        report_progress: called for every part that is read: the worker is not stalled.
    """

    def __init__(
        self,
        log: ScoreLog,
        context_of: ContextOf,
        feedback_of: Callable[[str, str], Sequence[OperatorFeedback]],
        report_progress: Callable[[], None] = lambda: None,
    ) -> None:
        self._log = log
        self._context_of = context_of
        self._feedback_of = feedback_of
        self._report_progress = report_progress

    async def read(
        self,
        partition: int,
        since: int | None,
        known: Sequence[StateKey],
        bases_of: BasesOf,
        is_current: Callable[[], bool],
    ) -> Rebuilt | None:
        """The states of a partition at the log's present end.

        Feedback takes effect at the score where it first did; see :func:`processors.core.alerting.replay.follow`.

        Args:
            partition: of the audio topic.
            since: offset of the first score that the stored states may lack; None where nothing is known of them.
            known: keys whose states are to be among the result, whether or not they have scores.
            bases_of: what is known of states.
            is_current: False once the partitions were revoked.

        Returns:
            The states; None where the partitions were revoked meanwhile.

        Raises:
            RedisUnavailable: the store does not answer.
            aiokafka.errors.KafkaError: Kafka does not answer.
        """
        rebuilt, count = Rebuilt(), 0
        # Where not all scores are read, alerts may have been opened before the first of them.
        open_alerts = () if since is not None else await self._log.open_alerts(partition)
        alerts = {(alert.device_id, alert.detector): alert for alert in open_alerts}
        first = sorted({*known, *alerts})
        rebuilt.add(await bases_of(first), alerts)
        async for part in self._log.read(partition, since):
            if not is_current():
                return None
            self._report_progress()
            keys = [state_key(score.device_id, Slot(score.detector, score.stage)) for score in part.scores]
            if new := sorted({key for key in keys if key not in rebuilt.bases}):
                rebuilt.add(await bases_of(new), alerts)
            for key, score in zip(keys, part.scores, strict=True):
                self._follow(rebuilt, key, score)
            rebuilt.end = part.end
            if count // _REPORT_EVERY != (count + len(part.scores)) // _REPORT_EVERY:
                _log.info("reading scores to rebuild states", partition=partition, states=len(rebuilt.states))
            count += len(part.scores)
        for key, alert in alerts.items():
            if (state := rebuilt.states[key]).position is None:
                position = Position(alert.session_id, alert.first_sample + 1)
                rebuilt.states[key] = state.model_copy(update={"position": position})
        if since is None:
            _log.info("states rebuilt from scores", partition=partition, scores=count, states=len(rebuilt.states))
        return rebuilt

    def _follow(self, rebuilt: Rebuilt, key: StateKey, score: Score) -> None:
        base, state = rebuilt.bases[key].state, rebuilt.states[key]
        if base.is_applied(score.session_id, score.end_sample):
            # Where the base includes this score, it includes those before it: also those of sessions it has forgotten.
            rebuilt.states[key] = base
        elif not state.is_applied(score.session_id, score.end_sample):
            rebuilt.states[key] = follow(state, self._context_of(score), score, self._feedback_of(*key))
