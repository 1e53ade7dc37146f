"""Publishing audio from a program, as a device."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from connections.kafka import KafkaConnection
from producers.kafka.publisher import Publisher as ChunkPublisher
from producers.pcm import to_block
from producers.session import DEFAULT_CHUNK_SECONDS, Session
from schemas.device import Device, DeviceKind
from schemas.errors import InputError
from tocsin.addresses import kafka_connection
from tocsin.settings import load_settings

Samples = npt.NDArray[np.float32] | npt.NDArray[np.float64] | npt.NDArray[np.int16]


def pcm_of(samples: Samples, channels: int, at: int = 0) -> npt.NDArray[np.int16]:
    """Samples as 16-bit PCM.

    Args:
        samples: int16, or float with 1.0 as full scale; (n,) where there is one channel, or (n, channels).
        channels: how many there must be.
        at: index of the first sample in its session, for the message.

    Returns:
        int16 (n, channels).

    Raises:
        InputError: another shape or type; a value beyond full scale, NaN or infinite.
    """
    values: npt.NDArray[Any] = np.asarray(samples)
    if values.ndim == 1:
        values = values[:, np.newaxis]
    if values.ndim != 2 or values.shape[1] != channels:
        wanted = "(n,) or (n, 1)" if channels == 1 else f"(n, {channels})"
        raise InputError(f"samples of shape {np.shape(samples)}; give {wanted}, for {channels} channels")
    if values.dtype == np.int16:
        return values
    if not np.issubdtype(values.dtype, np.floating):
        raise InputError(f"samples of type {values.dtype}: give int16, or float with 1.0 as full scale")
    block = to_block(values, at=at)
    if block.clipped:
        raise InputError(
            f"{block.clipped} of {values.size} values lie beyond full scale (largest {np.abs(values).max():.6g}): scale"
            " the array so that the largest possible value is 1.0"
        )
    return block.samples


class Publisher:
    """Sends arrays of samples to Kafka as one device; an async context manager.

    Entering it connects and announces the device. Leaving it sends what is left as a last, shorter chunk and waits
    until Kafka has confirmed every chunk. While Kafka is away, up to 32 MiB wait in memory; then :meth:`send` waits.

    Args:
        device_id: letters, digits, ``.``, ``_`` and ``-``; the stream's key.
        sample_rate: Hz, 1,000 to 192,000.
        kind: ``machine`` or ``room``; selects the detectors.
        detectors: names of the detectors to run instead of the kind's.
        channels: 1 to 8.
        kafka: address, ``host:port``, or connection; None takes ``TOCSIN_KAFKA`` or the running local stack.
        started_ns: when the first sample was captured, nanoseconds since 1970; None means now.
        chunk_seconds: audio in one Kafka record, 0.25 to 2 s.

    Raises:
        SettingsError: no address is known, or ``chunk_seconds`` is out of range.
        InputError: the rate or the channel count is out of range.
        pydantic.ValidationError: the device id or kind is not allowed.
    """

    def __init__(
        self,
        device_id: str,
        sample_rate: int,
        *,
        kind: DeviceKind = "machine",
        detectors: Sequence[str] | None = None,
        channels: int = 1,
        kafka: KafkaConnection | str | None = None,
        started_ns: int | None = None,
        chunk_seconds: float = DEFAULT_CHUNK_SECONDS,
    ) -> None:
        now = time.time_ns()
        self._device = Device(
            device_id=device_id,
            kind=kind,
            detectors=None if detectors is None else tuple(detectors),
            sample_rate=sample_rate,
            announced_ns=now,
        )
        self._session = Session(
            device_id,
            sample_rate,
            channels,
            started_ns=now if started_ns is None else started_ns,
            chunk_seconds=chunk_seconds,
        )
        self._publisher = ChunkPublisher(kafka_connection(load_settings(), kafka))

    @property
    def session_id(self) -> str:
        """Names this unbroken capture run; scores and alerts carry it."""
        return self._session.session_id

    async def send(self, samples: Samples) -> None:
        """Sends samples that follow the ones before without a gap.

        Args:
            samples: int16, or float with 1.0 as full scale; (n,) or (n, channels), n of any length.

        Raises:
            InputError: another shape or type; a value beyond full scale, NaN or infinite. Nothing of it is sent.
            SettingsError: the broker refuses chunks.
        """
        pcm = pcm_of(samples, self._session.channels, self._session.end_sample)
        for chunk in self._session.push(pcm):
            await self._publisher.send(chunk)

    async def __aenter__(self) -> Self:
        await self._publisher.__aenter__()
        try:
            await self._publisher.announce(self._device)
        except BaseException:
            await self._publisher.close(0)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                for chunk in self._session.flush():
                    await self._publisher.send(chunk)
        finally:
            await self._publisher.__aexit__(kind, error, trace)
