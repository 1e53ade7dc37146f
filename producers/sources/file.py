"""Audio files as sources: WAV, FLAC, Ogg, MP3, read by blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import soundfile

from producers.pcm import Block, to_block
from producers.session import DEFAULT_CHUNK_SECONDS, chunk_samples
from schemas.audio_files import decode_errors
from schemas.errors import EmptyAudio, InputError, NotAudio

_EXACT = frozenset({"PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW"})
"""Encodings that 16 bits represent exactly; all others are read as float32."""
_BLOCK_VALUES = 65_536
_MAX_SAMPLES = 2**48


@dataclass(frozen=True, slots=True)
class AudioFile:
    """One audio file, checked but not kept open.

    Attributes:
        path: of the file.
        sample_rate: Hz.
        channels: 1 to 8.
        n_samples: samples per channel according to its header; None if the header does not state it.
    """

    path: Path
    sample_rate: int
    channels: int
    n_samples: int | None

    @property
    def unit(self) -> str:
        return "full scale"

    @property
    def full_scale(self) -> float:
        return 1.0

    @property
    def name(self) -> str:
        return self.path.name

    @classmethod
    def probe(cls, path: Path) -> AudioFile:
        """Reads a file's header.

        Raises:
            UnreadableInput: it does not exist or cannot be read.
            NotAudio: it is not audio in a known format.
            EmptyAudio: it is empty or holds no samples.
            InputError: its rate or channel count cannot be sent.
        """
        with _opened(path) as sound:
            if sound.frames == 0:
                raise EmptyAudio(f"{path} holds no samples: record it again or leave it out")
            try:
                chunk_samples(sound.samplerate, sound.channels, DEFAULT_CHUNK_SECONDS)
            except InputError as error:
                raise InputError(f"{path}: {error}") from None
            known = 0 < sound.frames < _MAX_SAMPLES
            return cls(path, sound.samplerate, sound.channels, sound.frames if known else None)

    def blocks(self) -> Iterator[Block]:
        """The sound from the beginning, int16 (n, channels), about 65,536 values a block.

        Raises:
            NotAudio: it is damaged, or ends before the length in its header.
            EmptyAudio: a sample is not a finite number.
            UnreadableInput: it no longer exists.
        """
        at = 0
        with _opened(self.path) as sound:
            exact = sound.subtype in _EXACT
            while True:
                values = sound.read(
                    _BLOCK_VALUES // self.channels, dtype="int16" if exact else "float32", always_2d=True
                )
                if len(values) == 0:
                    break
                try:
                    yield Block(values) if exact else to_block(values, at=at)
                except EmptyAudio as error:
                    raise EmptyAudio(f"{self.path}: {error}") from None
                at += len(values)
        if self.n_samples is not None and at < self.n_samples:
            raise NotAudio(
                f"{self.path} ends after {at} of the {self.n_samples} samples in its header: it is damaged or truncated"
            )


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """The open file; errors as of :func:`schemas.audio_files.decode_errors`."""
    with decode_errors(path, soundfile.LibsndfileError), soundfile.SoundFile(path) as sound:
        yield sound
