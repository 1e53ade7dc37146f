"""A session: blocks of any length become numbered chunks of equal length."""

from __future__ import annotations

import uuid

import numpy as np

from producers.pcm import Int16
from schemas.chunk import MAX_BYTES, MAX_CHANNELS, MAX_SAMPLE_RATE, MAX_SECONDS, MIN_SAMPLE_RATE, Chunk
from schemas.errors import InputError, SettingsError

DEFAULT_CHUNK_SECONDS = 0.5
MIN_CHUNK_SECONDS = 0.25


def chunk_samples(sample_rate: int, channels: int, seconds: float) -> int:
    """Samples per channel in a chunk: ``seconds`` of sound, limited by the size of a record.

    Args:
        sample_rate: Hz, 1,000 to 192,000.
        channels: 1 to 8.
        seconds: 0.25 to 2.

    Raises:
        SettingsError: ``seconds`` is out of range.
        InputError: the rate or channel count cannot be sent.
    """
    if not MIN_CHUNK_SECONDS <= seconds <= MAX_SECONDS:
        raise SettingsError(f"chunks of {seconds!r} s; choose {MIN_CHUNK_SECONDS} to {MAX_SECONDS} s")
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise InputError(f"{sample_rate} Hz; {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz can be sent: resample it")
    if not 1 <= channels <= MAX_CHANNELS:
        raise InputError(f"{channels} channels; 1 to {MAX_CHANNELS} can be sent: mix it down")
    return min(int(sample_rate * seconds), MAX_BYTES // (2 * channels))


class Session:
    """One continuous capture run of a device.

    Every chunk has ``chunk_samples`` samples, except the last and those before lost samples. The chunks do not depend
    on how the sound is cut into blocks. Capture times are computed from the start and the sample index in integers.

    Args:
        device_id: of the device.
        sample_rate: Hz, 1,000 to 192,000.
        channels: 1 to 8.
        started_ns: when sample 0 was captured, nanoseconds since 1970.
        chunk_seconds: length of a chunk, 0.25 to 2 s.
        session_id: None makes a new one.
        regime: operating regime that the device reports; "" reports none. It may change during the session: a chunk
            carries the present one.

    Raises:
        SettingsError: ``chunk_seconds`` is out of range.
        InputError: the rate or channel count is out of range.
    """

    def __init__(
        self,
        device_id: str,
        sample_rate: int,
        channels: int,
        *,
        started_ns: int,
        chunk_seconds: float = DEFAULT_CHUNK_SECONDS,
        session_id: str | None = None,
        regime: str = "",
    ) -> None:
        self.chunk_samples = chunk_samples(sample_rate, channels, chunk_seconds)
        self.device_id = device_id
        self.session_id = session_id or uuid.uuid4().hex
        self.sample_rate = sample_rate
        self.channels = channels
        self.started_ns = started_ns
        self.regime = regime
        self._sequence = 0
        self._first_sample = 0
        self._buffer = np.empty((self.chunk_samples, channels), dtype=np.int16)
        self._n_buffered = 0

    @property
    def end_sample(self) -> int:
        """Index of the next incoming sample."""
        return self._first_sample + self._n_buffered

    def time_of(self, sample: int) -> int:
        """When a sample was captured, nanoseconds since 1970."""
        return self.started_ns + sample * 1_000_000_000 // self.sample_rate

    def push(self, samples: Int16) -> list[Chunk]:
        """Adds samples; returns the chunks that become complete.

        Args:
            samples: int16 (n, channels), n >= 0; copied.

        Raises:
            InputError: the number of channels is not the session's.
        """
        if samples.ndim != 2 or samples.shape[1] != self.channels:
            raise InputError(f"a block of shape {samples.shape} in a session of {self.channels} channels")
        chunks = []
        taken = 0
        while taken < len(samples):
            n = min(self.chunk_samples - self._n_buffered, len(samples) - taken)
            self._buffer[self._n_buffered : self._n_buffered + n] = samples[taken : taken + n]
            self._n_buffered += n
            taken += n
            if self._n_buffered == self.chunk_samples:
                chunks += self.flush()
        return chunks

    def skip(self, lost: int) -> list[Chunk]:
        """Skips lost samples; returns the buffered samples as a short chunk.

        The next chunk has the next sequence number, and its first sample is ``lost`` samples later: a reader sees the
        length of the gap, and that the chunks after it belong to the same session and clock.

        Args:
            lost: samples per channel, >= 0.
        """
        chunks = self.flush() if lost else []
        self._first_sample += lost
        return chunks

    def flush(self) -> list[Chunk]:
        """The buffered samples as a short chunk; empty if there are none."""
        if self._n_buffered == 0:
            return []
        pcm = self._buffer[: self._n_buffered].astype("<i2", copy=False).tobytes()
        chunk = Chunk(
            device_id=self.device_id,
            session_id=self.session_id,
            sequence=self._sequence,
            first_sample=self._first_sample,
            sample_rate=self.sample_rate,
            channels=self.channels,
            captured_ns=self.time_of(self._first_sample),
            pcm=pcm,
            regime=self.regime,
        )
        self._sequence += 1
        self._first_sample += self._n_buffered
        self._n_buffered = 0
        return [chunk]
