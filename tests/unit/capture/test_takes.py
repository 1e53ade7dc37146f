"""A clip is put together of its own samples, or it is not whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from schemas.chunk import Chunk, encode_chunk
from tests.unit.capture.clips import RATE, clip
from tests.unit.tocsin.alert_records import SECOND_NS, START_NS
from tocsin.capture.clip_audio import Take

STEP = 300
SOUND = np.arange(6 * RATE, dtype="<i2")


@dataclass
class Message:
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    partition: int
    offset: int
    timestamp: int


def message(number: int, session: str = "s1") -> Message:
    first = number * STEP
    at_ns = START_NS + first * SECOND_NS // RATE
    pcm = SOUND[first : first + STEP].tobytes()
    record = encode_chunk(Chunk("pump-1", session, number, first, RATE, 1, at_ns, pcm))
    return Message(record.key, record.value, list(record.headers), 0, number, number)


def take(numbers: Sequence[int]) -> Take:
    """The clip of samples 2,000 to 2,999, which chunks 6 to 9 hold, of these chunks in this order."""
    made = Take(clip(at_s=2), {})
    for number in numbers:
        made.add(message(number))
    return made


@pytest.mark.parametrize("numbers", [[6, 7, 8, 9], [6, 6, 7, 6, 8, 7, 9, 9], [6, 7, 8, 9, 10]])
def test_its_chunks_make_it_whole_however_often_they_come(numbers: list[int]) -> None:
    made = take(numbers)

    assert made.whole
    assert made.samples[:, 0].tolist() == list(range(2_000, 3_000))


@pytest.mark.parametrize("numbers", [[], [7, 8, 9], [7, 8, 9, 10], [6, 7, 9, 10], [6, 7, 8]])
def test_without_one_of_them_it_is_not_whole(numbers: list[int]) -> None:
    assert not take(numbers).whole


def test_another_sessions_sound_is_not_its_own() -> None:
    made = take([6, 7])
    for number in (8, 9):
        made.add(message(number, "s2"))

    assert not made.whole
