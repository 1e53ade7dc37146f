"""The Kafka client: creation, connection, permanent errors and disposal."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka

from connections.denials import right_denied
from connections.kafka import KafkaConnection
from schemas.errors import SettingsError, UserError
from schemas.topics import AUDIO, DEVICES

_START_S = 10.0
_TOPICS_S = 5.0
_FIRST_DELAY_S = 0.2
_MAX_DELAY_S = 5.0
_DISCARD_S = 0.3

_PERMANENT_ERRORS = (
    kafka.IncompatibleBrokerVersion,
    kafka.InvalidTopicError,
    kafka.MessageSizeTooLargeError,
    kafka.PolicyViolationError,
    kafka.RecordListTooLargeError,
    kafka.UnsupportedForMessageFormatError,
    kafka.UnsupportedVersionError,
)
"""Errors that every retry would meet again."""


def new_client(connection: KafkaConnection) -> Any:
    """An idempotent producer, acknowledged by all replicas, with Kafka's murmur2 partitioner; not yet connected."""
    return AIOKafkaProducer(
        **connection.client_options(),
        client_id="tocsin-producer",
        enable_idempotence=True,
        acks="all",
        max_request_size=AUDIO.max_bytes,
        # The topic's limit applies to a whole batch; a larger chunk is sent alone.
        max_batch_size=AUDIO.max_bytes // 2,
    )


_MAY_BE_DENIED = (kafka.ClusterAuthorizationFailedError, TimeoutError)
"""What an idempotent client meets at its start that may write to no topic."""


async def _none() -> None:
    pass


async def connect(
    make: Callable[[], Any],
    *,
    on_unavailable: Callable[[str], None],
    refusal: Callable[[], Awaitable[UserError | None]] = _none,
) -> Any:
    """A connected client. Waits for an unavailable broker, and retries after 0.2 to 5 s.

    Args:
        make: creates a client that has not been started.
        on_unavailable: called with the reason whenever the broker does not answer.
        refusal: says what denies the client its work; None where nothing does. Asked where a client does not get
            ready.

    Raises:
        UserError: the client is denied its work.
        SettingsError: the broker answers but lacks a topic for more than 5 s.
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
            if isinstance(error, _MAY_BE_DENIED) and (denial := await refusal()):
                raise denial from None
            on_unavailable(str(error) or type(error).__name__)
        except BaseException:
            await discard(client)
            raise
        else:
            await discard(client)
            # A starting stack accepts connections a moment before it has its topics.
            answered = answered or time.monotonic()
            if time.monotonic() - answered > _TOPICS_S:
                raise SettingsError(
                    f"this Kafka has no topic {', '.join(missing)}: `tocsin up` creates the topics of the local stack,"
                    " `tocsin topics` those of another cluster"
                )
        await asyncio.sleep(delay)
        delay = min(2 * delay, _MAX_DELAY_S)


async def _start(client: Any) -> list[str]:
    """Starts a client; returns the topics that its broker lacks."""
    # The client would wait without end for a broker with an unreachable advertised address.
    async with asyncio.timeout(_START_S):
        await client.start()
        # Metadata of all topics: a request for one by name may create it, with the wrong settings.
        present = (await client.client.fetch_all_metadata()).topics()
    return [topic.name for topic in (DEVICES, AUDIO) if topic.name not in present]


async def discard(client: Any) -> None:
    """Stops a client within about a second, in any state of it and its broker, without delivering pending records.

    aiokafka's ``stop`` first waits for all deliveries, which never ends while the broker is unavailable.
    """
    steps = [client.stop]
    if isinstance(client, AIOKafkaProducer):
        steps += [client._sender.close, client.client.close]  # noqa: SLF001 - no public way stops without a flush
    for step in steps:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_DISCARD_S):
                await step()
                if step == client.stop:
                    return


def permanent_error(error: BaseException, topic: str, connection: KafkaConnection) -> UserError | None:
    """The error to raise if every retry would be refused; None if a new client may succeed."""
    if denial := right_denied(error, connection, "Write"):
        return denial
    if not isinstance(error, _PERMANENT_ERRORS):
        return None
    return SettingsError(
        f"Kafka at {connection} refuses records for {topic} ({type(error).__name__}: {error}):"
        " check its permissions and limits; `tocsin topics` shows the settings it needs"
    )
