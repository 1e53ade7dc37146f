"""Plays sources as devices: one session after another, many devices at once."""

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

TOGETHER_REALTIME = 64
"""Devices that play at once by the clock; each holds one open file and a block of at most 256 KiB."""
TOGETHER_FAST = 4
"""Devices that play at once as fast as they go; more would only share the same processor."""

log = structlog.get_logger()


async def play_session(
    blocks: AsyncIterator[Block], session: Session, sink: Sink, tally: ProducerStats, *, realtime: bool
) -> None:
    """Sends a session's blocks as chunks until they end. What is held goes out even when they end in an error.

    Args:
        blocks: int16 (n, channels) of the session's form.
        session: a new one.
        sink: where chunks go.
        tally: counts are added here.
        realtime: a chunk goes out when its last sample would have been captured, not before.
    """
    began = time.monotonic_ns()

    async def send(chunks: list[Chunk]) -> None:
        for chunk in chunks:
            if realtime:
                due = began + chunk.end_sample * 1_000_000_000 // chunk.sample_rate
                await asyncio.sleep(max(0, due - time.monotonic_ns()) / 1e9)
            await sink.send(chunk)
            tally.count_chunk(chunk)

    tally.sessions += 1
    try:
        async for block in blocks:
            tally.count_block(block)
            await send(session.skip(block.lost))
            await send(session.push(block.samples))
    except (CaptureError, InputError):
        await send(session.flush())
        raise
    await send(session.flush())


async def in_turn(blocks: Iterator[Block]) -> AsyncGenerator[Block, None]:
    """Blocks as they are read, with everyone else's turn after each.

    They are read on the event loop: a block decodes in about a millisecond, and a thread could not be cancelled.
    """
    for block in blocks:
        yield block
        await asyncio.sleep(0)


async def play_part(
    part: PlaybackJob, sink: Sink, tally: ProducerStats, *, realtime: bool, chunk_seconds: float
) -> None:
    """Announces a device and plays its sources. One that fails is noted and the next one is played.

    Played by the clock, a session begins now. Played as fast as it goes, capture times are laid so that the last sample
    was captured just now: no time lies in the future, and a device's sessions do not overlap.
    """
    now = time.time_ns()
    await sink.announce(part.device.model_copy(update={"announced_ns": now}))
    tally.devices.add(part.device.device_id)
    started_ns = max(0, now - (part.length_ns or 0))
    for source in (source for _ in range(part.passes) for source in part.sources):
        if realtime:
            started_ns = time.time_ns()
        session = Session(
            part.device.device_id,
            source.sample_rate,
            source.channels,
            started_ns=started_ns,
            chunk_seconds=chunk_seconds,
            regime=part.regime,
        )
        await _play_source(source, session, sink, tally, realtime=realtime)
        started_ns = session.time_of(session.end_sample)


async def _play_source(source: Source, session: Session, sink: Sink, tally: ProducerStats, *, realtime: bool) -> None:
    try:
        async with aclosing(in_turn(source.blocks())) as blocks:
            await play_session(blocks, session, sink, tally, realtime=realtime)
    except InputError as error:
        tally.failures.append(str(error))
        log.warning(str(error), device=session.device_id)


async def play_all(
    parts: Sequence[PlaybackJob],
    sink: Sink,
    tally: ProducerStats,
    *,
    realtime: bool,
    chunk_seconds: float = DEFAULT_CHUNK_SECONDS,
) -> None:
    """Plays many devices, at most ``TOGETHER_REALTIME`` or ``TOGETHER_FAST`` at once, the others after them.

    Sources that fail are noted in ``tally.failures``; the others are played to their end.

    Raises:
        TocsinError: the sink refuses.
    """
    waiting = iter(parts)

    async def work() -> None:
        for part in waiting:
            await play_part(part, sink, tally, realtime=realtime, chunk_seconds=chunk_seconds)

    together = min(len(parts), TOGETHER_REALTIME if realtime else TOGETHER_FAST)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(together):
                group.create_task(work())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
