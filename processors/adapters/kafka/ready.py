"""Readiness of Kafka before a worker starts: the broker answers, and every topic exists."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.errors import SettingsError
from schemas.topics import Topic

_RETRY_S = 2.0


async def wait_for_topics(bootstrap: str, topics: Iterable[Topic], report: Callable[[str], None]) -> None:
    """Returns once the broker answers and every topic exists.

    Args:
        bootstrap: ``host:port[,host:port]``.
        topics: that must exist.
        report: called once when the broker does not answer, and once when it is back.

    Raises:
        SettingsError: the broker answers and a topic is missing.
    """
    reported = False
    while (names := await _topic_names(bootstrap)) is None:
        if not reported:
            report(
                f"No Kafka broker answers at {bootstrap}; waiting for it. Is the address right? `tocsin up` starts one"
            )
            reported = True
        await asyncio.sleep(_RETRY_S)
    if reported:
        report(f"The Kafka broker at {bootstrap} answers")
    if missing := [topic.name for topic in topics if topic.name not in names]:
        raise SettingsError(
            f"the broker at {bootstrap} has no topic {', '.join(missing)}: create them with"
            f" `tocsin topics --kafka {bootstrap}`"
        )


async def _topic_names(bootstrap: str) -> set[str] | None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5_000)
    try:
        await admin.start()
        return set(await admin.list_topics())
    except (KafkaError, OSError):
        return None
    finally:
        await admin.close()
