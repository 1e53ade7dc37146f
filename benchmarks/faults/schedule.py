"""The schedule of a run: drawn from its seed alone, so that a run that fails can be repeated."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass

FAULTS: dict[str, tuple[str, ...]] = {
    "workers": ("worker-kill", "worker-stop", "worker-pause", "worker-join", "worker-leave"),
    "kafka": ("kafka-kill", "kafka-stop"),
    "redis": ("redis-kill", "redis-pause", "redis-slow"),
    "redis-loss": ("redis-flush", "redis-full"),
    "garbage": ("broken-records", "zeros"),
    "floods": ("flood",),
    "models": ("model-good", "model-not-finite", "model-missing", "model-hostile", "model-withdrawn"),
    "settings": ("policy", "feedback"),
    "producers": ("producer-kill",),
}
"""Groups of faults, and what is drawn in each."""

_LASTS_S = {
    "worker-pause": (4.0, 25.0),
    "kafka-kill": (0.0, 12.0),
    "kafka-stop": (0.0, 12.0),
    "redis-kill": (0.0, 12.0),
    "redis-pause": (1.0, 10.0),
    "redis-slow": (4.0, 12.0),
    "redis-full": (3.0, 15.0),
}
_AMOUNT = {"broken-records": (5, 40), "zeros": (1, 4), "flood": (200, 1_500)}
_MEAN_PAUSE_S = 6.0
_FIRST_S, _LAST_S = 15.0, 20.0
# A broker comes back in about ten seconds; two faults of one service never overlap.
_RECOVERS_S = {"kafka": 20.0, "redis": 4.0}


@dataclass(frozen=True, slots=True)
class Action:
    """One fault.

    Attributes:
        at_s: seconds into the run.
        name: one of those in :data:`FAULTS`.
        lasts_s: after which it is healed; 0 where nothing is to be healed.
        amount: how many records, devices or MiB.
        target: which worker, device or model, a number to be taken modulo those that there are.
    """

    at_s: float
    name: str
    lasts_s: float
    amount: int
    target: int

    def text(self) -> str:
        """For people, and for the file of the run."""
        lasts = f" for {self.lasts_s:g} s" if self.lasts_s else ""
        return f"{self.at_s:7.1f} s  {self.name}{lasts}" + (f" x {self.amount}" if self.amount else "")

    def fields(self) -> dict[str, object]:
        """As JSON."""
        return asdict(self)


def draw_schedule(seed: int, seconds: float, groups: Sequence[str]) -> list[Action]:
    """The faults of a run, in order.

    Args:
        seed: of the run.
        seconds: that the devices sound; the last 20 are left to recover.
        groups: names in :data:`FAULTS`; none makes a calm run.
    """
    rng = random.Random(f"schedule {seed}")  # noqa: S311 - a schedule, no secret
    actions: list[Action] = []
    busy: dict[str, float] = {}
    at = _FIRST_S
    while groups and at < seconds - _LAST_S:
        name = rng.choice(FAULTS[rng.choice(list(groups))])
        service = name.partition("-")[0]
        shortest, longest = _LASTS_S.get(name, (0.0, 0.0))
        lasts = round(rng.uniform(shortest, longest), 1)
        fewest, most = _AMOUNT.get(name, (0, 0))
        action = Action(round(at, 1), name, lasts, rng.randint(fewest, most), rng.randrange(1_000))
        if service not in _RECOVERS_S or at >= busy.get(service, 0.0):
            actions.append(action)
            if service in _RECOVERS_S:
                busy[service] = at + lasts + _RECOVERS_S[service]
        at += rng.expovariate(1 / _MEAN_PAUSE_S) + 0.5
    return actions
