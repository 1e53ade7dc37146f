"""A session: blocks of any length become numbered chunks of one length."""

from __future__ import annotations

import uuid

import numpy as np

from producers.pcm import Int16
from schemas.chunk import MAX_BYTES, MAX_CHANNELS, MAX_SAMPLE_RATE, MAX_SECONDS, MIN_SAMPLE_RATE, Chunk
from schemas.errors import InputError, SettingsError

DEFAULT_CHUNK_SECONDS = 0.5
MIN_CHUNK_SECONDS = 0.25


def chunk_samples(sample_rate: int, channels: int, seconds: float) -> int:
    """Samples per channel in one chunk: ``seconds`` of sound, or as much as a record may hold.

    Args:
        sample_rate: Hz, 1,000 to 192,000.
        channels: 1 to 8.
        seconds: 0.25 to 2.

    Raises:
        SettingsError: ``seconds`` is out of range.
        InputError: no chunk may have this rate or so many channels.
    """
    if not MIN_CHUNK_SECONDS <= seconds <= MAX_SECONDS:
        raise SettingsError(f"chunks of {seconds!r} s; choose {MIN_CHUNK_SECONDS} to {MAX_SECONDS} s")
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise InputError(f"{sample_rate} Hz; {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz can be sent: resample it")
    if not 1 <= channels <= MAX_CHANNELS:
        raise InputError(f"{channels} channels; 1 to {MAX_CHANNELS} can be sent: mix some down")
    return min(int(sample_rate * seconds), MAX_BYTES // (2 * channels))


class Session:
    """One unbroken capture run of a device.

    Every chunk but the last, and but the ones before lost samples, has ``chunk_samples`` samples. However the sound is
    cut into blocks, the chunks are the same. Capture times follow from the start and the sample index in integers.

    Args:
        device_id: whose.
        sample_rate: Hz, 1,000 to 192,000.
        channels: 1 to 8.
        started_ns: when sample 0 was captured, nanoseconds since 1970.
        chunk_seconds: length of a chunk, 0.25 to 2 s.
        session_id: a new one by default.
        regime: the device's way of working; "" says none. It may change while the session lasts: a chunk has the one
            that holds as it is made.

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
        self._held = np.empty((self.chunk_samples, channels), dtype=np.int16)
        self._n_held = 0

    @property
    def end_sample(self) -> int:
        """Index of the next sample that comes in."""
        return self._first_sample + self._n_held

    def time_of(self, sample: int) -> int:
        """When a sample was captured, nanoseconds since 1970."""
        return self.started_ns + sample * 1_000_000_000 // self.sample_rate

    def push(self, samples: Int16) -> list[Chunk]:
        """The chunks that become whole.

        Args:
            samples: int16 (n, channels), n >= 0; copied.

        Raises:
            InputError: another number of channels than the session's.
        """
        if samples.ndim != 2 or samples.shape[1] != self.channels:
            raise InputError(f"a block of shape {samples.shape} in a session of {self.channels} channels")
        chunks = []
        taken = 0
        while taken < len(samples):
            n = min(self.chunk_samples - self._n_held, len(samples) - taken)
            self._held[self._n_held : self._n_held + n] = samples[taken : taken + n]
            self._n_held += n
            taken += n
            if self._n_held == self.chunk_samples:
                chunks += self.flush()
        return chunks

    def skip(self, lost: int) -> list[Chunk]:
        """Passes over samples that were captured but are gone: what is held goes out as a short chunk.

        The next chunk follows in sequence and its first sample lies ``lost`` further on, so a reader sees the gap, how
        long it is, and that the chunks after it still belong to the same run and clock.

        Args:
            lost: samples per channel, >= 0.
        """
        chunks = self.flush() if lost else []
        self._first_sample += lost
        return chunks

    def flush(self) -> list[Chunk]:
        """What is held, as one last short chunk; nothing when nothing is held."""
        if self._n_held == 0:
            return []
        pcm = self._held[: self._n_held].astype("<i2", copy=False).tobytes()
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
        self._first_sample += self._n_held
        self._n_held = 0
        return [chunk]
