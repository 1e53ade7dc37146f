"""Storing cached states: with every batch, after an outage, and with the marks that tell of losses."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import structlog

from processors.adapters.redis.state_store import Change, StateKey, StateStore
from processors.core.alerting.detector_state import DetectorState
from processors.stream.availability import Availability
from processors.stream.state_cache import HeldStates, mark_of, offset_of
from schemas.errors import RedisUnavailable

_log = structlog.get_logger(__name__)
_MARK_S = 1.0
_MAX_ROUNDS = 5
_SLICE = 500


class StateStorage:
    """A store that may be unavailable, and what of the cache it still lacks.

    Args:
        store: of the states.
        clock: seconds, monotonic.
    """

    def __init__(self, store: StateStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._owner = uuid.uuid4().hex[:12]
        self._has_backlog = False
        self._mark_at = clock()
        self.availability = Availability(clock)

    def add_backlog(self) -> None:
        """States were cached that are not stored."""
        self._has_backlog = True

    async def load(
        self, keys: Sequence[StateKey], marks: Mapping[int, str | None]
    ) -> tuple[dict[StateKey, DetectorState], set[int]] | None:
        """The stored states of these keys; None where the store does not answer.

        Args:
            keys: of states.
            marks: expected, by partition.

        Returns:
            The states, and the partitions that have other marks.
        """
        if self.availability.in_pause:
            return None
        try:
            found = await self._store.load(keys)
            # Looked at afterwards: a store that has lost nothing by now had lost nothing when it was read.
            lost = {number for number, mark in marks.items() if await self._store.mark(number) != mark}
        except RedisUnavailable as error:
            self.availability.away(error)
            return None
        return found, lost

    async def mark(self, number: int) -> tuple[bool, str | None]:
        """Whether the store answers, and a partition's mark in it."""
        if self.availability.in_pause:
            return False, None
        try:
            return True, await self._store.mark(number)
        except RedisUnavailable as error:
            self.availability.away(error)
            return False, None

    async def store_changed(self, held: HeldStates, states: Mapping[StateKey, DetectorState]) -> set[StateKey]:
        """Caches changed states and stores them; returns the keys of those that another worker has stored newer."""
        cache = held.cache
        changed = {key: state for key, state in states.items() if state is not cache[key].state}
        if not changed:
            return set()
        before = {key: cache[key] for key in changed}
        cache |= {key: replace(one, state=changed[key]) for key, one in before.items()}
        if self.availability.in_pause:
            self.add_backlog()
            return set()
        try:
            refused = await self._store.store(
                [Change(key, before[key].stored, state) for key, state in changed.items()]
            )
        except RedisUnavailable as error:
            self.availability.away(error)
            self.add_backlog()
            return set()
        self.availability.back()
        for key, state in changed.items():
            if key in refused:
                cache[key] = before[key].after_refusal(refused[key])
            else:
                cache[key] = replace(cache[key], stored=state.position)
        await self.catch_up(held)
        return set(refused)

    async def catch_up(self, held: HeldStates) -> None:
        """Stores what is not stored yet, and the marks that say so; nothing where the store does not answer."""
        if not self.availability.in_pause:
            await self._store_backlog(held)
            await self._advance_marks(held)

    async def _store_backlog(self, held: HeldStates) -> None:
        """Stores the states that an outage has left unstored, also of devices that have fallen silent since."""
        if not self._has_backlog:
            return
        rebuilt = {number for number, one in held.partitions.items() if one.store_away}
        keys = [key for key, one in held.cache.items() if not one.is_stored and one.partition not in rebuilt]
        try:
            keys = await self._store_cached(held, keys)
        except RedisUnavailable as error:
            self.availability.away(error)
            return
        # Those rebuilt without the store are stored once it was asked what it holds of them.
        self._has_backlog = bool(keys or rebuilt)
        self.availability.back()

    async def store_recovered(self, held: HeldStates, number: int, keys: Iterable[StateKey]) -> bool:
        """Stores a partition's states, then its mark; returns False where another worker did so meanwhile."""
        known = held.partitions[number]
        mark = mark_of(known.logged, self._owner)
        try:
            left = await self._store_cached(held, [key for key in keys if not held.cache[key].is_stored])
            if left or not await self._store.replace_mark(number, known.mark, mark):
                return False
        except RedisUnavailable as error:
            self.availability.away(error)
            self.add_backlog()
            return True
        known.mark = mark
        self.availability.back()
        return True

    async def empty_outboxes(self, held: HeldStates) -> None:
        """Stores all states without outputs: they have been sent, and the next owner need not send them again."""
        await self._store_backlog(held)
        changes = [
            Change(key, one.stored, one.state.model_copy(update={"outbox": ()}))
            for key, one in held.cache.items()
            if one.state.outbox and one.is_stored
        ]
        try:
            for start in range(0, len(changes), _SLICE):
                await self._store.store(changes[start : start + _SLICE])
        except RedisUnavailable as error:
            _log.warning("outboxes not emptied; the last outputs will be sent again", error=str(error))

    async def _store_cached(self, held: HeldStates, keys: Sequence[StateKey]) -> list[StateKey]:
        """Stores cached states; returns the keys of those that another worker was storing as well.

        Raises:
            RedisUnavailable: the store does not answer.
        """
        cache = held.cache
        left = [key for key in keys if cache[key].state.position is not None]
        for _ in range(_MAX_ROUNDS):
            if not left:
                break
            for start in range(0, len(left), _SLICE):
                sent = {key: cache[key] for key in left[start : start + _SLICE]}
                refused = await self._store.store([Change(key, one.stored, one.state) for key, one in sent.items()])
                for key, one in sent.items():
                    is_refused = key in refused
                    cache[key] = (
                        one.after_refusal(refused[key]) if is_refused else replace(one, stored=one.state.position)
                    )
            left = [key for key in left if not cache[key].is_stored]
        return left

    async def _advance_marks(self, held: HeldStates) -> None:
        """Once a second: the stored states include all that was sent. An unexpected mark tells of a loss."""
        if self._has_backlog or self._clock() < self._mark_at:
            return
        self._mark_at = self._clock() + _MARK_S
        try:
            for number, known in held.partitions.items():
                if not known.whole or known.logged <= (offset_of(known.mark) or 0):
                    continue
                mark = mark_of(known.logged, self._owner)
                if await self._store.replace_mark(number, known.mark, mark):
                    known.mark = mark
                else:
                    _log.warning("Redis has lost states, or another worker has taken over", partition=number)
                    known.whole = False
        except RedisUnavailable as error:
            self.availability.away(error)
