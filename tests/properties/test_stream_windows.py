"""Any split of a recording into chunks gives the windows of the whole recording."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.core.audio.mel import normalise_level
from processors.core.audio.recording import rows_of, windows_of
from processors.core.windowing.device_stream import Arrival, DeviceStream
from processors.core.windowing.extraction import Extractor
from processors.core.windowing.window import Window
from schemas.chunk import Chunk
from schemas.features import FeatureSpec
from tests.unit.core.models import model_set

SPECS = {
    "machine": FeatureSpec(n_frames=24, window_hop=12),
    "scream": FeatureSpec(n_frames=12, window_hop=3),
    "pooled": FeatureSpec(n_frames=3, window_hop=1, pool=5),
    "pooled-128": FeatureSpec(n_frames=2, window_hop=2, pool=7, n_mels=128),
    "waveform": FeatureSpec(
        transform="waveform", n_fft=512, win_length=512, hop=512, level="none", n_frames=12, window_hop=5
    ),
}
RATES = (8_000, 11_025, 12_000, 16_000, 44_100)
START_NS = 1_700_000_000_000_000_000


def recording(rate: int, seconds: float, channels: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 3_000, (int(rate * seconds), channels)).astype(np.int16)


def chunks_of(samples: np.ndarray, rate: int, cuts: list[int], start: int = 0) -> list[Chunk]:
    edges = [start, *(cut for cut in sorted(set(cuts)) if start < cut < len(samples)), len(samples)]
    return [
        Chunk(
            device_id="d",
            session_id="s",
            sequence=number,
            first_sample=first,
            sample_rate=rate,
            channels=samples.shape[1],
            captured_ns=START_NS + first * 1_000_000_000 // rate,
            pcm=samples[first:last].tobytes(),
        )
        for number, (first, last) in enumerate(itertools.pairwise(edges))
    ]


def stream(chunks: list[Chunk]) -> list[Window]:
    device, extractor, windows = DeviceStream("d", model_set(SPECS)), Extractor(), []
    for offset, chunk in enumerate(chunks):
        if device.admit(chunk) is not Arrival.DUPLICATE:
            assert device.segment is not None
            windows += extractor.extract([(device.segment, chunk, offset)])
    return windows


def place(window: Window) -> tuple[str, int]:
    return window.slot.detector, window.first_sample


def assert_windows_of_whole(windows: list[Window], samples: np.ndarray, rate: int, skipped: dict[str, int]) -> None:
    for detector, spec in SPECS.items():
        whole = windows_of(rows_of(samples, rate, spec), spec)[skipped[detector] :]
        mine = [window for window in windows if window.slot.detector == detector]
        hop = spec.window_hop * spec.pool * spec.hop
        starts = [(index + skipped[detector]) * hop * rate // spec.sample_rate for index in range(len(whole))]

        assert starts == [window.first_sample for window in mine]
        if len(whole):
            got = normalise_level(np.stack([window.rows for window in mine]), spec)
            np.testing.assert_allclose(got, whole, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    rate=st.sampled_from(RATES),
    channels=st.integers(1, 2),
    seed=st.integers(0, 1_000),
    cuts=st.lists(st.integers(1, 44_100), max_size=40),
)
def test_random_chunks_give_the_windows_of_the_recording(rate: int, channels: int, seed: int, cuts: list[int]) -> None:
    samples = recording(rate, 1.0, channels, seed)

    assert_windows_of_whole(stream(chunks_of(samples, rate, cuts)), samples, rate, dict.fromkeys(SPECS, 0))


@settings(max_examples=40, deadline=None)
@given(
    rate=st.sampled_from(RATES),
    start=st.floats(0.05, 0.6),
    cuts=st.lists(st.integers(1, 44_100), max_size=20),
)
def test_a_stream_that_begins_in_the_middle_gives_the_same_later_windows(
    rate: int, start: float, cuts: list[int]
) -> None:
    """As a worker after a restart: it begins at a chunk in the middle of the session."""
    samples = recording(rate, 1.2, 1, 5)
    whole = {place(w): w for w in stream(chunks_of(samples, rate, []))}

    later = stream(chunks_of(samples, rate, cuts, start=int(start * rate)))

    assert later
    for window in later:
        np.testing.assert_allclose(window.rows, whole[place(window)].rows, atol=1e-4)
    earliest = min(window.first_sample for window in later)
    assert {key for key in whole if key[1] >= earliest + rate // 2} <= {
        (w.slot.detector, w.first_sample) for w in later
    }


@settings(max_examples=40, deadline=None)
@given(
    rate=st.sampled_from(RATES),
    cuts=st.lists(st.integers(1, 44_100), min_size=5, max_size=30),
    stop=st.integers(1, 30),
)
def test_reading_again_from_the_frontier_misses_no_window(rate: int, cuts: list[int], stop: int) -> None:
    """Stop anywhere, begin again at the frontier: both parts together give every window."""
    samples = recording(rate, 1.0, 1, 9)
    chunks = chunks_of(samples, rate, cuts)
    device, extractor, before = DeviceStream("d", model_set(SPECS)), Extractor(), []
    for offset, chunk in enumerate(chunks[:stop]):
        device.admit(chunk)
        assert device.segment is not None
        before += extractor.extract([(device.segment, chunk, offset)])
    frontier = device.segment.frontier()
    assert frontier is not None or stop >= len(chunks)

    rest = chunks[frontier:] if frontier is not None else []
    after = stream(rest)

    whole = {place(w) for w in stream(chunks)}
    assert {place(w) for w in [*before, *after]} == whole


@pytest.mark.parametrize("rate", RATES)
def test_windows_carry_place_and_time(rate: int) -> None:
    samples = recording(rate, 1.0, 1, 3)
    for window in stream(chunks_of(samples, rate, list(range(0, rate, rate // 7)))):
        exact = START_NS + window.first_sample * 1_000_000_000 // rate

        assert abs(window.captured_ns - exact) <= 1
        assert window.first_offset <= window.last_offset
        assert -21.5 < window.level_dbfs < -19.5 or rate != 16_000


def test_a_gap_loses_only_windows_that_touch_it() -> None:
    samples = recording(16_000, 3.0, 1, 4)
    chunks = chunks_of(samples, 16_000, list(range(0, 48_000, 4_000)))
    whole = stream(chunks)

    with_gap = stream([*chunks[:5], *chunks[6:]])

    gap = range(chunks[5].first_sample, chunks[5].end_sample)
    untouched = {
        (w.slot.detector, w.first_sample)
        for w in whole
        if w.first_sample >= gap.stop or w.first_sample + w.n_samples <= gap.start
    }
    assert {place(w) for w in with_gap} == untouched


def test_duplicates_change_nothing() -> None:
    chunks = chunks_of(recording(16_000, 1.0, 1, 6), 16_000, [5_000, 9_000, 12_000])

    doubled = stream([chunk for chunk in chunks for _ in range(2)])

    assert [place(w) for w in doubled] == [(w.slot.detector, w.first_sample) for w in stream(chunks)]
