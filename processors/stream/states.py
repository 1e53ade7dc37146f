"""A worker's states: loaded once, stored after every batch, and cached while Redis is unavailable."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import structlog

from processors.adapters.redis.state_store import Change, StateKey, StateStore, other_key, state_key
from processors.core.alerting.decision import ScoredWindow, decide
from processors.core.alerting.decision_context import DecisionContext
from processors.core.alerting.detector_state import DetectorState, Output, Position
from processors.core.alerting.operator_feedback import OperatorFeedback
from processors.core.threshold.budget import BLOCKS_PER_DAY
from processors.core.threshold.reference import Reference
from processors.core.windowing.window import Window
from schemas.errors import RedisUnavailable

_log = structlog.get_logger(__name__)
_RETRY_S = 1.0
_MAX_ROUNDS = 5
_MAX_CACHED = 20_000
_MAX_ATTEMPTS = 1_000
_SLICE = 500
_MAX_PEERS = 64


@dataclass(frozen=True, slots=True)
class _Cached:
    """A state as this worker knows it.

    Attributes:
        state: the newest.
        stored: the position that the store is known to have; None when nothing is known to be stored.
        attempts: positions sent to the store without an answer since; one of them may be stored.
    """

    state: DetectorState
    stored: Position | None
    attempts: tuple[Position, ...] = ()

    @property
    def is_stored(self) -> bool:
        return self.stored == self.state.position


def _no_feedback(device_id: str, detector: str) -> Sequence[OperatorFeedback]:  # noqa: ARG001
    return ()


class States:
    """Decides batches against stored states.

    Args:
        store: of the states.
        clock: seconds, monotonic; for the pause before an unreachable store is tried again.
    """

    def __init__(self, store: StateStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._cache: dict[StateKey, _Cached] = {}
        self._retry_at: float | None = None
        self._away_since: float | None = None
        self._away_s = 0.0
        self._has_backlog = False

    @property
    def degraded(self) -> bool:
        """Whether the store did not answer when last asked."""
        return self._retry_at is not None

    @property
    def degraded_s(self) -> float:
        """Seconds in all for which the store did not answer."""
        since = self._away_since
        return self._away_s if since is None else self._away_s + self._clock() - since

    @property
    def cached(self) -> int:
        """States held in memory."""
        return len(self._cache)

    def forget(self) -> None:
        """Drops the states that are stored: the partitions may belong to another worker now.

        Those that are not are kept, else an outage and a rebalance together would forget open alerts; where another
        worker has continued meanwhile, the store refuses ours.
        """
        # A new dictionary: a running batch continues with the old one.
        self._cache = {key: one for key, one in self._cache.items() if self.degraded or not one.is_stored}

    async def confirm(self) -> None:
        """Empties the outboxes: all outputs have been sent, and the next owner need not send them again."""
        await self._store_backlog(self._cache)
        changes = [
            Change(key, one.stored, one.state.model_copy(update={"outbox": ()}))
            for key, one in self._cache.items()
            if one.state.outbox and one.is_stored
        ]
        try:
            for start in range(0, len(changes), _SLICE):
                await self._store.store(changes[start : start + _SLICE])
        except RedisUnavailable as error:
            _log.warning("outboxes not emptied; the last outputs will be sent again", error=str(error))

    async def apply(
        self,
        context_of: Callable[[Window], DecisionContext],
        windows: Sequence[ScoredWindow],
        feedback_of: Callable[[str, str], Sequence[OperatorFeedback]] = _no_feedback,
    ) -> list[Output]:
        """Decides windows in order and stores the states; returns what is to be sent.

        Args:
            context_of: the decision context of a window.
            windows: scored, those of one device and slot in order.
            feedback_of: the operators' feedback on a device's detector.

        One round trip loads, one stores; a device without a cached state needs both, one whose model changes may need
        its other slot's state as well. Where another worker has stored a newer state, that is loaded and the windows
        are decided anew, so that each window counts once.
        """
        cache = self._cache
        groups: dict[StateKey, list[ScoredWindow]] = {}
        for scored in windows:
            groups.setdefault(state_key(scored.window.device_id, scored.window.slot), []).append(scored)
        await self._load(cache, [key for key in groups if key not in cache])
        outputs: list[Output] = []
        for _ in range(_MAX_ROUNDS):
            await self._load(cache, [key for key in _changing_models(cache, groups) if key not in cache])
            degraded = self.degraded
            decided = {
                key: decide(
                    cache[key].state,
                    context_of,
                    group,
                    other=_other(cache, key),
                    peers=_peers(cache, key, group),
                    feedback=feedback_of(*key),
                    degraded=degraded,
                )
                for key, group in groups.items()
            }
            refused = await self._store_changed(cache, {key: state for key, (state, _) in decided.items()})
            if self.degraded and not degraded:
                continue  # decided again, marked as degraded
            outputs += [output for key, (_, out) in decided.items() if key not in refused for output in out]
            groups = {key: group for key, group in groups.items() if key in refused}
            if not groups:
                _evict(cache)
                return outputs
        raise RedisUnavailable(f"states of {sorted(groups)} change under this worker: is its group's name shared?")

    def _in_retry_pause(self) -> bool:
        return self._retry_at is not None and self._clock() < self._retry_at

    async def _load(self, cache: dict[StateKey, _Cached], keys: list[StateKey]) -> None:
        found: dict[StateKey, DetectorState] = {}
        if keys and not self._in_retry_pause():
            try:
                found = await self._store.load(keys)
                self._mark_available()
            except RedisUnavailable as error:
                self._mark_unavailable(error)
        for key in keys:
            state = found.get(key, DetectorState())
            cache[key] = _Cached(state, state.position)

    async def _store_changed(
        self, cache: dict[StateKey, _Cached], states: dict[StateKey, DetectorState]
    ) -> set[StateKey]:
        """Stores changed states and caches them; where another state is stored, caches that and returns its key.

        When the store becomes unavailable in this very call, nothing new is cached: the caller decides again.
        """
        changed = {key: state for key, state in states.items() if state is not cache[key].state}
        changes = [Change(key, cache[key].stored, state) for key, state in changed.items()]
        if not changes:
            return set()
        if self._in_retry_pause():
            self._cache_unstored(cache, changed)
            return set()
        was_away = self.degraded
        try:
            refused = await self._store.store(changes)
        except RedisUnavailable as error:
            self._mark_unavailable(error)
            for key, state in changed.items():
                if state.position is not None:
                    attempts = (*cache[key].attempts, state.position)[-_MAX_ATTEMPTS:]
                    cache[key] = _Cached(cache[key].state, cache[key].stored, attempts)
            if was_away:
                self._cache_unstored(cache, changed)
            return set()
        self._mark_available()
        for key, state in changed.items():
            cache[key] = (
                _Cached(state, state.position) if key not in refused else _after_refusal(cache[key], refused[key])
            )
        await self._store_backlog(cache)
        return set(refused)

    async def _store_backlog(self, cache: dict[StateKey, _Cached]) -> None:
        """Stores the states that an outage has left unstored, also of devices that have fallen silent since."""
        if not self._has_backlog:
            return
        backlog = [key for key, one in cache.items() if not one.is_stored]
        try:
            for start in range(0, len(backlog), _SLICE):
                keys = backlog[start : start + _SLICE]
                refused = await self._store.store([Change(key, cache[key].stored, cache[key].state) for key in keys])
                for key in keys:
                    one = cache[key]
                    cache[key] = (
                        _after_refusal(one, refused[key]) if key in refused else _Cached(one.state, one.state.position)
                    )
            self._has_backlog = False
        except RedisUnavailable as error:
            self._mark_unavailable(error)

    def _cache_unstored(self, cache: dict[StateKey, _Cached], states: dict[StateKey, DetectorState]) -> None:
        self._has_backlog = True
        for key, state in states.items():
            cache[key] = _Cached(state, cache[key].stored, cache[key].attempts)

    def _mark_unavailable(self, error: RedisUnavailable) -> None:
        if self._retry_at is None:
            _log.error("degraded: continuing with the last known thresholds", error=str(error))
            self._away_since = self._clock()
        self._retry_at = self._clock() + _RETRY_S

    def _mark_available(self) -> None:
        if self._retry_at is not None:
            _log.info("Redis answers again")
            self._away_s, self._away_since = self.degraded_s, None
        self._retry_at = None


def _changing_models(
    cache: Mapping[StateKey, _Cached], groups: Mapping[StateKey, Sequence[ScoredWindow]]
) -> list[StateKey]:
    """The other slots of those whose model changes: they may hold a calibration of the new model."""
    return [
        other_key(key)
        for key, group in groups.items()
        if (model := cache[key].state.model_sha256) and any(scored.window.model.ref.sha256 != model for scored in group)
    ]


def _peers(cache: Mapping[StateKey, _Cached], key: StateKey, group: Sequence[ScoredWindow]) -> list[Reference]:
    """References of other devices with a model that begins on this one."""
    state = cache[key].state
    begins = {scored.window.model.ref.sha256 for scored in group} - {state.model_sha256}
    if not begins:
        return []
    known = (one.state.current_model for other, one in cache.items() if other != key and other[1] == key[1])
    references = (
        learned.block_state.reference for learned in known if learned is not None and learned.sha256 in begins
    )
    return list(islice((one for one in references if one is not None and one.blocks >= BLOCKS_PER_DAY), _MAX_PEERS))


def _other(cache: Mapping[StateKey, _Cached], key: StateKey) -> DetectorState | None:
    known = cache.get(other_key(key))
    return None if known is None else known.state


def _after_refusal(ours: _Cached, stored: DetectorState) -> _Cached:
    """The state to cache once the store has refused: the stored one, or ours where that is our own earlier attempt."""
    if stored.position is not None and stored.position in ours.attempts:
        return _Cached(ours.state, stored.position)
    return _Cached(stored, stored.position)


def _evict(cache: dict[StateKey, _Cached]) -> None:
    """Drops stored states beyond a bound, the oldest first; they are loaded again when needed."""
    if len(cache) > _MAX_CACHED:
        for key in [key for key, known in cache.items() if known.is_stored][: len(cache) - _MAX_CACHED]:
            del cache[key]
