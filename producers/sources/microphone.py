"""The microphone: sound from the machine's sound system."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import miniaudio
import numpy as np
import structlog

from producers.kafka.sink import Sink
from producers.pcm import Block
from producers.player import play_session
from producers.session import Session, chunk_samples
from producers.sources import alsa
from producers.stats import ProducerStats
from schemas.device import Device
from schemas.errors import CaptureError

_PERIOD_MS = 100
_QUEUE_SECONDS = 5
_STALLED_S = 3.0
"""The sound system calls back every 0.1 s; after this long without a call the device is considered gone."""
_REOPEN_S = 1.0
_MAX_REOPEN_S = 10.0
_ADVICE = "plug in or permit a microphone; `tocsin produce microphone --list` lists the inputs"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """Options of a capture.

    Attributes:
        name: of the input: its number from 1 in the list, its name or a part of it; None is the system's default.
        sample_rate: Hz; the sound system resamples to it.
        channels: 1 to 8.
        chunk_seconds: 0.25 to 2.
        regime: operating regime that the device reports; "" reports none.
    """

    name: str | None
    sample_rate: int
    channels: int
    chunk_seconds: float
    regime: str = ""


def list_inputs() -> list[str]:
    """Names of the inputs, in the sound system's order.

    Raises:
        CaptureError: there is no sound system.
    """
    return [str(info["name"]) for info in _inputs()]


def check_input(name: str | None) -> None:
    """Checks that there is such an input.

    Args:
        name: see :class:`CaptureOptions`.

    Raises:
        CaptureError: no input, or more than one, matches.
    """
    _choose(name)


def _backends() -> list[miniaudio.Backend]:
    # The null backend is excluded: it would look like a microphone in a silent room.
    return [backend for backend in miniaudio.Backend if backend is not miniaudio.Backend.NULL]


def _inputs() -> list[dict[str, Any]]:
    alsa.quieten()
    try:
        found: list[dict[str, Any]] = miniaudio.Devices(_backends()).get_captures()
    except miniaudio.MiniaudioError as error:
        raise CaptureError(f"this machine has no sound system that works ({error}): {_ADVICE}") from None
    return [info for info in found if alsa.ZEROS not in info["name"]]


def _choose(name: str | None) -> Any:
    """The sound system's id of an input; None for its default."""
    inputs = _inputs()
    if not inputs:
        raise CaptureError(f"this machine has no microphone: {_ADVICE}")
    if name is None:
        return None
    if name.isascii() and name.isdigit() and 1 <= int(name) <= len(inputs):
        return inputs[int(name) - 1]["id"]
    exact = [info for info in inputs if info["name"] == name]
    matches = exact or [info for info in inputs if name.lower() in info["name"].lower()]
    if len(matches) != 1:
        names = ", ".join(f"{number} {info['name']!r}" for number, info in enumerate(inputs, 1))
        problem = "is not an input" if not matches else "matches more than one input"
        raise CaptureError(f"{name!r} {problem}; there are {names}")
    return matches[0]["id"]


class Microphone:
    """An open input.

    Its callback runs in the sound system's thread and never waits: it appends to a queue of at most 5 s; samples beyond
    that are lost, and their number is reported with the next block.

    Args:
        options: of the capture.

    Raises:
        CaptureError: there is no such input, or it cannot be opened.
        InputError, SettingsError: rate, channels or chunk length are out of range.
    """

    def __init__(self, options: CaptureOptions) -> None:
        chunk_samples(options.sample_rate, options.channels, options.chunk_seconds)
        self.options = options
        self._lock = threading.Lock()
        self._queue: deque[Block] = deque()
        self._free_samples = _QUEUE_SECONDS * options.sample_rate
        self._lost = 0
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._started_ns = 0
        device_id = _choose(options.name)
        try:
            self._device = miniaudio.CaptureDevice(
                input_format=miniaudio.SampleFormat.SIGNED16,
                nchannels=options.channels,
                sample_rate=options.sample_rate,
                buffersize_msec=_PERIOD_MS,
                device_id=device_id,
                backends=_backends(),
                app_name="tocsin",
            )
        except miniaudio.MiniaudioError as error:
            name = options.name or "the system's input"
            raise CaptureError(f"{name} cannot be opened ({error}): {_ADVICE}") from None

    async def start(self) -> int:
        """Starts the capture and waits for the first samples.

        Returns:
            Capture time of the first sample, nanoseconds since 1970.

        Raises:
            CaptureError: the input cannot be started or delivers nothing.
        """
        receiver = self._receive()
        next(receiver)
        try:
            self._device.start(receiver)
        except miniaudio.MiniaudioError as error:
            raise CaptureError(f"the input cannot be started ({error}): {_ADVICE}") from None
        await self._wait()
        return self._started_ns

    async def blocks(self) -> AsyncGenerator[Block, None]:
        """Blocks as they are captured, int16 (n, channels), without end.

        Raises:
            CaptureError: the input has delivered nothing for 3 s.
        """
        while True:
            await self._wait()
            for block in self._take():
                yield block

    def close(self) -> None:
        """Stops the capture."""
        self._device.close()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_STALLED_S):
                await self._ready.wait()
        except TimeoutError:
            name = self.options.name or "the system's input"
            raise CaptureError(f"{name} has delivered nothing for {_STALLED_S:.0f} s: is it plugged in?") from None

    def _receive(self) -> Generator[None, bytearray, None]:
        """Runs in the sound system's thread."""
        while True:
            data = yield
            samples = np.frombuffer(data, dtype=np.int16).reshape(-1, self.options.channels)
            if not self._started_ns:
                self._started_ns = time.time_ns() - len(samples) * 1_000_000_000 // self.options.sample_rate
            with self._lock:
                if len(samples) > self._free_samples:
                    self._lost += len(samples)
                    continue
                self._free_samples -= len(samples)
                self._queue.append(Block(samples, lost=self._lost))
                self._lost = 0
                first = len(self._queue) == 1
            if first and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._ready.set)

    def _take(self) -> list[Block]:
        with self._lock:
            blocks = list(self._queue)
            self._queue.clear()
            self._free_samples += sum(len(block.samples) for block in blocks)
            self._ready.clear()
        return blocks


async def open_microphone(options: CaptureOptions) -> tuple[Microphone, int]:
    """A capturing microphone, and the capture time of its first sample, nanoseconds since 1970.

    Raises:
        CaptureError: it cannot be opened or delivers nothing.
    """
    microphone = Microphone(options)
    try:
        return microphone, await microphone.start()
    except BaseException:
        microphone.close()
        raise


async def capture(
    options: CaptureOptions, device: Device, sink: Sink, stats: ProducerStats, *, seconds: float | None = None
) -> None:
    """Sends what a microphone records. A lost input is opened again, as a new session, once it is back.

    Args:
        options: of the capture.
        device: manifest, announced first.
        sink: destination of the chunks.
        stats: counts are added here.
        seconds: stop after this much sound; None never stops.

    Raises:
        CaptureError: the input cannot be opened at the start.
    """
    left = None if seconds is None else max(1, round(seconds * options.sample_rate))
    microphone, started_ns = await open_microphone(options)
    try:
        await sink.announce(device.model_copy(update={"announced_ns": time.time_ns()}))
        stats.devices.add(device.device_id)
        while True:
            session = Session(
                device.device_id,
                options.sample_rate,
                options.channels,
                started_ns=started_ns,
                chunk_seconds=options.chunk_seconds,
                regime=options.regime,
            )
            try:
                async with aclosing(_first(microphone.blocks(), left)) as blocks:
                    await play_session(blocks, session, sink, stats, realtime=False)
            except CaptureError as error:
                log.warning(f"{error} A new session begins when it is back.", device=device.device_id)
            else:
                return
            left = None if left is None else left - session.end_sample
            microphone.close()
            microphone, started_ns = await _reopen(options)
            log.info("the microphone is back: a new session begins", device=device.device_id)
    finally:
        microphone.close()


async def _reopen(options: CaptureOptions) -> tuple[Microphone, int]:
    delay = _REOPEN_S
    while True:
        await asyncio.sleep(delay)
        try:
            return await open_microphone(options)
        except CaptureError:
            delay = min(2 * delay, _MAX_REOPEN_S)


async def _first(blocks: AsyncGenerator[Block, None], n: int | None) -> AsyncGenerator[Block, None]:
    """The first ``n`` samples of the blocks, including lost ones; all of them if ``n`` is None."""
    async with aclosing(blocks):
        left = n
        async for block in blocks:
            if left is None:
                yield block
                continue
            left -= block.lost
            if left <= 0:
                return
            yield Block(block.samples[:left], block.clipped, block.lost)
            left -= len(block.samples)
            if left <= 0:
                return
