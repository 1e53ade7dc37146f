"""Audio files: the suffixes that count as audio, and the errors of files that cannot be read or decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import EmptyAudio, NotAudio, UnreadableInput

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".w64", ".rf64"})
"""Files inside a folder that count as audio, in lower case."""


@contextmanager
def decode_errors(path: Path, library_error: type[Exception]) -> Iterator[None]:
    """Checks that a file can be opened, and turns errors of opening and decoding it into Tocsin's.

    Args:
        path: the file.
        library_error: what the decoding library raises; a parameter, since the contract imports no audio library.

    Raises:
        UnreadableInput: the file does not exist or may not be read.
        EmptyAudio: it has no bytes.
        NotAudio: it cannot be decoded, or its header claims more than fits into memory.
    """
    try:
        # Opened here first: libraries report a missing file or permission as a decoding error.
        path.open("rb").close()
        if path.is_file() and path.stat().st_size == 0:
            raise EmptyAudio(f"{path} is empty: record it again or leave it out")
        yield
    except OSError as error:
        raise UnreadableInput.of(path, error) from None
    except MemoryError:
        raise NotAudio(f"{path} claims more samples than fit into memory: remove it or split it") from None
    except library_error as error:
        reason = str(getattr(error, "error_string", error)).strip().rstrip(".")
        raise NotAudio(f"{path} cannot be decoded ({reason}): remove it or convert it to WAV or FLAC") from None
