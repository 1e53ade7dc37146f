"""What a worker holds of states: those it has cached, and how much of each partition it knows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from processors.adapters.redis.state_store import StateKey
from processors.core.alerting.detector_state import DetectorState, Position

_MAX_CACHED = 20_000


@dataclass(frozen=True, slots=True)
class CachedState:
    """A state as this worker knows it.

    Attributes:
        state: the newest.
        stored: the position that the store is known to have; None when nothing is known to be stored.
        partition: of the audio topic.
        from_log: it was rebuilt from scores alone, while the store did not answer.
    """

    state: DetectorState
    stored: Position | None
    partition: int
    from_log: bool = False

    @property
    def is_stored(self) -> bool:
        """Whether the store has this state."""
        return self.stored == self.state.position

    def after_refusal(self, theirs: DetectorState) -> CachedState:
        """What to cache once the store has refused this state because it holds another: the one that is ahead."""
        state = self.state if is_ahead(self.state, theirs) else theirs
        return replace(self, state=state, stored=theirs.position)


def is_ahead(one: DetectorState, other: DetectorState) -> bool:
    """Whether a state has applied the last window of another of the same key, and more."""
    if other.position is None or one.position == other.position:
        return other.position is None
    return one.is_applied(*other.position)


@dataclass(slots=True)
class PartitionStates:
    """What is known of the states of a partition of the audio topic.

    Attributes:
        mark: in the store, when last seen; None where it had none.
        logged: the states, cached and stored, include the scores before this offset of the log.
        whole: in this assignment they were found or made whole, and no loss was noticed since.
        store_away: they were rebuilt while the store did not answer. What it holds is not included.
    """

    mark: str | None
    logged: int
    whole: bool = False
    store_away: bool = False


@dataclass(slots=True)
class HeldStates:
    """All a worker holds in one assignment of partitions.

    Attributes:
        cache: states by key.
        partitions: by number.
    """

    cache: dict[StateKey, CachedState] = field(default_factory=dict)
    partitions: dict[int, PartitionStates] = field(default_factory=dict)

    def after_rebalance(self, *, degraded: bool) -> HeldStates:
        """What remains: states that are not stored, or all of them while the store is unavailable.

        Another worker may have continued each of them meanwhile; recovery finds out.
        """
        return HeldStates(
            {key: one for key, one in self.cache.items() if degraded or not one.is_stored},
            {
                number: PartitionStates(one.mark, one.logged)
                for number, one in self.partitions.items()
                if not one.store_away
            },
        )

    def evict(self) -> None:
        """Drops stored states beyond a bound, the oldest first; they are loaded again when needed."""
        if len(self.cache) > _MAX_CACHED:
            stored = [key for key, known in self.cache.items() if known.is_stored]
            for key in stored[: len(self.cache) - _MAX_CACHED]:
                del self.cache[key]


def mark_of(offset: int, owner: str) -> str:
    """A partition's mark: the stored states include the log's scores before an offset, says its owner."""
    return f"{offset}:{owner}"


def offset_of(mark: str | None) -> int | None:
    """The offset of a mark; None where there is no mark, or one that cannot be read."""
    if mark is None:
        return None
    offset = mark.partition(":")[0]
    return int(offset) if offset.isascii() and offset.isdigit() else None
