"""Secrets: given as text or as a file, never shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from schemas.errors import SettingsError

_MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Secret:
    """A password or token; a file is read again at every use, so that a rotated secret counts at once.

    Attributes:
        value: the secret itself; used where ``file`` is None.
        file: holds the secret; a line break at its end does not belong to it.
    """

    value: str = field(default="", repr=False)
    file: Path | None = None

    def read(self) -> str:
        """The secret.

        Raises:
            SettingsError: the file cannot be read, or is empty.
        """
        if self.file is None:
            return self.value
        try:
            with self.file.open("rb") as opened:
                text = opened.read(_MAX_BYTES).decode().rstrip("\r\n")
        except OSError as error:
            raise SettingsError(
                f"secret file {self.file}: {error.strerror}: mount it and let this user read it"
            ) from None
        except UnicodeDecodeError:
            raise SettingsError(f"secret file {self.file} is not UTF-8 text") from None
        if not text:
            raise SettingsError(f"secret file {self.file} is empty: write the secret into it")
        return text
