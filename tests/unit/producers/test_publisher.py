"""The publisher: order, bounded memory, outages logged once, undelivered records reported."""

from __future__ import annotations

import asyncio
import time

import pytest
import structlog
from aiokafka import errors as kafka
from structlog.testing import capture_logs

from connections.kafka import KafkaConnection
from connections.secret import Secret
from producers.kafka.publisher import Publisher
from schemas.chunk import Chunk
from schemas.device import Device
from schemas.errors import AccessDenied, EmptyValue, SettingsError, UserError
from schemas.topics import AUDIO, DEVICES
from tests.unit.producers.fake_kafka import Broker

DEVICE = Device(device_id="d", kind="room")
OUTAGE_AFTER_S = 0.05


def chunk(sequence: int, n_bytes: int = 2_000) -> Chunk:
    return Chunk("d", "s", sequence, sequence * 1_000, 16_000, 1, 0, sequence.to_bytes(2, "little") * (n_bytes // 2))


def publisher(broker: Broker, max_pending_bytes: int = 1_000_000) -> Publisher:
    return Publisher(
        KafkaConnection("broker:9092"),
        max_pending_bytes=max_pending_bytes,
        outage_after_s=OUTAGE_AFTER_S,
        make_client=broker.make,
    )


def sequences(broker: Broker) -> list[int]:
    return [int.from_bytes(value[:2], "little") for topic, _, value in broker.log if topic == AUDIO.name]


def test_the_representation_of_a_connection_hides_the_password() -> None:
    connection = KafkaConnection(" a:1, b:2", protocol="SASL_SSL", username="u", password=Secret("secret"))
    assert "secret" not in repr(connection)
    assert connection.client_options()["bootstrap_servers"] == ["a:1", "b:2"]
    assert connection.client_options()["sasl_plain_password"] == "secret"  # noqa: S105


async def test_the_device_is_announced_before_its_sound_and_the_sound_is_in_order() -> None:
    broker = Broker()
    async with publisher(broker) as kafka_publisher:
        await kafka_publisher.announce(DEVICE)
        assert [entry[0] for entry in broker.log] == [DEVICES.name]
        for sequence in range(50):
            await kafka_publisher.send(chunk(sequence))

    assert sequences(broker) == list(range(50))
    assert {key for _, key, _ in broker.log} == {b"d"}
    assert kafka_publisher.undelivered_chunks == 0
    assert broker.clients[0].stopped


async def test_announcing_waits_for_the_broker() -> None:
    broker = Broker(acknowledges=False)
    async with publisher(broker) as kafka_publisher:
        announcing = asyncio.create_task(kafka_publisher.announce(DEVICE))
        await asyncio.sleep(0.05)
        assert not announcing.done()
        broker.recover()
        await asyncio.wait_for(announcing, 1)


async def test_memory_is_bounded_with_a_slow_broker() -> None:
    broker = Broker(acknowledges=False)
    async with publisher(broker, max_pending_bytes=50_000) as kafka_publisher:

        async def send_all() -> None:
            for sequence in range(200):
                await kafka_publisher.send(chunk(sequence))

        sending = [asyncio.create_task(send_all()) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in sending)
        assert 40_000 < kafka_publisher.pending_bytes <= 50_000
        broker.recover()
        await asyncio.wait_for(asyncio.gather(*sending), 5)
    assert len(broker.log) == 600
    assert kafka_publisher.pending_bytes == 0


async def test_a_chunk_larger_than_the_bound_is_sent() -> None:
    broker = Broker()
    async with publisher(broker, max_pending_bytes=100) as kafka_publisher:
        await kafka_publisher.send(chunk(0))
        await kafka_publisher.send(chunk(1))
    assert sequences(broker) == [0, 1]


async def test_an_unavailable_broker_is_logged_once_and_waited_for() -> None:
    broker = Broker(up=False)
    with capture_logs() as logs:
        starting = asyncio.create_task(publisher(broker).__aenter__())
        await asyncio.sleep(0.8)
        assert not starting.done()
        broker.up = True
        kafka_publisher = await asyncio.wait_for(starting, 5)
        await kafka_publisher.close()

    assert len(broker.clients) >= 3
    assert all(client.stopped for client in broker.clients)
    assert [entry["log_level"] for entry in logs] == ["warning", "info"]
    assert "broker:9092" in logs[0]["event"]
    assert "tocsin up" in logs[0]["event"]
    assert "answers again" in logs[1]["event"]


async def test_an_outage_is_logged_once_and_loses_nothing() -> None:
    broker = Broker()
    with capture_logs() as logs:
        async with publisher(broker) as kafka_publisher:
            await kafka_publisher.send(chunk(0))
            await kafka_publisher.drain()
            broker.acknowledges = False
            for sequence in range(1, 10):
                await kafka_publisher.send(chunk(sequence))
            await asyncio.sleep(6 * OUTAGE_AFTER_S)
            broker.recover()
            await kafka_publisher.drain()
    assert [entry["log_level"] for entry in logs] == ["warning", "info"]
    assert sequences(broker) == list(range(10))


@pytest.mark.parametrize(
    "error", [kafka.OutOfOrderSequenceNumber(), kafka.LeaderNotAvailableError(), kafka.KafkaError()]
)
async def test_undelivered_records_of_a_failed_client_are_sent_again_in_order(error: kafka.KafkaError) -> None:
    broker = Broker(acknowledges=False)
    async with publisher(broker) as kafka_publisher:
        for sequence in range(5):
            await kafka_publisher.send(chunk(sequence))
        await asyncio.sleep(0.02)
        broker.log.append(broker.pending[0][1])
        broker.pending[0][0].set_result(None)
        broker.pending[1][0].set_exception(error)
        broker.acknowledges = True
        await asyncio.wait_for(kafka_publisher.drain(), 5)

    assert sequences(broker) == [0, 1, 2, 3, 4]
    assert len(broker.clients) == 2
    assert broker.clients[0].stopped


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (kafka.MessageSizeTooLargeError(), SettingsError, r"refuses records for tocsin\.audio\.v1"),
        (kafka.TopicAuthorizationFailedError(AUDIO.name), AccessDenied, r"right to Write topic tocsin\.audio\.v1"),
    ],
)
async def test_a_permanent_error_ends_the_publisher(error: kafka.KafkaError, kind: type[UserError], says: str) -> None:
    broker = Broker(failures=[error])

    async def run() -> None:
        async with publisher(broker) as kafka_publisher:
            for sequence in range(1_000):
                await kafka_publisher.send(chunk(sequence))
                await asyncio.sleep(0.001)

    with capture_logs() as logs, pytest.raises(kind, match=says):
        await run()
    assert len(broker.clients) == 1
    assert "chunks were not delivered" in logs[-1]["event"]


async def test_a_missing_topic_is_reported_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producers.kafka.client._TOPICS_S", 0.3)
    broker = Broker(topics={DEVICES.name})
    with pytest.raises(SettingsError, match=r"no topic tocsin\.audio\.v1.*tocsin up.*tocsin topics"):
        await publisher(broker).__aenter__()
    assert all(client.stopped for client in broker.clients)


async def test_a_stack_that_is_still_creating_its_topics_is_waited_for() -> None:
    broker = Broker(topics=set())
    starting = asyncio.create_task(publisher(broker).__aenter__())
    await asyncio.sleep(0.3)
    broker.topics = {DEVICES.name, AUDIO.name}
    kafka_publisher = await asyncio.wait_for(starting, 5)
    assert await kafka_publisher.close() == 0


@pytest.mark.parametrize(
    "address", ["", "host:port", "host:0", "host:65536", "a:1,,b:2", "http://a:9092", "a b:1", "::1"]
)
def test_an_invalid_address_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="is not host:port"):
        KafkaConnection(address)


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1:9092", "[::1]:9092", "a.example:1, b.example:65535"])
def test_a_valid_address_is_accepted(address: str) -> None:
    assert str(KafkaConnection(address)) == address


async def test_an_interruption_ends_soon_and_logs_undelivered_chunks() -> None:
    broker = Broker(acknowledges=False)

    async def run() -> None:
        async with publisher(broker) as kafka_publisher:
            for sequence in range(7):
                await kafka_publisher.send(chunk(sequence))
            await asyncio.sleep(60)

    with capture_logs() as logs:
        running = asyncio.create_task(run())
        await asyncio.sleep(0.02)
        began = time.monotonic()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert time.monotonic() - began < 2
    assert logs[-1]["event"] == "7 chunks were not delivered to Kafka at broker:9092"


async def test_an_error_in_the_context_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        async with publisher(Broker()):
            raise ZeroDivisionError


async def test_close_returns_the_number_of_undelivered_chunks() -> None:
    broker = Broker(acknowledges=False)
    kafka_publisher = publisher(broker)
    await kafka_publisher.start()
    await kafka_publisher.send(chunk(0))
    began = time.monotonic()
    with capture_logs():
        assert await kafka_publisher.close(0.1) == 1
    assert time.monotonic() - began < 1


async def test_a_chunk_that_breaks_the_contract_is_refused_at_once() -> None:
    async with publisher(Broker()) as kafka_publisher:
        with pytest.raises(EmptyValue):
            await kafka_publisher.send(Chunk("d", "s", 0, 0, 16_000, 1, 0, b""))


@pytest.fixture(autouse=True)
def _fresh_logs() -> None:
    structlog.reset_defaults()
