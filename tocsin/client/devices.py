"""The fleet as its manifests say, and which of it a pattern means."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from schemas.device import Device
from schemas.topics import DEVICES
from tocsin.client.topic_reader import read_newest

_NEAR = 5


async def read_fleet(bootstrap: str) -> dict[str, Device]:
    """The newest manifest of every device, in the order of their names.

    Raises:
        BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
    """
    return await read_newest(bootstrap, DEVICES, Device, "device manifest")


def matches(device_id: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns (``*``, ``?``, ``[..]``) is the device's; case counts."""
    return any(fnmatchcase(device_id, pattern) for pattern in patterns)


def near(names: Collection[str], patterns: Sequence[str]) -> str:
    """What a person may have meant by patterns that match nothing: a clause for a message."""
    if not names:
        return "there is no device at all: does a producer run?"
    bare = [pattern.replace("*", "").replace("?", "") for pattern in patterns]
    close = dict.fromkeys(
        name for text in bare for name in difflib.get_close_matches(text, sorted(names), _NEAR, cutoff=0.4)
    )
    inside = [name for name in sorted(names) if any(text and text in name for text in bare)]
    likely = list(dict.fromkeys([*inside, *close]))[:_NEAR] or sorted(names)[:_NEAR]
    more = len(names) - len(likely)
    return f"there are {', '.join(likely)}" + (f" and {more} more" if more > 0 else "")
