"""The selection is balanced over devices and hours, bounded, and independent of the order of the clips."""

from __future__ import annotations

import random
from collections import Counter

from tests.unit.capture.clips import abnormal, normal
from tocsin.capture.clip import LabelledClip
from tocsin.capture.selection import Bounds, select

UNBOUNDED = 10**9
ONE = normal("pump-1", 0).clip.max_bytes


def hours_of(chosen: list[LabelledClip]) -> Counter[int]:
    return Counter(one.clip.hour for one in chosen)


def consecutive(device: str, hour: int, count: int) -> list[LabelledClip]:
    return [normal(device, hour * 3_600 + second) for second in range(count)]


def test_all_clips_are_selected_within_the_bounds() -> None:
    clips = consecutive("pump-1", 0, 5) + consecutive("pump-2", 3, 2)

    assert select(reversed(clips), Bounds(1_000.0, UNBOUNDED)) == clips


def test_the_hours_of_a_device_are_balanced() -> None:
    clips = consecutive("pump-1", 0, 1_000) + consecutive("pump-1", 5, 10) + consecutive("pump-1", 9, 300)

    assert sorted(hours_of(select(clips, Bounds(60.0, UNBOUNDED))).values()) == [10, 25, 25]


def test_no_part_of_the_day_is_preferred_if_not_every_hour_gets_a_turn() -> None:
    clips = [one for hour in range(48) for one in consecutive("pump-1", hour, 3)]

    chosen = hours_of(select(clips, Bounds(24.0, UNBOUNDED)))

    assert set(chosen.values()) == {1}
    begin = min(one.clip.hour for one in clips)
    assert 4 <= sum(hour - begin < 24 for hour in chosen) <= 20


def test_devices_share_the_total_size_equally() -> None:
    clips = consecutive("pump-1", 0, 500) + consecutive("pump-2", 0, 500) + consecutive("pump-3", 0, 2)

    chosen = select(clips, Bounds(1_000.0, 20 * ONE))

    assert Counter(one.clip.device_id for one in chosen) == {"pump-1": 9, "pump-2": 9, "pump-3": 2}
    assert sum(one.clip.max_bytes for one in chosen) <= 20 * ONE


def test_abnormal_sound_comes_first_and_is_bounded_by_itself() -> None:
    clips = consecutive("pump-1", 0, 100) + [abnormal("pump-1", 4_000 + second) for second in range(30)]

    chosen = Counter(one.label for one in select(clips, Bounds(20.0, 25 * ONE)))

    assert chosen == {"abnormal": 20, "normal": 5}


def test_hard_negatives_come_before_other_normal_sound() -> None:
    hard = [normal("pump-1", 7_200 + second, hard=True) for second in range(8)]

    chosen = select(consecutive("pump-1", 0, 100) + hard, Bounds(10.0, UNBOUNDED))

    assert [one for one in chosen if one.hard_negative] == hard
    assert len(chosen) == 10


def test_the_selection_does_not_depend_on_the_order() -> None:
    clips = [one for hour in range(5) for one in consecutive("pump-1", hour, 40) + consecutive("pump-2", hour, 40)]
    shuffled = clips.copy()
    random.Random(1).shuffle(shuffled)
    bounds = Bounds(30.0, 47 * ONE)

    assert select(clips, bounds) == select(shuffled, bounds)


def test_nothing_gives_nothing() -> None:
    assert select([], Bounds(10.0, UNBOUNDED)) == []
    assert select(consecutive("pump-1", 0, 3), Bounds(0.5, UNBOUNDED)) == []
