"""A worker's states: made whole once, stored after every batch, and cached while Redis is unavailable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import structlog
from aiokafka.errors import KafkaError

from processors.adapters.redis.state_store import StateKey, StateStore, state_key
from processors.core.alerting.decision import ScoredWindow, decide
from processors.core.alerting.decision_context import DecisionContext
from processors.core.alerting.detector_state import DetectorState, Output
from processors.core.alerting.operator_feedback import OperatorFeedback
from processors.core.windowing.window import Window
from processors.stream.rebuild import Base, Rebuilt, StateRebuild
from processors.stream.state_cache import CachedState, HeldStates, PartitionStates, is_ahead, offset_of
from processors.stream.state_neighbours import changing_models, other_slot, peers_of
from processors.stream.state_storage import StateStorage
from schemas.alert import Alert
from schemas.errors import RedisUnavailable

_log = structlog.get_logger(__name__)
_MAX_ROUNDS = 5
_KAFKA_RETRY_S = 1.0


def _no_feedback(device_id: str, detector: str) -> Sequence[OperatorFeedback]:  # noqa: ARG001
    return ()


class States:
    """Decides batches against stored states.

    The log of scores is the truth. The store holds the states it leads to, and for each partition a mark: the offset
    up to which they include the log. A partition's states are made whole before its first window is decided in an
    assignment, and again when the mark in the store is not the one that this worker has set.

    Args:
        store: of the states.
        clock: seconds, monotonic.
        rebuild: reads states back from the log; None where there is no log: then the store is taken as it is.
    """

    def __init__(
        self,
        store: StateStore,
        clock: Callable[[], float] = time.monotonic,
        rebuild: StateRebuild | None = None,
    ) -> None:
        self._store = store
        self._rebuild = rebuild
        self._storage = StateStorage(store, clock)
        self._held = HeldStates()
        self._rebuilds = 0

    @property
    def degraded(self) -> bool:
        """Whether the store did not answer when last asked."""
        return self._storage.availability.is_away

    @property
    def degraded_s(self) -> float:
        """How long the store has been unavailable so far, in all, seconds."""
        return self._storage.availability.away_seconds

    @property
    def cached(self) -> int:
        """States held in memory."""
        return len(self._held.cache)

    @property
    def rebuilds(self) -> int:
        """How often a partition's states were brought up to the log."""
        return self._rebuilds

    def forget(self) -> None:
        """Drops the states that are stored: the partitions may belong to another worker now.

        Those that are not are kept, else an outage and a rebalance together would forget what was decided.
        """
        # A new object: a running batch continues with the old one.
        self._held = self._held.after_rebalance(degraded=self.degraded)

    def sent(self, ends: Mapping[int, int]) -> None:
        """Takes note that outputs were confirmed.

        Args:
            ends: the offset after the last score of each partition of the audio topic.
        """
        for number, end in ends.items():
            if (known := self._held.partitions.get(number)) is not None:
                known.logged = max(known.logged, end)

    async def confirm(self) -> None:
        """Empties the outboxes: all outputs have been sent, and the next owner need not send them again."""
        await self._storage.empty_outboxes(self._held)

    async def catch_up(self) -> None:
        """Stores what an outage has left unstored; to be called while there is nothing to decide."""
        if await self.recover(()):
            await self._storage.catch_up(self._held)

    async def recover(self, partitions: Iterable[int]) -> bool:
        """Makes the states of partitions whole, where they are not.

        Returns:
            False where the partitions were revoked meanwhile: nothing may be decided.

        Raises:
            aiokafka.errors.KafkaError: Kafka does not answer.
        """
        held = self._held
        if self._rebuild is None:
            return True
        again = (
            set()
            if self._storage.availability.in_pause
            else {n for n, one in held.partitions.items() if one.store_away}
        )
        for number in sorted({*partitions, *again}):
            known = held.partitions.get(number)
            if known is None or not known.whole or number in again:
                await self._recover(self._rebuild, held, number)
            if self._held is not held:
                return False
        return True

    async def apply(
        self,
        context_of: Callable[[Window], DecisionContext],
        windows: Sequence[ScoredWindow],
        feedback_of: Callable[[str, str], Sequence[OperatorFeedback]] = _no_feedback,
        silenced: Mapping[StateKey, Alert] = MappingProxyType({}),
    ) -> list[Output]:
        """Decides windows in order and stores the states; returns what is to be sent.

        Args:
            context_of: the decision context of a window.
            windows: scored, those of one device and slot in order.
            feedback_of: the operators' feedback on a device's detector.
            silenced: closing revisions, see :func:`processors.core.alerting.decision.decide`.

        One round trip loads, one stores; a device without a cached state needs both, one whose model changes may need
        its other slot's state as well. Where another worker has stored a newer state, that is loaded and the windows
        are decided anew, so that each window counts once. Where the store does not answer, a decision is sent as it
        is: the store may have it.
        """
        held = self._held
        partition_of = {scored.window.device_id: scored.partition for scored in windows}
        if not await self.recover(partition_of.values()):
            return []
        cache = held.cache
        groups: dict[StateKey, list[ScoredWindow]] = {}
        for scored in windows:
            groups.setdefault(state_key(scored.window.device_id, scored.window.slot), []).append(scored)
        await self._load(held, list(groups), partition_of)
        outputs: list[Output] = []
        for _ in range(_MAX_ROUNDS):
            await self._load(held, changing_models(cache, groups), partition_of)
            if self._held is not held:
                return []
            degraded = self.degraded
            decided = {
                key: decide(
                    cache[key].state,
                    context_of,
                    group,
                    other=other_slot(cache, key),
                    peers=peers_of(cache, key, group),
                    feedback=feedback_of(*key),
                    degraded=degraded,
                    silenced=silenced.get(key),
                )
                for key, group in groups.items()
            }
            refused = await self._storage.store_changed(held, {key: state for key, (state, _) in decided.items()})
            outputs += [output for key, (_, out) in decided.items() if key not in refused for output in out]
            groups = {key: group for key, group in groups.items() if key in refused}
            if not groups:
                held.evict()
                return outputs
        raise RedisUnavailable(f"states of {sorted(groups)} change under this worker: is its group's name shared?")

    async def _load(self, held: HeldStates, keys: Sequence[StateKey], partition_of: Mapping[str, int]) -> None:
        """Caches states that are not cached; those found nowhere are new."""
        for _ in range(_MAX_ROUNDS):
            missing = [key for key in keys if key not in held.cache]
            if not missing:
                return
            numbers = {partition_of[device_id] for device_id, _ in missing} if self._rebuild is not None else set()
            answer = await self._storage.load(missing, {number: held.partitions[number].mark for number in numbers})
            found: dict[StateKey, DetectorState] = {}
            if answer is None:
                lost = {number for number in numbers if not held.partitions[number].store_away}
            else:
                found, lost = answer
            if not lost:
                for key in missing:
                    state = found.get(key, DetectorState())
                    held.cache[key] = CachedState(state, state.position, partition_of[key[0]])
                return
            for number in lost:
                held.partitions[number].whole = False
            if not await self.recover(lost):
                return
        raise RedisUnavailable("the store loses states again and again: is another program deleting its keys?")

    async def _recover(self, rebuild: StateRebuild, held: HeldStates, number: int) -> None:
        """Brings a partition's states up to the log, and stores them with a mark of this worker's."""
        for _ in range(_MAX_ROUNDS):
            known = held.partitions.get(number)
            answered, mark = await self._storage.mark(number)
            if not answered and known is not None and known.whole and known.store_away:
                return
            try:
                found = await self._read(rebuild, held, number, mark, answered=answered)
            except RedisUnavailable as error:
                self._storage.availability.away(error)
                continue
            if found is None:
                return
            self._rebuilds += 1
            held.partitions[number] = PartitionStates(mark, found.end, whole=True, store_away=not answered)
            held.cache |= {
                key: CachedState(state, found.bases[key].stored, number, from_log=not answered)
                for key, state in found.states.items()
            }
            if not answered:
                self._storage.add_backlog()
                return
            if await self._storage.store_recovered(held, number, list(found.states)):
                return
        _log.warning("another worker stores the states of this partition as well", partition=number)

    async def _read(
        self, rebuild: StateRebuild, held: HeldStates, number: int, mark: str | None, *, answered: bool
    ) -> Rebuilt | None:
        """A partition's states as the log has them; None where the partitions were revoked meanwhile.

        Raises:
            RedisUnavailable: the store does not answer.
        """

        async def bases_of(keys: Sequence[StateKey]) -> dict[StateKey, Base]:
            stored = await self._store.load(keys) if answered and keys else {}
            return {key: _base(held.cache.get(key), stored.get(key), has_mark=mark is not None) for key in keys}

        while self._held is held:
            cached = [key for key, one in held.cache.items() if one.partition == number]
            try:
                return await rebuild.read(number, offset_of(mark), cached, bases_of, lambda: self._held is held)
            except KafkaError as error:
                _log.warning("scores not readable; their states are waited for", partition=number, error=repr(error))
                await asyncio.sleep(_KAFKA_RETRY_S)
        return None


def _base(ours: CachedState | None, theirs: DetectorState | None, *, has_mark: bool) -> Base:
    """What to rebuild a state on: the cached or the stored one."""
    if theirs is None:
        return Base(DetectorState() if ours is None else ours.state, None)
    # Thresholds rebuilt from scores alone are younger than stored ones, which the log brings up to date.
    if ours is None or (ours.from_log and has_mark) or not is_ahead(ours.state, theirs):
        return Base(theirs, theirs.position)
    return Base(ours.state, theirs.position)
