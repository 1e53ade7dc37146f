"""Options of the form KEY=VALUE."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.errors import SettingsError


def key_values(texts: Iterable[str], option: str) -> dict[str, str]:
    """Values by key; of a key that stands twice the later one.

    Args:
        texts: as given.
        option: what the message names.

    Raises:
        SettingsError: one is not KEY=VALUE.
    """
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise SettingsError(f"{option} {text!r} is not KEY=VALUE")
        found[key] = value
    return found
