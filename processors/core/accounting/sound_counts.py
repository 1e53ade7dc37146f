"""Sound accounting: every sample a worker receives is scored, refused or skipped, or still pending."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

Outcome = Literal["received", "scored", "refused", "skipped", "missing"]
"""What became of samples; ``missing`` ones were never received: the session's numbering leaves them out."""

MAX_DEVICES = 10_000
OTHER_DEVICES = "other"
"""Where devices beyond :data:`MAX_DEVICES` are counted together; not a device id that is counted alone."""


class SoundKey(NamedTuple):
    """What a number of samples is counted under.

    Attributes:
        outcome: what became of them.
        reason: of ``refused`` and ``skipped``; "" otherwise.
        sample_rate: Hz.
    """

    outcome: Outcome
    reason: str
    sample_rate: int


class SoundCounts:
    """Samples per channel by device, outcome, reason and rate.

    At any moment, for every device: received = scored + refused + skipped + pending, where pending samples wait for
    the rest of their window.
    """

    def __init__(self) -> None:
        self._devices: dict[str, dict[SoundKey, int]] = {}

    def add(self, device_id: str, outcome: Outcome, sample_rate: int, samples: int, reason: str = "") -> None:
        """Counts samples of a device; nothing where there are none."""
        if samples <= 0:
            return
        counts = self._devices.get(device_id)
        if counts is None:
            if len(self._devices) >= MAX_DEVICES:
                device_id = OTHER_DEVICES
            counts = self._devices.setdefault(device_id, {})
        key = SoundKey(outcome, reason, sample_rate)
        counts[key] = counts.get(key, 0) + samples

    def items(self) -> Iterator[tuple[str, SoundKey, int]]:
        """Device, key and samples of every count; safe in another thread than the one that counts."""
        for device_id, counts in list(self._devices.items()):
            for key, samples in list(counts.items()):
                yield device_id, key, samples

    def samples(self, device_id: str, outcome: Outcome) -> int:
        """Samples of a device with an outcome, at any rate and for any reason."""
        return sum(n for key, n in self._devices.get(device_id, {}).items() if key.outcome == outcome)

    def pending(self, device_id: str) -> int:
        """Samples of a device that were received and have no outcome yet."""
        settled = sum(self.samples(device_id, outcome) for outcome in ("scored", "refused", "skipped"))
        return self.samples(device_id, "received") - settled
