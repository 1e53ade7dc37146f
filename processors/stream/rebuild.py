"""Rebuilding states from the scores topic, where Redis has lost them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import structlog
from aiokafka import AIOKafkaConsumer

from processors.adapters.kafka.score_history import scores_since
from processors.adapters.redis.state_store import Change, StateKey, StateStore, state_key
from processors.core.alerting.decision_context import DecisionContext
from processors.core.alerting.detector_state import DetectorState
from processors.core.alerting.operator_feedback import OperatorFeedback
from processors.core.alerting.replay import replay_scores
from processors.core.models.model import Slot
from schemas.score import Score

_log = structlog.get_logger(__name__)

SINCE_MS = 7 * 24 * 3_600_000
"""How far back scores are read: after a week a device's thresholds rest on its own sound alone."""
_SLICE = 200
_REPORT_EVERY = 100_000


class RebuildableStore(StateStore, Protocol):
    """A store that knows whether it still holds everything that was stored in it."""

    async def is_whole(self) -> bool:
        """Whether it was marked as whole and has lost nothing since."""
        ...

    def claim(self) -> AbstractAsyncContextManager[bool]:
        """Whether the caller is to rebuild it: no other process is in the block meanwhile, unless this one dies in it.

        Raises:
            RedisUnavailable: the store does not answer.
        """
        ...

    async def mark_whole(self) -> None:
        """Marks it as whole: from now on a missing state was never stored."""
        ...


ContextOf = Callable[[Score], DecisionContext | None]
"""The decision context of a score; None where its model no longer scores the device."""


async def rebuild(
    store: RebuildableStore,
    consumer: AIOKafkaConsumer,
    context_of: ContextOf,
    feedback_of: Callable[[str, str], Sequence[OperatorFeedback]],
    now_ms: int | None = None,
) -> int:
    """Reads a week of scores and stores the resulting states; those in the store are left unchanged.

    Feedback takes effect at the score where it first did; see :func:`processors.core.alerting.replay.replay_scores`,
    also for feedback about what is older than the scores.

    Args:
        store: the states.
        consumer: of the scores topic, started.
        context_of: see :data:`ContextOf`.
        feedback_of: the operators' feedback on a device's detector.
        now_ms: milliseconds since 1970; the present unless given.

    Returns:
        The number of states rebuilt.

    Raises:
        RedisUnavailable: the store does not answer.
        aiokafka.errors.KafkaError: Kafka does not answer.
    """
    states: dict[StateKey, DetectorState] = {}
    now = round(time.time() * 1_000) if now_ms is None else now_ms

    def report(count: int) -> None:
        if count % _REPORT_EVERY == 0:
            _log.info("reading scores to rebuild states", scores=count, states=len(states))

    async for score in scores_since(consumer, now - SINCE_MS, progress=report):
        context = context_of(score)
        if context is None:
            continue
        key = state_key(score.device_id, Slot(score.detector, score.stage))
        for state, _ in replay_scores(context, (score,), feedback_of(*key), states.get(key)):
            states[key] = state
    changes = [Change(key, None, state) for key, state in states.items()]
    for start in range(0, len(changes), _SLICE):
        await store.store(changes[start : start + _SLICE])
    return len(states)
