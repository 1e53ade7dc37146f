"""The store of detector states: the port, and an implementation in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from processors.core.alerting.detector_state import DetectorState, Position
from processors.core.models.model import Slot

StateKey = tuple[str, str]
"""device_id and detector; a shadow's detector is followed by ``~shadow``."""

_SHADOW = "~shadow"


def state_key(device_id: str, slot: Slot) -> StateKey:
    """The key of a slot's state."""
    return device_id, slot.detector + (_SHADOW if slot.stage == "shadow" else "")


def other_key(key: StateKey) -> StateKey:
    """The key of the device and detector's other slot."""
    device_id, name = key
    return device_id, name.removesuffix(_SHADOW) if name.endswith(_SHADOW) else name + _SHADOW


@dataclass(frozen=True, slots=True)
class Change:
    """One state to store.

    Attributes:
        key: of the state.
        base: the position that the stored state is known to have; None when nothing is known to be stored.
        state: the new state; its position is not None.
    """

    key: StateKey
    base: Position | None
    state: DetectorState


class StateStore(Protocol):
    """Stores states with compare and set, and a mark for each partition of the audio topic.

    A store that loses states loses marks as well, or returns to earlier ones: an unexpected mark tells of the loss.
    """

    async def load(self, keys: Sequence[StateKey]) -> dict[StateKey, DetectorState]:
        """The stored states of these keys, in one round trip.

        Raises:
            RedisUnavailable: the store does not answer.
        """
        ...

    async def store(self, changes: Sequence[Change]) -> dict[StateKey, DetectorState]:
        """Stores every change whose base is the stored position, or is newer; in one round trip.

        Returns:
            For the changes that were refused, the state that is stored.

        Raises:
            RedisUnavailable: the store does not answer; any part may have been stored.
        """
        ...

    async def mark(self, partition: int) -> str | None:
        """A partition's mark; None where it has none.

        Raises:
            RedisUnavailable: the store does not answer.
        """
        ...

    async def replace_mark(self, partition: int, base: str | None, mark: str) -> bool:
        """Replaces a partition's mark, if it is ``base``; returns whether it was.

        Raises:
            RedisUnavailable: the store does not answer; the mark may have been replaced.
        """
        ...

    async def close(self) -> None:
        """Closes the connection."""
        ...


class MemoryStates:
    """A store in memory, for tests and for scoring files."""

    def __init__(self) -> None:
        self.states: dict[StateKey, DetectorState] = {}
        self.marks: dict[int, str] = {}

    async def load(self, keys: Sequence[StateKey]) -> dict[StateKey, DetectorState]:
        """See :class:`StateStore`."""
        return {key: self.states[key] for key in keys if key in self.states}

    async def store(self, changes: Sequence[Change]) -> dict[StateKey, DetectorState]:
        """See :class:`StateStore`."""
        refused = {}
        for change in changes:
            stored = self.states.get(change.key)
            if stored is None or stored.position is None or _may_be_replaced(stored.position, change.base):
                self.states[change.key] = change.state
            else:
                refused[change.key] = stored
        return refused

    async def mark(self, partition: int) -> str | None:
        """See :class:`StateStore`."""
        return self.marks.get(partition)

    async def replace_mark(self, partition: int, base: str | None, mark: str) -> bool:
        """See :class:`StateStore`."""
        if self.marks.get(partition) != base:
            return False
        self.marks[partition] = mark
        return True

    async def close(self) -> None:
        """See :class:`StateStore`."""


def _may_be_replaced(stored: Position, base: Position | None) -> bool:
    return base is not None and stored.session_id == base.session_id and stored.end_sample <= base.end_sample
