"""The fleet by its manifests, and the devices that a pattern matches."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from connections.kafka import KafkaConnection
from schemas.device import Device
from schemas.topics import DEVICES
from tocsin.client.topic_reader import read_newest

_MAX_SUGGESTED = 5


async def read_fleet(bootstrap: KafkaConnection) -> dict[str, Device]:
    """The newest manifest of every device, in the order of their names.

    Raises:
        BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
    """
    return await read_newest(bootstrap, DEVICES, Device, "device manifest")


def matches(device_id: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns (``*``, ``?``, ``[..]``) matches the device; case-sensitive."""
    return any(fnmatchcase(device_id, pattern) for pattern in patterns)


def near(names: Collection[str], patterns: Sequence[str]) -> str:
    """Devices that a user may have meant by patterns without a match: a clause for an error message."""
    if not names:
        return "no device has announced itself: does a producer run?"
    bare = [pattern.replace("*", "").replace("?", "") for pattern in patterns]
    close = dict.fromkeys(
        name for text in bare for name in difflib.get_close_matches(text, sorted(names), _MAX_SUGGESTED, cutoff=0.4)
    )
    inside = [name for name in sorted(names) if any(text and text in name for text in bare)]
    likely = list(dict.fromkeys([*inside, *close]))[:_MAX_SUGGESTED] or sorted(names)[:_MAX_SUGGESTED]
    more = len(names) - len(likely)
    return f"there are {', '.join(likely)}" + (f" and {more} more" if more > 0 else "")
