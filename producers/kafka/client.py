"""The Kafka client itself: made, connected, told apart by its errors, and put away."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka

from producers.kafka.connection import Connection
from schemas.errors import SettingsError
from schemas.topics import AUDIO, DEVICES

_START_S = 10.0
_TOPICS_S = 5.0
_FIRST_DELAY_S = 0.2
_MAX_DELAY_S = 5.0
_PUT_AWAY_S = 0.3

_REFUSALS = (
    kafka.AuthenticationFailedError,
    kafka.AuthenticationMethodNotSupported,
    kafka.ClusterAuthorizationFailedError,
    kafka.IncompatibleBrokerVersion,
    kafka.InvalidTopicError,
    kafka.MessageSizeTooLargeError,
    kafka.PolicyViolationError,
    kafka.RecordListTooLargeError,
    kafka.SaslAuthenticationFailed,
    kafka.TopicAuthorizationFailedError,
    kafka.UnsupportedForMessageFormatError,
    kafka.UnsupportedVersionError,
)
"""What a broker would answer again, however often it is asked."""


def new_client(connection: Connection) -> Any:
    """An idempotent producer, acknowledged by all replicas, with Kafka's own murmur2 partitioner; not yet connected."""
    return AIOKafkaProducer(
        **connection.options(),
        enable_idempotence=True,
        acks="all",
        max_request_size=AUDIO.max_bytes,
        # The topic's limit holds for a whole batch; a chunk larger than this travels alone.
        max_batch_size=AUDIO.max_bytes // 2,
    )


async def connect(make: Callable[[], Any], *, away: Callable[[str], None]) -> Any:
    """A connected client. Waits for a broker that does not answer, asking again after 0.2 to 5 s.

    Args:
        make: makes a client that has not been started.
        away: told the reason whenever the broker does not answer.

    Raises:
        SettingsError: the broker answers but lacks a topic for longer than 5 s.
    """
    delay = _FIRST_DELAY_S
    answered: float | None = None
    while True:
        client = make()
        try:
            missing = await _start(client)
            if not missing:
                return client
        except (kafka.KafkaError, OSError, TimeoutError) as error:
            await discard(client)
            away(str(error) or type(error).__name__)
        except BaseException:
            await discard(client)
            raise
        else:
            await discard(client)
            # A stack that is just starting listens a moment before it has its topics.
            answered = answered or time.monotonic()
            if time.monotonic() - answered > _TOPICS_S:
                raise SettingsError(
                    f"this Kafka has no topic {', '.join(missing)}: `tocsin up` makes the topics of the local stack,"
                    " `tocsin topics` those of another cluster"
                )
        await asyncio.sleep(delay)
        delay = min(2 * delay, _MAX_DELAY_S)


async def _start(client: Any) -> list[str]:
    """Starts a client; the topics its broker lacks."""
    # The client itself would wait without end for a broker whose advertised address leads nowhere.
    async with asyncio.timeout(_START_S):
        await client.start()
        # Asked for all topics: a question for one by name may create it, with the wrong settings.
        present = (await client.client.fetch_all_metadata()).topics()
    return [topic.name for topic in (DEVICES, AUDIO) if topic.name not in present]


async def discard(client: Any) -> None:
    """Puts a client away within about a second, whatever state it and its broker are in. Undelivered records stay so.

    aiokafka's own ``stop`` first waits until all is delivered, which is for ever while the broker is away.
    """
    steps = [client.stop]
    if isinstance(client, AIOKafkaProducer):
        steps += [client._sender.close, client.client.close]  # noqa: SLF001 - no public way stops without a flush
    for step in steps:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_PUT_AWAY_S):
                await step()
                if step == client.stop:
                    return


def refusal(error: BaseException, topic: str, bootstrap: str) -> SettingsError | None:
    """The error to end with when the broker would refuse again; None when a fresh client may succeed."""
    if not isinstance(error, _REFUSALS):
        return None
    return SettingsError(
        f"Kafka at {bootstrap} refuses records for {topic} ({type(error).__name__}: {error}):"
        " check its permissions and limits; `tocsin topics` shows the settings it needs"
    )
