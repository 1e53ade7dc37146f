"""Rebuilding: states from the scores topic, where Redis has lost them."""

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
"""How far back scores are read: a device that has heard a week keeps its promise by its own sound."""
_SLICE = 200
_TOLD_EVERY = 100_000


class RebuildableStore(StateStore, Protocol):
    """A store that knows whether it holds all that was ever stored in it."""

    async def is_whole(self) -> bool:
        """Whether it was marked as whole and has lost nothing since."""
        ...

    def claim(self) -> AbstractAsyncContextManager[bool]:
        """Whether the caller is the one to rebuild it; nobody else is inside the block, nor long after a death in it.

        Raises:
            RedisUnavailable: the store does not answer.
        """
        ...

    async def mark_whole(self) -> None:
        """From now on what is missing was never there."""
        ...


ContextOf = Callable[[Score], DecisionContext | None]
"""What decides on a score; None where its model is not the one in place."""


async def rebuild(
    store: RebuildableStore,
    consumer: AIOKafkaConsumer,
    context_of: ContextOf,
    feedback_of: Callable[[str, str], Sequence[OperatorFeedback]],
    now_ms: int | None = None,
) -> int:
    """Reads a week of scores and stores the states they lead to; what stands in the store is left as it is.

    Args:
        store: the states.
        consumer: of the scores topic, started.
        context_of: see :data:`ContextOf`.
        feedback_of: what people have said of a device's detector.
        now_ms: milliseconds since 1970; now unless given.

    Returns:
        How many states were read back.

    Raises:
        RedisUnavailable: the store does not answer.
        aiokafka.errors.KafkaError: Kafka does not answer.
    """
    states: dict[StateKey, DetectorState] = {}
    since = round(time.time() * 1_000) if now_ms is None else now_ms

    def told(count: int) -> None:
        if count % _TOLD_EVERY == 0:
            _log.info("reading scores to rebuild states", scores=count, states=len(states))

    async for score in scores_since(consumer, since - SINCE_MS, progress=told):
        judge = context_of(score)
        if judge is None:
            continue
        key = state_key(score.device_id, Slot(score.detector, score.stage))
        said = feedback_of(*key)
        for state, _ in replay_scores(judge, (score,), said, states.get(key)):
            states[key] = state
    changes = [Change(key, None, state) for key, state in states.items()]
    for start in range(0, len(changes), _SLICE):
        await store.store(changes[start : start + _SLICE])
    return len(states)
