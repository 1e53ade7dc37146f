"""The feature buffer: rows of single or pooled frames in the stream."""

from __future__ import annotations

import numpy as np
import pytest

from processors.core.audio.feature_buffer import FeatureBuffer, pool_frames
from processors.core.audio.mel import normalise_level
from processors.core.audio.recording import rows_of
from processors.core.windowing.device_stream import DeviceStream
from processors.core.windowing.extraction import Extractor
from schemas.chunk import Chunk
from schemas.features import FeatureSpec

from .models import model_set

PLAIN = FeatureSpec(n_frames=20, window_hop=20)
POOLED = FeatureSpec(n_frames=10, window_hop=1, pool=50)
RNG = np.random.default_rng(3)


def chunk(number: int, samples: np.ndarray) -> Chunk:
    return Chunk(
        device_id="d",
        session_id="s",
        sequence=number,
        first_sample=number * len(samples),
        sample_rate=16_000,
        channels=1,
        captured_ns=0,
        pcm=samples.tobytes(),
    )


def test_a_row_is_the_mean_and_deviation_of_its_frames() -> None:
    sound = RNG.normal(0, 0.1, 48_000).astype(np.float32)
    frames, rows = rows_of(sound, 16_000, PLAIN), rows_of(sound, 16_000, POOLED)
    assert rows.shape == (len(frames) // 50, 128)
    np.testing.assert_allclose(rows[1, :64], frames[50:100].mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(rows[1, 64:], frames[50:100].std(axis=0), atol=1e-4)


def test_rows_lie_on_the_sessions_grid_wherever_the_stream_began() -> None:
    frames, power = RNG.normal(-50, 5, (47, 4)).astype(np.float32), RNG.random(47, np.float32)
    whole = pool_frames(frames, 5)
    rows = FeatureBuffer(4, 5, first_frame=13)
    for index in range(13, 47):
        rows.add(frames[index : index + 1], power[index : index + 1])
    assert (rows.first_row, rows.end_row) == (3, 9)
    got, mean_power = rows.window(3, 6)
    np.testing.assert_allclose(got, whole[3:9], atol=1e-5)
    assert mean_power == pytest.approx(power[15:45].mean(), rel=1e-5)


def test_dropped_rows_leave_the_others_in_place() -> None:
    frames = RNG.normal(-50, 5, (40, 4)).astype(np.float32)
    rows = FeatureBuffer(4, 5, first_frame=0)
    rows.add(frames, np.ones(40, np.float32))
    rows.drop_before(6)
    rows.drop_before(2)
    assert (rows.first_row, rows.end_row) == (6, 8)
    np.testing.assert_allclose(rows.window(7, 1)[0], pool_frames(frames, 5)[7:8], atol=1e-5)


def test_a_ten_second_window_needs_ten_rows_and_the_chunks_of_its_frames() -> None:
    device, extractor = DeviceStream("d", model_set({"pooled": POOLED, "plain": PLAIN})), Extractor()
    windows = []
    for number in range(56):
        device.admit(piece := chunk(number, RNG.normal(0, 3_000, 4_000).astype(np.int16)))
        assert device.segment is not None
        windows += extractor.extract([(device.segment, piece, number)])
        held = {
            cutter.model.name: cutter.buffer.end_row - cutter.buffer.first_row  # type: ignore[attr-defined]
            for cutter in device.segment._cutters()
        }
        assert held["pooled"] <= 10
        assert held["plain"] <= 32
    mine = [window for window in windows if window.slot.detector == "pooled"]
    assert [window.first_sample for window in mine] == [0, 16_000, 32_000, 48_000]
    # 56 chunks are 14 s: the window to come begins at 4 s, in chunk 16; at 16 kHz nothing is resampled.
    assert device.segment.frontier() == 16
    assert device.segment.needed_from() == 64_000
    assert (mine[1].first_offset, mine[1].last_offset) == (4, (16_000 + POOLED.window_samples - 1) // 4_000)


def test_detectors_that_differ_in_pooling_alone_share_their_frames() -> None:
    device = DeviceStream("d", model_set({"pooled": POOLED, "plain": PLAIN}))
    device.admit(piece := chunk(0, np.zeros(4_000, np.int16)))
    assert len(device.segment.push(piece, 0)) == 1


def test_gain_does_not_change_a_level_normalised_row() -> None:
    sound = RNG.normal(0, 0.1, 170_000).astype(np.float32)
    rows = [rows_of(sound * np.float32(gain), 16_000, POOLED)[None] for gain in (1.0, 0.05)]
    loud, soft = (normalise_level(one, POOLED) for one in rows)
    np.testing.assert_allclose(loud, soft, atol=1e-3)
    assert abs(float(loud[:, :, :64].mean())) < 1e-3
    np.testing.assert_array_equal(loud[:, :, 64:], rows[0][:, :, 64:])


def test_a_waveform_row_is_the_samples_themselves() -> None:
    spec = FeatureSpec(transform="waveform", n_fft=512, win_length=512, hop=512, level="none", n_frames=2, window_hop=1)
    sound = RNG.normal(0, 0.1, 5_200).astype(np.float32)
    rows = rows_of(sound, 16_000, spec)
    np.testing.assert_array_equal(rows.ravel(), sound[:5_120])
