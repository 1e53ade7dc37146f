"""Selection of clips: balanced over devices and hours, within bounds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tocsin.capture.clip import Clip, Label, LabelledClip

_LABELS: tuple[Label, ...] = ("abnormal", "normal")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a selection.

    Attributes:
        device_seconds: maximum per device and label, s.
        total_bytes: maximum of all files together.
    """

    device_seconds: float
    total_bytes: int


def select(clips: Iterable[LabelledClip], bounds: Bounds) -> list[LabelledClip]:
    """A balanced selection that does not depend on the order of the clips.

    Abnormal sound comes first, because it is rare. Then devices take turns, one clip each; within a device the hard
    negatives come first, then its hours take turns.

    Args:
        clips: without duplicates.
        bounds: the limits.

    Returns:
        The selected clips, in the order of devices and capture times.
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
            if one.clip.max_bytes <= left:
                left -= one.clip.max_bytes
                chosen.append(one)
    return sorted(chosen, key=lambda one: (one.clip.device_id, one.clip.captured_ns, one.clip.key))


def _queue(clips: Sequence[LabelledClip]) -> list[LabelledClip]:
    """One device's clips in the order of selection."""
    hard = sorted((one for one in clips if one.hard_negative), key=lambda one: _random_order(one.clip))
    hours: dict[int, list[LabelledClip]] = {}
    for one in clips:
        if not one.hard_negative:
            hours.setdefault(one.clip.hour, []).append(one)
    # In random order, not in order of time: if not every hour gets a turn, no part of the day is preferred.
    turns = sorted(hours.values(), key=lambda group: _digest(f"{group[0].clip.device_id}/{group[0].clip.hour}"))
    return [*hard, *_in_turn([sorted(group, key=lambda one: _random_order(one.clip)) for group in turns])]


def _within(clips: Iterable[LabelledClip], seconds: float) -> Iterator[LabelledClip]:
    selected_s = 0.0
    for one in clips:
        if selected_s + one.clip.seconds <= seconds:
            selected_s += one.clip.seconds
            yield one


def _in_turn(queues: Sequence[Sequence[LabelledClip]]) -> Iterator[LabelledClip]:
    for turn in range(max(map(len, queues), default=0)):
        for queue in queues:
            if turn < len(queue):
                yield queue[turn]


def _random_order(clip: Clip) -> str:
    return _digest("/".join(map(str, clip.key)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
