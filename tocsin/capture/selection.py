"""Which clips are kept: evenly over devices and hours, within bounds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tocsin.capture.clip import Clip, Label, LabelledClip

_LABELS: tuple[Label, ...] = ("abnormal", "normal")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept at most.

    Attributes:
        device_seconds: of each device and label, s.
        total_bytes: of all files together.
    """

    device_seconds: float
    total_bytes: int


def select(clips: Iterable[LabelledClip], bounds: Bounds) -> list[LabelledClip]:
    """A balanced choice, the same for the same clips in whatever order.

    Abnormal sound comes first, for there is little of it. Then devices take turns, one clip each; of each device the
    hard negatives come first, then its hours take turns.

    Args:
        clips: each once.
        bounds: what the choice keeps to.

    Returns:
        The choice, in the order of devices and capture times.
    """
    found = list(clips)
    chosen: list[LabelledClip] = []
    left = bounds.total_bytes
    for label in _LABELS:
        devices: dict[str, list[LabelledClip]] = {}
        for one in found:
            if one.label == label:
                devices.setdefault(one.clip.device_id, []).append(one)
        queues = [list(_within(_queue(devices[name]), bounds.device_seconds)) for name in sorted(devices)]
        for one in _in_turn(queues):
            if one.clip.most_bytes <= left:
                left -= one.clip.most_bytes
                chosen.append(one)
    return sorted(chosen, key=lambda one: (one.clip.device_id, one.clip.captured_ns, one.clip.place))


def _queue(clips: Sequence[LabelledClip]) -> list[LabelledClip]:
    """One device's clips, those to be taken first in front."""
    hard = sorted((one for one in clips if one.hard_negative), key=lambda one: _draw(one.clip))
    hours: dict[int, list[LabelledClip]] = {}
    for one in clips:
        if not one.hard_negative:
            hours.setdefault(one.clip.hour, []).append(one)
    # Drawn, not in order of time: where not every hour gets its turn, no part of the day is preferred.
    turns = sorted(hours.values(), key=lambda group: _digest(f"{group[0].clip.device_id}/{group[0].clip.hour}"))
    return [*hard, *_in_turn([sorted(group, key=lambda one: _draw(one.clip)) for group in turns])]


def _within(clips: Iterable[LabelledClip], seconds: float) -> Iterator[LabelledClip]:
    taken = 0.0
    for one in clips:
        if taken + one.clip.seconds <= seconds:
            taken += one.clip.seconds
            yield one


def _in_turn(queues: Sequence[Sequence[LabelledClip]]) -> Iterator[LabelledClip]:
    for turn in range(max(map(len, queues), default=0)):
        for queue in queues:
            if turn < len(queue):
                yield queue[turn]


def _draw(clip: Clip) -> str:
    return _digest("/".join(map(str, clip.place)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
