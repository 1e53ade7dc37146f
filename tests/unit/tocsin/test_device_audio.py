"""The part of a device's sound that a model is trained on."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.chunk import Chunk
from tocsin.client.audio_reader import ReplayedChunk
from tocsin.device_training.device_audio import DeviceAudio, Recorder

RATE = 8_000
START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000


def replayed(number: int, *, starts_segment: bool = False, session: str = "s") -> ReplayedChunk:
    """Second ``number``, whose samples all have its value."""
    pcm = np.full((RATE, 1), number, dtype="<i2").tobytes()
    chunk = Chunk("pump", session, number, number * RATE, RATE, 1, START_NS + number * SECOND_NS, pcm)
    return ReplayedChunk(chunk, starts_segment, 0, number, 0)


def span(first_s: float, last_s: float) -> tuple[int, int]:
    return START_NS + int(first_s * SECOND_NS), START_NS + int(last_s * SECOND_NS)


def seconds_of(audio: DeviceAudio) -> list[list[int]]:
    return [run.samples[::RATE, 0].tolist() for run in audio.runs]


def recorded(recorder: Recorder, *chunks: ReplayedChunk) -> DeviceAudio:
    for one in chunks:
        recorder.add(one)
    return recorder.audio()


def test_continuous_chunks_are_one_run_and_a_gap_starts_another() -> None:
    audio = recorded(
        Recorder(60.0, ()), replayed(0, starts_segment=True), replayed(1), replayed(5, starts_segment=True), replayed(6)
    )

    assert seconds_of(audio) == [[0, 1], [5, 6]]
    assert audio.seconds == audio.observed_s == 4.0
    assert (audio.first_ns, audio.last_ns) == span(0, 7)
    assert len({run.digest for run in audio.runs}) == 2


def test_chunks_that_overlap_an_excluded_span_are_left_out_and_end_the_run() -> None:
    recorder = Recorder(60.0, [span(2.5, 3.5), span(100, 200)])

    audio = recorded(recorder, *(replayed(number, starts_segment=number == 0) for number in range(6)))

    assert seconds_of(audio) == [[0, 1], [4, 5]]
    assert (audio.observed_s, audio.excluded_s) == (6.0, 2.0)


def test_only_the_last_seconds_are_buffered() -> None:
    recorder = Recorder(3.0, [span(8.1, 8.2)])

    audio = recorded(recorder, *(replayed(number, starts_segment=number == 0) for number in range(10)))

    assert seconds_of(audio) == [[6, 7], [9]]
    assert recorder.full


@pytest.mark.parametrize("count", [0, 2])
def test_too_few_seconds_do_not_fill_it(count: int) -> None:
    recorder = Recorder(3.0, ())
    audio = recorded(recorder, *(replayed(number, starts_segment=number == 0) for number in range(count)))
    assert not recorder.full
    assert audio.seconds == count
