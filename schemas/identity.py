"""Names and derived ids: a replay repeats every id, so that consumers can tell what they have seen."""

from __future__ import annotations

import re
import uuid

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
"""Device ids, session ids and detector names: 1 to 100 letters, digits, ``.``, ``_``, ``-``."""

_NAME = re.compile(NAME)
_ROOT = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tocsin")


def is_name(text: str) -> bool:
    """Whether ``text`` may be a device id, session id or detector name."""
    return _NAME.fullmatch(text) is not None


def window_id(device_id: str, detector: str, session_id: str, first_sample: int) -> str:
    """Id of one window's score: UUID version 5 (RFC 9562) of its place in the stream."""
    return str(uuid.uuid5(_ROOT, f"window/{device_id}/{detector}/{session_id}/{first_sample}"))


def alert_id(device_id: str, detector: str, session_id: str, first_sample: int) -> str:
    """Id of the alert that the window at ``first_sample`` opened."""
    return str(uuid.uuid5(_ROOT, f"alert/{device_id}/{detector}/{session_id}/{first_sample}"))
