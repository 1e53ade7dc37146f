"""A clip is assembled from its own samples, or it is incomplete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from schemas.chunk import Chunk, encode_chunk
from tests.unit.capture.clips import RATE, clip
from tests.unit.tocsin.alert_records import SECOND_NS, START_NS
from tocsin.capture.clip_assembly import ClipAssembly

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


def assembly_of(numbers: Sequence[int]) -> ClipAssembly:
    """The clip of samples 2,000 to 2,999, which are in chunks 6 to 9, assembled from these chunks in this order."""
    assembly = ClipAssembly(clip(at_s=2), {})
    for number in numbers:
        assembly.add(message(number))
    return assembly


@pytest.mark.parametrize("numbers", [[6, 7, 8, 9], [6, 6, 7, 6, 8, 7, 9, 9], [6, 7, 8, 9, 10]])
def test_its_chunks_complete_it_even_if_repeated(numbers: list[int]) -> None:
    assembly = assembly_of(numbers)

    assert assembly.complete
    assert assembly.samples[:, 0].tolist() == list(range(2_000, 3_000))


@pytest.mark.parametrize("numbers", [[], [7, 8, 9], [7, 8, 9, 10], [6, 7, 9, 10], [6, 7, 8]])
def test_without_one_of_them_it_is_incomplete(numbers: list[int]) -> None:
    assert not assembly_of(numbers).complete


def test_another_sessions_sound_is_ignored() -> None:
    assembly = assembly_of([6, 7])
    for number in (8, 9):
        assembly.add(message(number, "s2"))

    assert not assembly.complete
