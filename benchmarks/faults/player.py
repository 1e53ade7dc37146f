"""Plays a device into Kafka by the real publisher, with its habit."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from benchmarks.faults.device_plan import DevicePlan
from benchmarks.faults.device_sound import DeviceSound
from producers.kafka.publisher import Publisher
from schemas.chunk import MAX_BYTES, Chunk
from schemas.device import Device

_REPEATED = 5
_GAP_S, _PAUSE_S = 1.3, 15.0
_RATES = {16_000: 8_000, 8_000: 16_000}


class Player:
    """One source of sound under a device's id.

    Args:
        plan: the device.
        publisher: started.
        source: names its sessions; a second source under the same id has another.
    """

    def __init__(self, plan: DevicePlan, publisher: Publisher, source: str = "a") -> None:
        self._plan, self._publisher, self._source = plan, publisher, source
        self._sound = DeviceSound(plan.seed, plan.kind, plan.rate, plan.channels, plan.events)
        self._kind, self._regime, self._sessions = plan.kind, "", 0
        self._recent: list[Chunk] = []
        self._played_s = 0.0
        self._begin_session()

    async def play(self, seconds: float) -> None:
        """Announces the device and plays in real time until that many seconds of the run are over."""
        plan, began = self._plan, time.monotonic()
        await asyncio.sleep(plan.starts_s)
        await self._announce()
        twin = None
        turns = list(plan.turns_s)
        due = time.monotonic()
        self._begin_session()
        try:
            while (now := time.monotonic() - began) < seconds:
                if turns and now >= turns[0]:
                    turns.pop(0)
                    if plan.habit == "twin" and self._source == "a" and twin is None:
                        twin = asyncio.create_task(Player(plan, self._publisher, "b").play(seconds - now))
                    await self._turn()
                    # What was not sounded meanwhile is silence, also the wait for a broker that is away.
                    due = max(due, time.monotonic())
                await self._publisher.send(self._next_chunk())
                due += plan.chunk_s
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        finally:
            if twin is not None:
                twin.cancel() if not twin.done() else None
                await asyncio.gather(twin, return_exceptions=True)

    def _begin_session(self, name: str | None = None) -> None:
        self._session = name or f"{self._source}{self._sessions}-{self._plan.seed}"
        self._sessions += name is None
        self._sequence = self._first = 0
        self._started_ns = time.time_ns()
        self._recent = []

    async def _announce(self) -> None:
        plan = self._plan
        await self._publisher.announce(
            Device(
                device_id=plan.name,
                kind=self._kind,
                sample_rate=plan.rate,
                announced_ns=time.time_ns(),
            )
        )

    def _next_chunk(self) -> Chunk:
        plan = self._plan
        n = round(plan.chunk_s * plan.rate)
        chunk = Chunk(
            device_id=plan.name,
            session_id=self._session,
            sequence=self._sequence,
            first_sample=self._first,
            sample_rate=plan.rate,
            channels=plan.channels,
            captured_ns=self._started_ns + self._first * 1_000_000_000 // plan.rate,
            pcm=self._sound.pcm(round(self._played_s * plan.rate), n),
            regime=self._regime,
        )
        self._sequence += 1
        self._first += n
        self._played_s += plan.chunk_s
        self._recent = [*self._recent, chunk][-_REPEATED:]
        return chunk

    async def _turn(self) -> None:
        """Shows the habit."""
        habit, plan = self._plan.habit, self._plan
        if habit == "gaps":
            self._first += round(_GAP_S * plan.rate)
        elif habit == "repeats":
            for chunk in self._recent:
                await self._publisher.send(chunk)
        elif habit == "restarts":
            self._begin_session()
        elif habit == "reused":
            self._begin_session(self._session)
        elif habit == "clumsy" and self._recent:
            await self._publisher.send(self._misfit(self._recent[-1]))
        elif habit == "regimes":
            self._regime = "day" if self._regime == "night" else "night"
        elif habit == "kind":
            self._kind = "room" if self._kind == "machine" else "machine"
            await self._announce()
        elif habit == "pauses":
            await asyncio.sleep(_PAUSE_S)
        elif habit == "rate":
            self._change_rate(_RATES.get(plan.rate, 16_000))
            await self._announce()
            self._begin_session()

    def _misfit(self, last: Chunk) -> Chunk:
        """A chunk that does not fit its session: its samples were sent before, or it has another channel."""
        self._sequence += 1
        chunk = replace(last, sequence=self._sequence - 1)
        if self._sequence % 2 and 2 * len(last.pcm) <= MAX_BYTES:
            return replace(chunk, first_sample=last.end_sample, channels=2 * last.channels, pcm=2 * last.pcm)
        return chunk

    def _change_rate(self, rate: int) -> None:
        plan = self._plan = replace(self._plan, rate=rate)
        self._sound = DeviceSound(plan.seed, plan.kind, rate, plan.channels, plan.events)
