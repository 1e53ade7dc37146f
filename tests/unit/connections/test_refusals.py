"""Which errors are refusals, and what their line says."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from aiokafka import errors as kafka
from redis import exceptions

from connections import denials
from connections.denials import raising_denials, right_denied
from connections.kafka import KafkaConnection
from connections.redis import redis_denial
from connections.secret import Secret
from schemas.access import Role, rights_of
from schemas.errors import AccessDenied
from schemas.topics import AUDIO, DEVICES, MODELS

CONNECTION = KafkaConnection("kafka:1", "SASL_SSL", username="worker", password=Secret("geheim"))
URL = "rediss://worker:geheim@host:1/0"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (kafka.TopicAuthorizationFailedError({"b", "a"}), "User:worker the right to Read topic a, b"),
        (kafka.GroupAuthorizationFailedError("g"), "User:worker the right to Read consumer group g"),
        (kafka.ClusterAuthorizationFailedError(), "User:worker the right to IdempotentWrite the cluster"),
    ],
)
def test_a_missing_right_is_named(error: Exception, says: str) -> None:
    assert says in str(right_denied(error, CONNECTION))


@pytest.mark.parametrize("error", [kafka.KafkaConnectionError("x"), OSError(), TimeoutError(), ssl.SSLEOFError()])
def test_an_outage_is_no_refusal(error: Exception) -> None:
    assert right_denied(error, CONNECTION) is None
    assert denials._refusal(error, "kafka:1", CONNECTION.client_options()) is None
    assert redis_denial(exceptions.ConnectionError(str(error)), URL) is None


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (exceptions.NoPermissionError("NOPERM this user has no permissions to run the 'get' command"), "'get' command"),
        (exceptions.ResponseError("ERR Error running script: NOPERM no 'hset' command"), "'hset' command"),
        (exceptions.AuthenticationError("invalid username-password pair or user is disabled."), "authenticate"),
        (exceptions.ResponseError("WRONGPASS invalid username-password pair"), "authenticate"),
        (exceptions.AuthenticationError("Authentication required."), "authenticate"),
    ],
)
def test_redis_refuses(error: Exception, says: str) -> None:
    line = str(redis_denial(error, URL))
    assert says in line
    assert "'worker'" in line
    assert "geheim" not in line


async def test_a_refusal_in_the_background_ends_the_block() -> None:
    async def block() -> None:
        async with raising_denials(CONNECTION):
            for listener in denials._listeners:
                listener(AccessDenied("refused"))
            await asyncio.sleep(10)

    with pytest.raises(AccessDenied, match="refused"):
        await asyncio.wait_for(block(), 5)
    assert denials._listeners == []


async def test_a_cancelled_block_is_cancelled() -> None:
    async def block() -> None:
        async with raising_denials(CONNECTION):
            await asyncio.sleep(10)

    task = asyncio.create_task(block())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("role", ["producer", "worker", "consumer", "operator", "admin"])
def test_trainers_alone_write_models(role: Role) -> None:
    assert not any(right.name == MODELS.name and right.operation == "Write" for right in rights_of(role, "g"))


def test_a_producer_writes_audio_and_devices_alone() -> None:
    rights = {(right.operation, right.name) for right in rights_of("producer", "g") if right.resource != "Cluster"}
    assert rights == {("Write", AUDIO.name), ("Write", DEVICES.name)}
