"""What is kept of a device's sound to learn from."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.chunk import Chunk
from tocsin.client.audio import ReplayedChunk
from tocsin.device_training.device_audio import OwnSound, Recorder

RATE = 8_000
START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000


def played(number: int, *, begins: bool = False, session: str = "s") -> ReplayedChunk:
    """Second ``number``, whose samples all have its value."""
    pcm = np.full((RATE, 1), number, dtype="<i2").tobytes()
    chunk = Chunk("pump", session, number, number * RATE, RATE, 1, START_NS + number * SECOND_NS, pcm)
    return ReplayedChunk(chunk, begins, 0, number, 0)


def span(first_s: float, last_s: float) -> tuple[int, int]:
    return START_NS + int(first_s * SECOND_NS), START_NS + int(last_s * SECOND_NS)


def seconds_of(sound: OwnSound) -> list[list[int]]:
    return [run.samples[::RATE, 0].tolist() for run in sound.runs]


def recorded(recorder: Recorder, *chunks: ReplayedChunk) -> OwnSound:
    for one in chunks:
        recorder.take(one)
    return recorder.sound()


def test_unbroken_chunks_are_one_run_and_a_break_begins_another() -> None:
    sound = recorded(Recorder(60.0, ()), played(0, begins=True), played(1), played(5, begins=True), played(6))

    assert seconds_of(sound) == [[0, 1], [5, 6]]
    assert sound.seconds == sound.heard_s == 4.0
    assert (sound.first_ns, sound.last_ns) == span(0, 7)
    assert len({run.digest for run in sound.runs}) == 2


def test_chunks_that_touch_a_doubtful_span_are_left_out_and_break_the_run() -> None:
    recorder = Recorder(60.0, [span(2.5, 3.5), span(100, 200)])

    sound = recorded(recorder, *(played(number, begins=number == 0) for number in range(6)))

    assert seconds_of(sound) == [[0, 1], [4, 5]]
    assert (sound.heard_s, sound.doubtful_s) == (6.0, 2.0)


def test_only_the_last_seconds_are_kept() -> None:
    recorder = Recorder(3.0, [span(8.1, 8.2)])

    sound = recorded(recorder, *(played(number, begins=number == 0) for number in range(10)))

    assert seconds_of(sound) == [[6, 7], [9]]
    assert recorder.full


@pytest.mark.parametrize("count", [0, 2])
def test_too_few_seconds_do_not_fill_it(count: int) -> None:
    recorder = Recorder(3.0, ())
    sound = recorded(recorder, *(played(number, begins=number == 0) for number in range(count)))
    assert not recorder.full
    assert sound.seconds == count
