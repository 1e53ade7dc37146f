"""The devices of a run: drawn from its seed, each with a habit that receivers must cope with."""

from __future__ import annotations

import random
from dataclasses import dataclass

HABITS = ("steady", "gaps", "repeats", "restarts", "pauses", "regimes", "rate", "clumsy", "twin", "reused", "kind")
"""What a device does now and then: sounds on; loses samples; sends chunks again; begins a new session; falls silent and
goes on; reports another operating regime; announces another rate; counts samples backwards, or changes its channels in
mid-session; has a second source under its id; begins anew under an old session's id; announces another kind in
mid-session."""
EXCEPTIONAL = frozenset({"twin", "reused", "kind"})
"""Habits that break a rule: their sound must be used, or a notice must say that it was not."""
_RATES = ((16_000, 1),) * 6 + ((8_000, 1), (22_050, 1), (44_100, 1), (48_000, 2))
_CHUNKS_S = (0.25, 0.5, 0.5, 0.5, 0.37, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """One device.

    Attributes:
        name: its id.
        kind: ``machine`` or ``room``.
        habit: one of :data:`HABITS`.
        rate, channels: of its sound.
        chunk_s: length of its chunks, seconds.
        starts_s: when it begins, seconds into the run.
        turns_s: when its habit shows.
        events: begin and length of its faults or screams, seconds of its own sound.
        seed: of its sound.
    """

    name: str
    kind: str
    habit: str
    rate: int
    channels: int
    chunk_s: float
    starts_s: float
    turns_s: tuple[float, ...]
    events: tuple[tuple[float, float], ...]
    seed: int


def draw_devices(seed: int, count: int, seconds: float, habits: tuple[str, ...]) -> list[DevicePlan]:
    """The devices of a run.

    Args:
        seed: of the run.
        count: of devices.
        seconds: that they sound.
        habits: those that may be drawn; each is drawn at least once where there are devices enough.
    """
    rng = random.Random(f"devices {seed}")  # noqa: S311 - a schedule, no secret
    plans = []
    for number in range(count):
        kind = "room" if number % 3 == 2 else "machine"
        rate, channels = rng.choice(_RATES)
        plans.append(
            DevicePlan(
                name=f"{kind}-{seed}-{number}",
                kind=kind,
                habit=habits[number % len(habits)],
                rate=rate,
                channels=channels,
                chunk_s=rng.choice(_CHUNKS_S),
                starts_s=round(rng.uniform(0.0, 4.0), 2),
                turns_s=tuple(_times(rng, rng.uniform(12.0, 30.0), seconds - 5.0, 12.0, 40.0)),
                events=tuple(_events(rng, kind, seconds)),
                seed=rng.randrange(2**31),
            )
        )
    return plans


def _times(rng: random.Random, first: float, end: float, shortest: float, longest: float) -> list[float]:
    times, at = [], first
    while at < end:
        times.append(round(at, 2))
        at += rng.uniform(shortest, longest)
    return times


def _events(rng: random.Random, kind: str, seconds: float) -> list[tuple[float, float]]:
    # A machine's thresholds need some sound first; the last event ends in time for its alert to close.
    if kind == "room":
        return [(at, round(rng.uniform(1.5, 3.0), 2)) for at in _times(rng, 12.0, seconds - 12.0, 15.0, 45.0)]
    return [(at, round(rng.uniform(5.0, 14.0), 2)) for at in _times(rng, 28.0, seconds - 28.0, 75.0, 95.0)]
