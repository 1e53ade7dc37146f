"""Clips are complete and on the session's grid, whatever the chunk boundaries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.capture.clips import RATE, replayed
from tests.unit.tocsin.alert_records import SECOND_NS, START_NS
from tocsin.capture.clipper import Clipper


def first_samples(clipper: Clipper, *chunks: object) -> list[int]:
    return [clip.first_sample for chunk in chunks for clip in clipper.add(chunk)]


def test_a_run_that_starts_within_the_grid_gives_its_first_complete_clip() -> None:
    clipper = Clipper(1_000)

    clips = [
        clip
        for chunk in (
            replayed(300, 500, starts_segment=True, offset=7),
            replayed(800, 500, offset=9),
            replayed(1_300, 500, offset=11),
            replayed(1_800, 500, offset=12),
        )
        for clip in clipper.add(chunk)
    ]

    (only,) = clips
    assert (only.first_sample, only.n_samples, only.sample_rate, only.channels) == (1_000, 1_000, RATE, 1)
    assert (only.partition, only.first_offset, only.last_offset) == (3, 9, 12)
    assert only.captured_ns == START_NS + SECOND_NS
    assert only.end_ns == START_NS + 2 * SECOND_NS


def test_no_clip_spans_a_gap_or_two_sessions() -> None:
    chunks = [
        replayed(0, 900, starts_segment=True, offset=0),
        replayed(1_100, 900, starts_segment=True, offset=1),
        replayed(2_000, 1_000, offset=2),
        replayed(0, 600, starts_segment=True, offset=3, session="s2"),
        replayed(600, 600, offset=4, session="s2"),
    ]
    clipper = Clipper(1_000)

    found = [(clip.session_id, clip.first_sample) for chunk in chunks for clip in clipper.add(chunk)]

    assert found == [("s1", 2_000), ("s2", 0)]


def test_a_chunk_may_complete_several_clips() -> None:
    clipper = Clipper(500)

    assert first_samples(clipper, replayed(0, 400, starts_segment=True), replayed(400, 1_800, offset=1)) == [
        0,
        500,
        1_000,
        1_500,
    ]


def test_lengths_are_whole_samples_at_every_rate() -> None:
    (first, *_) = Clipper(1_001).add(replayed(0, 30_000, starts_segment=True, rate=11_025))

    assert first.n_samples == 11_036


@given(st.lists(st.integers(1, 1_700), min_size=1, max_size=30), st.integers(0, 5_000))
def test_clips_do_not_depend_on_the_chunk_boundaries(cuts: list[int], start: int) -> None:
    clipper, first, found = Clipper(1_000), start, []
    for offset, n in enumerate(cuts):
        found += clipper.add(replayed(first, n, starts_segment=offset == 0, offset=offset))
        first += n
    ends = [start + sum(cuts[: number + 1]) for number in range(len(cuts))]

    assert [clip.first_sample for clip in found] == list(range(-(-start // RATE) * RATE, first - RATE + 1, RATE))
    for clip in found:
        assert clip.last_offset == next(i for i, end in enumerate(ends) if end >= clip.first_sample + RATE)
        assert clip.first_offset == next(i for i, end in enumerate(ends) if end > clip.first_sample)
