"""Plays sources as devices: sessions one after another, many devices concurrently."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing

import structlog

from producers.kafka.sink import Sink
from producers.pcm import Block
from producers.session import DEFAULT_CHUNK_SECONDS, Session
from producers.source import PlaybackJob, Source
from producers.stats import ProducerStats
from schemas.chunk import Chunk
from schemas.errors import CaptureError, InputError

MAX_CONCURRENT_REALTIME = 64
"""Devices that play concurrently in real time; each has one open file and a block of at most 256 KiB."""
MAX_CONCURRENT_FAST = 4
"""Devices that play concurrently at full speed; more would only share the same processor."""

log = structlog.get_logger()


async def play_session(
    blocks: AsyncIterator[Block], session: Session, sink: Sink, stats: ProducerStats, *, realtime: bool
) -> None:
    """Sends a session's blocks as chunks until they end; buffered samples are sent even after an error.

    Args:
        blocks: int16 (n, channels), with the session's channels.
        session: a new one.
        sink: destination of the chunks.
        stats: counts are added here.
        realtime: send a chunk only when its last sample would have been captured.
    """
    began = time.monotonic_ns()

    async def send(chunks: list[Chunk]) -> None:
        for chunk in chunks:
            if realtime:
                due = began + chunk.end_sample * 1_000_000_000 // chunk.sample_rate
                await asyncio.sleep(max(0, due - time.monotonic_ns()) / 1e9)
            await sink.send(chunk)
            stats.count_chunk(chunk)

    stats.sessions += 1
    try:
        async for block in blocks:
            stats.count_block(block)
            await send(session.skip(block.lost))
            await send(session.push(block.samples))
    except (CaptureError, InputError):
        await send(session.flush())
        raise
    await send(session.flush())


async def cooperative(blocks: Iterator[Block]) -> AsyncGenerator[Block, None]:
    """Yields blocks and lets other tasks run after each.

    Blocks are read on the event loop: decoding takes about a millisecond, and a thread could not be cancelled.
    """
    for block in blocks:
        yield block
        await asyncio.sleep(0)


async def play_job(job: PlaybackJob, sink: Sink, stats: ProducerStats, *, realtime: bool, chunk_seconds: float) -> None:
    """Announces a device and plays its sources. A source that fails is recorded, and the next one is played.

    In real time, a session begins now. At full speed, capture times are set so that the last sample was captured just
    now: no time is in the future, and a device's sessions do not overlap.
    """
    now = time.time_ns()
    await sink.announce(job.device.model_copy(update={"announced_ns": now}))
    stats.devices.add(job.device.device_id)
    started_ns = max(0, now - (job.length_ns or 0))
    for source in (source for _ in range(job.passes) for source in job.sources):
        if realtime:
            started_ns = time.time_ns()
        session = Session(
            job.device.device_id,
            source.sample_rate,
            source.channels,
            started_ns=started_ns,
            chunk_seconds=chunk_seconds,
            regime=job.regime,
        )
        await _play_source(source, session, sink, stats, realtime=realtime)
        started_ns = session.time_of(session.end_sample)


async def _play_source(source: Source, session: Session, sink: Sink, stats: ProducerStats, *, realtime: bool) -> None:
    try:
        async with aclosing(cooperative(source.blocks())) as blocks:
            await play_session(blocks, session, sink, stats, realtime=realtime)
    except InputError as error:
        stats.failures.append(str(error))
        log.warning(str(error), device=session.device_id)


async def play_all(
    jobs: Sequence[PlaybackJob],
    sink: Sink,
    stats: ProducerStats,
    *,
    realtime: bool,
    chunk_seconds: float = DEFAULT_CHUNK_SECONDS,
) -> None:
    """Plays many devices, at most ``MAX_CONCURRENT_REALTIME`` or ``MAX_CONCURRENT_FAST`` concurrently.

    Sources that fail are recorded in ``stats.failures``; the others are played to their end.

    Raises:
        TocsinError: the sink refuses a record.
    """
    waiting = iter(jobs)

    async def work() -> None:
        for job in waiting:
            await play_job(job, sink, stats, realtime=realtime, chunk_seconds=chunk_seconds)

    workers = min(len(jobs), MAX_CONCURRENT_REALTIME if realtime else MAX_CONCURRENT_FAST)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
