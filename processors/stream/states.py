"""The states a worker holds: loaded once, stored after every batch, and lived on while Redis is away."""

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
_MAX_HELD = 20_000
_MAX_ATTEMPTS = 1_000
_SLICE = 500
_MOST_PEERS = 64


@dataclass(frozen=True, slots=True)
class _Held:
    """A state as this worker knows it.

    Attributes:
        state: the newest.
        stored: the position the store is known to have; None when nothing is known to be stored.
        attempts: positions sent to the store without an answer since; one of them may stand there.
    """

    state: DetectorState
    stored: Position | None
    attempts: tuple[Position, ...] = ()

    @property
    def is_stored(self) -> bool:
        return self.stored == self.state.position


def _nothing_said(device_id: str, detector: str) -> Sequence[OperatorFeedback]:  # noqa: ARG001
    return ()


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
        self._behind = False

    @property
    def degraded(self) -> bool:
        """Whether the store did not answer when last asked."""
        return self._away_until is not None

    def forget(self) -> None:
        """Drops what the store has: the partitions may belong to another worker now.

        What it does not have is kept, else an outage and a rebalance together would forget open alerts; should
        another worker have gone on meanwhile, the store refuses ours.
        """
        # A new dictionary: a batch that is under way goes on with the old one.
        self._held = {key: held for key, held in self._held.items() if self.degraded or not held.is_stored}

    async def confirm(self) -> None:
        """Empties the outboxes: all that was decided has been sent, and the next owner need not send it again."""
        await self._catch_up(self._held)
        changes = [
            Change(key, held.stored, held.state.model_copy(update={"outbox": ()}))
            for key, held in self._held.items()
            if held.state.outbox and held.is_stored
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
        feedback_of: Callable[[str, str], Sequence[OperatorFeedback]] = _nothing_said,
    ) -> list[Output]:
        """Decides windows in order and stores the states; returns what is to be sent.

        Args:
            context_of: what decides on a window.
            windows: scored, those of one device and slot in order.
            feedback_of: what people have said of a device's detector.

        One round trip loads, one stores; a device that is met for the first time needs both, one whose model changes
        may need its other slot's state besides. A state that another worker has moved on is loaded and decided anew, so
        that each window counts once.
        """
        held = self._held
        groups: dict[StateKey, list[ScoredWindow]] = {}
        for scored in windows:
            groups.setdefault(state_key(scored.window.device_id, scored.window.slot), []).append(scored)
        await self._load(held, [key for key in groups if key not in held])
        outputs: list[Output] = []
        for _ in range(_MAX_ROUNDS):
            await self._load(held, [key for key in _turning(held, groups) if key not in held])
            degraded = self.degraded
            decided = {
                key: decide(
                    held[key].state,
                    context_of,
                    group,
                    other=_other(held, key),
                    peers=_peers(held, key, group),
                    feedback=feedback_of(*key),
                    degraded=degraded,
                )
                for key, group in groups.items()
            }
            refused = await self._keep(held, {key: state for key, (state, _) in decided.items()})
            if self.degraded and not degraded:
                continue  # decided again, and marked
            outputs += [output for key, (_, out) in decided.items() if key not in refused for output in out]
            groups = {key: group for key, group in groups.items() if key in refused}
            if not groups:
                _shrink(held)
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

    async def _keep(self, held: dict[StateKey, _Held], states: dict[StateKey, DetectorState]) -> set[StateKey]:
        """Stores what changed and holds it; where another state stands, takes note of that and returns its key.

        When the store falls silent in this very call, nothing new is held: the caller decides again.
        """
        changed = {key: state for key, state in states.items() if state is not held[key].state}
        changes = [Change(key, held[key].stored, state) for key, state in changed.items()]
        if not changes:
            return set()
        if self._resting():
            self._hold_unstored(held, changed)
            return set()
        was_away = self.degraded
        try:
            refused = await self._store.store(changes)
        except RedisUnavailable as error:
            self._away(error)
            for key, state in changed.items():
                if state.position is not None:
                    attempts = (*held[key].attempts, state.position)[-_MAX_ATTEMPTS:]
                    held[key] = _Held(held[key].state, held[key].stored, attempts)
            if was_away:
                self._hold_unstored(held, changed)
            return set()
        self._back()
        for key, state in changed.items():
            held[key] = _Held(state, state.position) if key not in refused else _standing(held[key], refused[key])
        await self._catch_up(held)
        return set(refused)

    async def _catch_up(self, held: dict[StateKey, _Held]) -> None:
        """Stores what an outage has left behind, also of devices that have fallen silent since."""
        if not self._behind:
            return
        late = [key for key, one in held.items() if not one.is_stored]
        try:
            for start in range(0, len(late), _SLICE):
                keys = late[start : start + _SLICE]
                refused = await self._store.store([Change(key, held[key].stored, held[key].state) for key in keys])
                for key in keys:
                    one = held[key]
                    held[key] = _standing(one, refused[key]) if key in refused else _Held(one.state, one.state.position)
            self._behind = False
        except RedisUnavailable as error:
            self._away(error)

    def _hold_unstored(self, held: dict[StateKey, _Held], states: dict[StateKey, DetectorState]) -> None:
        self._behind = True
        for key, state in states.items():
            held[key] = _Held(state, held[key].stored, held[key].attempts)

    def _away(self, error: RedisUnavailable) -> None:
        if self._away_until is None:
            _log.error("degraded: going on with the last known thresholds", error=str(error))
        self._away_until = self._clock() + _RETRY_S

    def _back(self) -> None:
        if self._away_until is not None:
            _log.info("Redis answers again")
        self._away_until = None


def _turning(held: Mapping[StateKey, _Held], groups: Mapping[StateKey, Sequence[ScoredWindow]]) -> list[StateKey]:
    """The other slots of those whose model changes: what is known of the new one may stand there."""
    return [
        other_key(key)
        for key, group in groups.items()
        if (model := held[key].state.model_sha256) and any(scored.window.model.ref.sha256 != model for scored in group)
    ]


def _peers(held: Mapping[StateKey, _Held], key: StateKey, group: Sequence[ScoredWindow]) -> list[Reference]:
    """What other devices have heard through a model that begins on this one."""
    state = held[key].state
    begins = {scored.window.model.ref.sha256 for scored in group} - {state.model_sha256}
    if not begins:
        return []
    known = (one.state.current_model for other, one in held.items() if other != key and other[1] == key[1])
    references = (
        current.block_state.reference for current in known if current is not None and current.sha256 in begins
    )
    return list(islice((one for one in references if one is not None and one.blocks >= BLOCKS_PER_DAY), _MOST_PEERS))


def _other(held: Mapping[StateKey, _Held], key: StateKey) -> DetectorState | None:
    known = held.get(other_key(key))
    return None if known is None else known.state


def _standing(held: _Held, there: DetectorState) -> _Held:
    """What to hold once the store has refused: what stands there, or ours where that is our own earlier attempt."""
    if there.position is not None and there.position in held.attempts:
        return _Held(held.state, there.position)
    return _Held(there, there.position)


def _shrink(held: dict[StateKey, _Held]) -> None:
    """Lets go of stored states beyond a bound, those met first; they are loaded again when they are needed."""
    if len(held) > _MAX_HELD:
        for key in [key for key, known in held.items() if known.is_stored][: len(held) - _MAX_HELD]:
            del held[key]
