"""State recovery: before a worker scores, states that Redis has lost are rebuilt from the scores topic."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog
from aiokafka.errors import KafkaError

from processors.adapters.kafka.score_history import score_consumer
from processors.core.alerting.operator_feedback import OperatorFeedback
from processors.stream.rebuild import ContextOf, RebuildableStore, rebuild
from schemas.errors import RedisUnavailable

_log = structlog.get_logger(__name__)

_MAX_WAIT_S = 600
_POLL_S = 1.0


async def recover_states(
    store: RebuildableStore,
    bootstrap: str,
    context_of: ContextOf,
    feedback_of: Callable[[str, str], Sequence[OperatorFeedback]],
) -> None:
    """Returns once the store is whole: one worker rebuilds it, the others wait, ten minutes at most.

    Where Redis or Kafka does not answer, the worker continues, and devices that Redis does not know begin anew.

    Args:
        store: the states.
        bootstrap: Kafka's address.
        context_of, feedback_of: see :func:`processors.stream.rebuild.rebuild`.
    """
    loop = asyncio.get_running_loop()
    end, waiting = loop.time() + _MAX_WAIT_S, False
    try:
        while not await store.is_whole() and loop.time() < end:
            async with store.claim() as claimed:
                if claimed:
                    async with score_consumer(bootstrap) as consumer:
                        count = await rebuild(store, consumer, context_of, feedback_of)
                    await store.mark_whole()
                    _log.info("states read back from the scores", states=count)
                    return
            if not waiting:
                waiting = True
                _log.info("another worker reads the states back; nothing is scored here meanwhile")
            await asyncio.sleep(_POLL_S)
    except (RedisUnavailable, KafkaError) as error:
        _log.warning("states not read back: devices that Redis does not know begin anew", error=str(error))
