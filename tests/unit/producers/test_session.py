"""Sessions: chunks of equal length from blocks of any length."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.session import Session, chunk_samples
from schemas.chunk import MAX_BYTES, Chunk, decode_chunk, encode_chunk
from schemas.errors import InputError, SettingsError

START_NS = 1_760_000_000_000_000_001


def session(rate: int = 8_000, channels: int = 1, seconds: float = 0.25) -> Session:
    return Session("d", rate, channels, started_ns=START_NS, chunk_seconds=seconds, session_id="s")


def ramp(n: int, channels: int = 1) -> np.ndarray:
    return (np.arange(n * channels) % 65_536 - 32_768).astype(np.int16).reshape(n, channels)


def chunks_of(sound: np.ndarray, rate: int, channels: int) -> list[Chunk]:
    one = session(rate, channels)
    return one.push(sound) + one.flush()


@given(
    st.integers(0, 9_000),
    st.lists(st.integers(0, 9_000), max_size=12),
    st.sampled_from([(1_000, 1), (8_000, 2), (11_025, 3), (12_000, 1)]),
)
def test_chunks_do_not_depend_on_the_block_boundaries(n: int, cuts: list[int], form: tuple[int, int]) -> None:
    rate, channels = form
    sound = ramp(n, channels)
    edges = [0, *sorted(min(cut, n) for cut in cuts), n]
    cut = session(rate, channels)

    chunks = [chunk for a, b in pairwise(edges) for chunk in cut.push(sound[a:b])]
    chunks += cut.flush()

    assert chunks == chunks_of(sound, rate, channels)
    assert b"".join(chunk.pcm for chunk in chunks) == sound.astype("<i2").tobytes()


def test_chunks_are_numbered_and_the_last_one_is_short() -> None:
    chunks = chunks_of(ramp(5_000), 8_000, 1)

    assert [chunk.n_samples for chunk in chunks] == [2_000, 2_000, 1_000]
    assert [chunk.sequence for chunk in chunks] == [0, 1, 2]
    assert [chunk.first_sample for chunk in chunks] == [0, 2_000, 4_000]


def test_nothing_is_buffered_after_a_complete_chunk() -> None:
    one = session()
    assert len(one.push(ramp(4_000))) == 2
    assert one.flush() == []


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 192_000])
def test_capture_times_are_exact_after_a_year(rate: int) -> None:
    one = session(rate)
    a_year = 366 * 86_400 * rate
    one.skip(a_year + 1)
    (chunk,) = one.push(ramp(one.chunk_samples))

    assert chunk.first_sample == a_year + 1
    assert chunk.captured_ns == START_NS + 366 * 86_400 * 10**9 + 10**9 // rate


def test_a_session_has_a_new_id_each_time() -> None:
    ids = {Session("d", 8_000, 1, started_ns=0).session_id for _ in range(100)}
    assert len(ids) == 100


def test_lost_samples_leave_a_visible_gap() -> None:
    one = session()
    before = one.push(ramp(2_500))
    gap = one.skip(300)
    after = one.push(ramp(2_000))

    assert [chunk.n_samples for chunk in before + gap] == [2_000, 500]
    assert (after[0].sequence, after[0].first_sample) == (2, 2_800)
    assert one.end_sample == 4_800


def test_skipping_no_samples_has_no_effect() -> None:
    one = session()
    one.push(ramp(500))
    assert one.skip(0) == []
    assert [chunk.n_samples for chunk in one.push(ramp(1_500))] == [2_000]


def test_a_chunk_does_not_share_memory_with_the_block() -> None:
    one = session()
    block = ramp(2_000)
    expected = block.astype("<i2").tobytes()
    (chunk,) = one.push(block)
    block[:] = 0
    one.push(block)
    assert chunk.pcm == expected


@pytest.mark.parametrize("rate", [1_000, 8_000, 44_100, 192_000])
@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("seconds", [0.25, 0.5, 1.3, 2.0])
def test_every_chunk_keeps_the_contract(rate: int, channels: int, seconds: float) -> None:
    one = session(rate, channels, seconds)
    (chunk,) = one.push(ramp(one.chunk_samples, channels))

    assert len(chunk.pcm) <= MAX_BYTES
    assert decode_chunk(encode_chunk(chunk)) == chunk


def test_many_channels_make_short_chunks() -> None:
    assert chunk_samples(192_000, 8, 2.0) == MAX_BYTES // 16
    assert chunk_samples(16_000, 1, 0.5) == 8_000


@pytest.mark.parametrize("seconds", [0.0, 0.249, 2.001, -1.0, float("nan"), float("inf")])
def test_a_chunk_length_out_of_range_is_refused(seconds: float) -> None:
    with pytest.raises(SettingsError, match=r"0\.25 to 2 s"):
        chunk_samples(16_000, 1, seconds)


@pytest.mark.parametrize(("rate", "channels"), [(999, 1), (192_001, 1), (16_000, 0), (16_000, 9)])
def test_a_rate_or_channel_count_out_of_range_is_refused(rate: int, channels: int) -> None:
    with pytest.raises(InputError):
        session(rate, channels)


@pytest.mark.parametrize("shape", [(10,), (10, 2)])
def test_a_block_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="1 channels"):
        session().push(np.zeros(shape, dtype=np.int16))
