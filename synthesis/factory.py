"""The demo's factory: six machines and two rooms, one fault, two screams."""

from __future__ import annotations

import math

from synthesis.device import SyntheticDevice
from synthesis.draws import seed_of
from synthesis.fault import random_fault
from synthesis.harmless import harmless
from synthesis.machine import random_machine
from synthesis.room import Babble, ambience
from synthesis.scream import scream
from synthesis.sound import SAMPLE_RATE, Clip, Mix, Sound

FAULT_ONSET = 35.0
"""Seconds after which ``motor-6`` has a damaged bearing."""
FAULT_SEVERITY_DB = 0.0
SCREAMS_AT = (45.0, 48.5)
"""Seconds at which there is a scream in ``hall-1``."""
SCREAM_SECONDS = 2.0

_MACHINES = ("press", "fan", "pump", "compressor", "conveyor")
_SCREAM_PEAK = 0.5
_EVENT_PEAK = 0.15
_TALK_PEAK = 0.06
_HALL_EVENTS = (("footsteps", 16.0), ("door-knock", 24.0), ("footsteps", 36.0))
_OFFICE_EVENTS = (("door-knock", 14.0), ("laughter", 22.0), ("alarm", 33.0), ("footsteps", 44.0), ("door-knock", 60.0))

_Event = tuple[str, float, float]


def demo_factory(seed: int = 7) -> tuple[SyntheticDevice, ...]:
    """Eight devices for a demo of 75 s; all are normal for the first 35 s.

    Args:
        seed: of all their sound, 0 <= seed < 2**62.
    """
    healthy = tuple(
        SyntheticDevice(
            device_id=f"{kind}-{number}",
            kind="machine",
            description=f"a healthy {kind}",
            events=(),
            expects_alert=False,
            sound=random_machine(seed_of(seed, number), kind).sound,
        )
        for number, kind in enumerate(_MACHINES, start=1)
    )
    return (*healthy, _failing_motor(seed_of(seed, 6)), _hall(seed_of(seed, 7)), _office(seed_of(seed, 8)))


def _failing_motor(seed: int) -> SyntheticDevice:
    motor = random_machine(seed, "motor")
    fault = random_fault(seed_of(seed, 0), motor, "bearing")
    return SyntheticDevice(
        device_id="motor-6",
        kind="machine",
        description=f"a motor with a bearing fault after {FAULT_ONSET:g} s",
        events=((fault.kind, FAULT_ONSET, math.inf),),
        expects_alert=True,
        sound=fault.onto(motor, int(FAULT_ONSET * SAMPLE_RATE), FAULT_SEVERITY_DB),
    )


def _hall(seed: int) -> SyntheticDevice:
    sounds, events = _room(seed, _HALL_EVENTS)
    for number, start in enumerate(SCREAMS_AT):
        samples = scream(seed_of(seed, 50 + number), SCREAM_SECONDS)
        sounds.append((_SCREAM_PEAK, Clip(samples, int(start * SAMPLE_RATE))))
        events.append(("scream", start, start + SCREAM_SECONDS))
    return SyntheticDevice(
        device_id="hall-1",
        kind="room",
        description="a hall with people talking and two screams",
        events=tuple(events),
        expects_alert=True,
        sound=Mix(tuple(sounds)),
    )


def _office(seed: int) -> SyntheticDevice:
    sounds, events = _room(seed, _OFFICE_EVENTS)
    return SyntheticDevice(
        device_id="office-2",
        kind="room",
        description="an office with talk, laughter and a telephone",
        events=tuple(events),
        expects_alert=False,
        sound=Mix(tuple(sounds)),
    )


def _room(seed: int, plan: tuple[tuple[str, float], ...]) -> tuple[list[tuple[float, Sound]], list[_Event]]:
    """Ambience, talk and harmless events, with their times."""
    sounds: list[tuple[float, Sound]] = [
        (1.0, ambience(seed_of(seed, 0))),
        (_TALK_PEAK, Babble(seed_of(seed, 1), voices=2, share=0.6)),
    ]
    events: list[_Event] = []
    for number, (kind, start) in enumerate(plan):
        samples = harmless(seed_of(seed, 10 + number), kind)
        sounds.append((_EVENT_PEAK, Clip(samples, int(start * SAMPLE_RATE))))
        events.append((kind, start, start + len(samples) / SAMPLE_RATE))
    return sounds, events
