"""Names and derived ids: a replay repeats every id, so that consumers can recognise duplicates."""

from __future__ import annotations

import hashlib
import re
import uuid

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
"""Device ids, session ids and detector names: 1 to 100 letters, digits, ``.``, ``_``, ``-``."""

REGIME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}"
"""Operating regimes: 1 to 32 letters, digits, ``.``, ``_``, ``-``."""

_NAME, _REGIME = re.compile(NAME), re.compile(REGIME)
_ROOT = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tocsin")


def is_name(text: str) -> bool:
    """Whether ``text`` may be a device id, session id or detector name."""
    return _NAME.fullmatch(text) is not None


def is_regime(text: str) -> bool:
    """Whether ``text`` may name an operating regime."""
    return _REGIME.fullmatch(text) is not None


def window_id(
    device_id: str, detector: str, session_id: str, first_sample: int, n_samples: int, *, shadow: bool = False
) -> str:
    """Id of one window's score: UUID version 5 (RFC 9562) of its position in the stream.

    The length is part of the position: a model with longer windows may take over and begin where an earlier one began.
    A shadow's score of the same window has an id of its own.
    """
    position = f"{device_id}/{detector}/{session_id}/{first_sample}+{n_samples}"
    return _uuid5(f"{'shadow' if shadow else 'window'}/{position}")


def alert_id(device_id: str, detector: str, session_id: str, first_sample: int, n_samples: int) -> str:
    """Id of the alert that a window opened; see :func:`window_id`."""
    return _uuid5(f"alert/{device_id}/{detector}/{session_id}/{first_sample}+{n_samples}")


def _uuid5(name: str) -> str:
    """``str(uuid.uuid5(_ROOT, name))`` in half the time: every window has an id."""
    digest = bytearray(hashlib.sha1(_ROOT.bytes + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
