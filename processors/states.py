"""The states a worker holds: loaded once, stored after every batch, and lived on while Redis is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from processors.adapters.state_store import Change, StateKey, StateStore
from processors.core.decision import Judge, ScoredWindow, decide
from processors.core.detector_state import DetectorState, Output, Position
from schemas.errors import RedisUnavailable

_log = structlog.get_logger(__name__)
_RETRY_S = 1.0
_MAX_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class _Held:
    """A state, and the position that the store is known to have of it."""

    state: DetectorState
    stored: Position | None


class States:
    """Decides batches against stored states.

    Args:
        store: where states are kept.
        clock: seconds, monotonic; for how long an unreachable store is left alone.
    """

    def __init__(self, store: StateStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._held: dict[StateKey, _Held] = {}
        self._away_until: float | None = None

    @property
    def degraded(self) -> bool:
        """Whether the store did not answer when last asked."""
        return self._away_until is not None

    def forget(self) -> None:
        """Drops all states: their partitions may belong to another worker now."""
        # A new dictionary: a batch that is under way goes on with the old one.
        self._held = {}

    async def confirm(self) -> None:
        """Empties the outboxes: all that was decided has been sent, and the next owner need not send it again."""
        held = self._held
        changes = [
            Change(key, known.stored, known.state.model_copy(update={"outbox": ()}))
            for key, known in held.items()
            if known.state.outbox and known.stored == known.state.position
        ]
        try:
            await self._store.store(changes)
        except RedisUnavailable as error:
            _log.warning("outboxes not emptied; the last outputs will be sent again", error=str(error))

    async def apply(self, judges: Mapping[str, Judge], windows: Sequence[ScoredWindow]) -> list[Output]:
        """Decides windows in order and stores the states; returns what is to be sent.

        A state that another worker has moved on is loaded and decided anew, so that each window counts once.
        """
        held = self._held
        groups: dict[StateKey, list[ScoredWindow]] = {}
        for scored in windows:
            groups.setdefault((scored.window.device_id, scored.window.detector), []).append(scored)
        await self._load(held, [key for key in groups if key not in held])
        outputs: list[Output] = []
        for _ in range(_MAX_ROUNDS):
            degraded = self._resting()
            decided = {
                key: decide(held[key].state, judges[key[1]], group, degraded=degraded) for key, group in groups.items()
            }
            refused = await self._keep(held, {key: state for key, (state, _) in decided.items()}, degraded=degraded)
            outputs += [output for key, (_, out) in decided.items() if key not in refused for output in out]
            groups = {key: group for key, group in groups.items() if key in refused}
            if not groups:
                return outputs
        raise RedisUnavailable(f"states of {sorted(groups)} change under this worker: is its group's name shared?")

    def _resting(self) -> bool:
        return self._away_until is not None and self._clock() < self._away_until

    async def _load(self, held: dict[StateKey, _Held], keys: list[StateKey]) -> None:
        found: dict[StateKey, DetectorState] = {}
        if keys and not self._resting():
            try:
                found = await self._store.load(keys)
                self._back()
            except RedisUnavailable as error:
                self._away(error)
        for key in keys:
            state = found.get(key, DetectorState())
            held[key] = _Held(state, state.position)

    async def _keep(
        self, held: dict[StateKey, _Held], states: dict[StateKey, DetectorState], *, degraded: bool
    ) -> set[StateKey]:
        """Stores what changed; where another state stands, holds that one and returns its key."""
        changes = [
            Change(key, held[key].stored, state)
            for key, state in states.items()
            if state.position is not None and state is not held[key].state
        ]
        refused: dict[StateKey, DetectorState] = {}
        stored = False
        if changes and not degraded:
            try:
                refused = await self._store.store(changes)
                stored = True
                self._back()
            except RedisUnavailable as error:
                self._away(error)
        for change in changes:
            state = refused.get(change.key, change.state)
            held[change.key] = _Held(state, state.position if stored else change.base)
        return set(refused)

    def _away(self, error: RedisUnavailable) -> None:
        if self._away_until is None:
            _log.error("degraded: going on with the last known thresholds", error=str(error))
        self._away_until = self._clock() + _RETRY_S

    def _back(self) -> None:
        if self._away_until is not None:
            _log.info("Redis answers again")
        self._away_until = None
