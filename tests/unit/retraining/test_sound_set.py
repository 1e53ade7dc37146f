"""Of every device the held-out sound is later than the training sound, and no hour is on both sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SettingsError
from tocsin.retraining.sound_set import SoundFile, read_sound_set, split

MINUTE_NS = 60 * 10**9
HOUR = 60


def file(device: str, minute: int, *, abnormal: bool = False, minutes: int = 1) -> SoundFile:
    name = f"{device}/{minute}"
    begin = minute * MINUTE_NS
    return SoundFile(Path(name), name, device, abnormal, "s", begin, begin + minutes * MINUTE_NS)


def minutes_of(files: tuple[SoundFile, ...], device: str = "a") -> list[int]:
    return [one.begin_ns // MINUTE_NS for one in files if one.device == device]


def test_the_latest_sound_is_held_out_and_its_first_third_is_the_reference() -> None:
    parts = split([file("a", minute) for minute in reversed(range(20))], 0.3)

    assert minutes_of(parts.training) == list(range(14))
    assert minutes_of(parts.reference) == [14, 15]
    assert minutes_of(parts.evaluation) == [16, 17, 18, 19]


def test_the_split_falls_between_hours() -> None:
    files = [file("a", hour * HOUR + minute) for hour in range(4) for minute in range(0, 60, 10)]

    parts = split(files, 0.4)

    assert {minute // HOUR for minute in minutes_of(parts.training)} == {0, 1}
    assert {minute // HOUR for minute in minutes_of(parts.reference) + minutes_of(parts.evaluation)} == {2, 3}


def test_every_device_is_split_separately() -> None:
    files = [file("a", minute) for minute in range(10)] + [file("b", 1_000 + minute) for minute in range(10)]

    parts = split(files, 0.5)

    for device, first in (("a", 0), ("b", 1_000)):
        assert minutes_of(parts.training, device) == list(range(first, first + 5))
        assert minutes_of(parts.evaluation, device)[-1] == first + 9


def test_abnormal_sound_is_split_by_time_and_never_in_the_reference() -> None:
    files = [file("a", minute) for minute in range(0, 40, 2)] + [file("a", minute, abnormal=True) for minute in (5, 31)]

    parts = split(files, 0.3)

    assert [one.begin_ns // MINUTE_NS for one in parts.training if one.abnormal] == [5]
    assert [one.begin_ns // MINUTE_NS for one in parts.evaluation if one.abnormal] == [31]
    assert not any(one.abnormal for one in parts.reference)


def test_a_device_with_too_little_sound_is_used_for_training_only() -> None:
    parts = split([*(file("a", minute) for minute in range(9)), file("b", 0), file("b", 1)], 0.3)

    assert parts.too_short == ("b",)
    assert minutes_of(parts.training, "b") == [0, 1]
    assert {one.device for one in (*parts.reference, *parts.evaluation)} == {"a"}


def test_a_set_without_a_device_with_enough_sound_is_refused() -> None:
    with pytest.raises(SettingsError, match="no device has 3 clips"):
        split([file("a", 0), file("b", 0), file("b", 1)], 0.3)


@given(
    st.lists(st.integers(0, 500), min_size=3, max_size=60, unique=True),
    st.floats(0.05, 0.9),
)
def test_any_set_is_split_in_order_and_completely(minutes: list[int], held_out: float) -> None:
    files = [file("a", minute) for minute in minutes]

    parts = split(files, held_out)

    training, reference, evaluation = map(minutes_of, (parts.training, parts.reference, parts.evaluation))
    assert training
    assert reference
    assert evaluation
    assert training + reference + evaluation == sorted(minutes)


def test_plain_folders_are_read_by_device_sorted_by_name(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for name in ("normal/pump-1/b.wav", "normal/pump-1/a.wav", "normal/pump-2/a.wav", "abnormal/pump-1/c.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, rng.normal(0, 0.1, 32_000), 16_000, subtype="PCM_16")

    found = {one.name: one for one in read_sound_set(tmp_path)}

    assert {name for name, one in found.items() if one.abnormal} == {"abnormal/pump-1/c.wav"}
    assert found["normal/pump-1/a.wav"].end_ns <= found["normal/pump-1/b.wav"].begin_ns
    assert found["normal/pump-1/b.wav"].seconds == 2.0
    assert {one.device for one in found.values()} == {"pump-1", "pump-2"}
    assert len({one.source for one in found.values()}) == 4
