"""The benchmark's devices: the usual sound of each, and its events."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.real_sound.scene import Event, Float32, Loop, Once, Scene, level_of
from synthesis.draws import seed_of
from trainers.data.recordings import Recording, read_folder

RATE = 16_000
# Raises a motor at -68 dBFS above 16-bit quantisation noise; 8 g is the accelerometer's full scale.
_MOTOR_GAIN_DB, _FULL_SCALE_G = 30.0, 8.0
_EPISODE_HOURS = (2, 8, 16, 22)
_PAUSE_S = 300.0
_SCREAM_SHARE, _CRY_SHARE = 0.1, 0.1
_EVENT_GAPS_S = (60.0, 300.0)
_LEVELS_DB = (0, 10)
_CRIES = ("infant-cry", "baby-cry")

Clips = Literal["all", "fourth", "others"]
"""Which recordings of a motor's usual state are played; see :func:`motor`."""


def room(data: Path, hours: float, seed: int) -> Scene:
    """A room with an event every three minutes: 80 % harmless sounds, 10 % infants' cries, 10 % screams."""
    n_samples = int(hours * 3_600 * RATE)
    rng = np.random.default_rng(seed_of(seed, 0))
    usual = [one.samples for one in read_folder(data / "ambience", (), RATE)]
    loudness = float(np.median([np.sqrt(np.mean(clip * clip)) for clip in usual]))
    screams = [one.samples for one in read_folder(data / "scream" / "positive", (), RATE)]
    harmless: dict[str, list[Float32]] = {}
    for one in read_folder(data, ("sounds", "scream/negative"), RATE):
        harmless.setdefault(_kind(one), []).append(one.samples)
    cries = [clip for kind in _CRIES for clip in harmless.pop(kind)]
    kinds = sorted(harmless)
    next_of = {"scream": _shuffled(screams, rng), "cry": _shuffled(cries, rng)}
    next_of |= {kind: _shuffled(clips, rng) for kind, clips in harmless.items()}
    events: list[Event] = []
    start = int(_EVENT_GAPS_S[0] * RATE)
    while True:
        draw, level = rng.random(), int(rng.choice(_LEVELS_DB))
        scream = draw < _SCREAM_SHARE
        kind = "scream" if scream else "cry" if draw < _SCREAM_SHARE + _CRY_SHARE else kinds[rng.integers(len(kinds))]
        clip = next_of[kind]()
        if start + len(clip) > n_samples:
            break
        gain = np.float32(loudness * 10.0 ** (level / 20.0) / level_of(clip, RATE))
        name = f"{kind} {level:+d} dB" if kind in ("scream", "cry") else kind
        events.append(Event(name, scream, start, start + len(clip), Once(gain * clip)))
        start += len(clip) + int(rng.uniform(*_EVENT_GAPS_S) * RATE)
    return Scene(Loop(usual, RATE, n_samples, seed_of(seed, 1)), events, RATE, n_samples, seed_of(seed, 2))


def motor(data: Path, hours: float, seed: int, normal: int = 0, clips: Clips = "all") -> Scene:
    """A motor in one of its states; the other states for a minute each.

    Args:
        data: folder of the recordings.
        hours: of sound.
        seed: of the order of everything.
        normal: number of the usual state, in the order of their names.
        clips: the usual state's recordings that are played: ``fourth`` every fourth one, ``others`` the rest.
    """
    states: dict[str, list[Float32]] = {}
    gain = np.float32(10.0 ** (_MOTOR_GAIN_DB / 20.0))
    for one in read_folder(data / "motor", (), RATE):
        states.setdefault(Path(one.name).stem.rpartition("_")[0], []).append(gain * one.samples)
    usual = states.pop(sorted(states)[normal])
    if clips != "all":
        usual = [one for number, one in enumerate(usual) if (number % 4 == 3) == (clips == "fourth")]
    return _machine(usual, states, RATE, 60.0, hours, seed)


def bearing(data: Path, hours: float, seed: int) -> Scene:
    """A motor's bearing, measured by an accelerometer; each fault for half a minute."""
    clips: dict[str, list[Float32]] = {}
    rate = 0
    for path in sorted((data / "bearing").glob("*.npz")):
        with np.load(path) as arrays:
            clips[path.stem] = [(arrays["acceleration_g"] / _FULL_SCALE_G).astype(np.float32)]
            rate = int(arrays["sample_rate_hz"])
    usual = clips.pop("normal")
    return _machine(usual, clips, rate, 30.0, hours, seed)


MOTOR_STATES = 5
SCENES: dict[str, Callable[[Path, float, int], Scene]] = {
    "room": room,
    "motor": motor,
    "bearing": bearing,
    **{f"motor {n}": partial(motor, normal=n) for n in range(MOTOR_STATES)},
    **{f"motor {n}, a fourth": partial(motor, normal=n, clips="fourth") for n in range(MOTOR_STATES)},
    **{f"motor {n}, the others": partial(motor, normal=n, clips="others") for n in range(MOTOR_STATES)},
}


def _machine(
    usual: list[Float32], faults: dict[str, list[Float32]], rate: int, length_s: float, hours: float, seed: int
) -> Scene:
    """Every fault in turn, five minutes apart, after 2, 8, 16 and 22 hours of each day; else after 15 minutes."""
    n_samples, length = int(hours * 3_600 * rate), int(length_s * rate)
    days = int(-(-hours // 24))
    begins: list[float] = [
        24 * day + hour for day in range(days) for hour in _EPISODE_HOURS if 24 * day + hour + 1 <= hours
    ]
    events: list[Event] = []
    for begin in begins or [0.25]:
        start = int(begin * 3_600 * rate)
        for kind, clips in faults.items():
            sound = Loop(clips, rate, length, seed_of(seed, 10 + len(events)))
            events.append(Event(kind, True, start, start + length, sound, replaces=True))
            start += length + int(_PAUSE_S * rate)
    return Scene(Loop(usual, rate, n_samples, seed_of(seed, 1)), events, rate, n_samples, seed_of(seed, 2))


def _kind(one: Recording) -> str:
    if one.name.startswith("scream/"):
        return "speech, laughter"
    return one.kind


def _shuffled(clips: list[Float32], rng: np.random.Generator) -> Callable[[], Float32]:
    """Clips in random order; all are used before any repeats."""
    order: list[int] = []

    def next_clip() -> Float32:
        if not order:
            order.extend(rng.permutation(len(clips)).tolist())
        return clips[order.pop()]

    return next_clip
