"""PCM: rounding, clipping, and non-finite values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.pcm import full_scale_for, to_block
from schemas.errors import EmptyAudio, SettingsError


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


def test_steps_are_rounded_halves_to_even() -> None:
    step = 1 / 32_768
    block = to_block(column(0.0, 0.49 * step, 0.5 * step, 1.5 * step, -0.5 * step, -1.5 * step))
    assert block.samples[:, 0].tolist() == [0, 0, 0, 2, 0, -2]


def test_full_scale_itself_is_not_clipped() -> None:
    block = to_block(column(1.0, -1.0))
    assert block.samples[:, 0].tolist() == [32_767, -32_768]
    assert block.clipped == 0


def test_values_beyond_full_scale_are_clipped_and_counted() -> None:
    block = to_block(np.array([[1.5, 0.0], [-2.0, 1.0001], [0.0, -1e38]]))
    assert block.samples.tolist() == [[32_767, 0], [-32_768, 32_767], [0, -32_768]]
    assert block.clipped == 4


@given(st.integers(-32_768, 32_767), st.integers(-40, 40))
def test_steps_survive_any_power_of_two(step: int, exponent: int) -> None:
    full_scale = 2.0**exponent
    block = to_block(column(step / 32_768 * full_scale), full_scale=full_scale)
    assert block.samples[0, 0] == step
    assert block.clipped == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_values_and_tiny_scales_do_not_overflow(dtype: type) -> None:
    block = to_block(np.array([[np.finfo(dtype).max], [0.0]], dtype=dtype), full_scale=5e-324)
    assert block.samples[:, 0].tolist() == [32_767, 0]
    assert block.clipped == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_non_finite_value_is_refused_with_its_position(bad: float) -> None:
    values = np.zeros((10, 2), dtype=np.float32)
    values[7, 1] = bad
    with pytest.raises(EmptyAudio, match="sample 1007 of channel 1 is"):
        to_block(values, at=1000)


@pytest.mark.parametrize("full_scale", [0.0, -1.0, np.nan, np.inf])
def test_an_invalid_full_scale_is_refused(full_scale: float) -> None:
    with pytest.raises(SettingsError, match="full scale"):
        to_block(column(0.0), full_scale=full_scale)


@given(st.floats(min_value=0, max_value=1e300))
def test_the_default_full_scale_is_the_power_of_two_above_the_peak(peak: float) -> None:
    full_scale = full_scale_for(peak)
    assert np.frexp(full_scale)[0] == 0.5
    if peak > 0:
        assert full_scale / 2 <= peak < full_scale
        assert to_block(column(peak, -peak), full_scale=full_scale).clipped == 0


def test_silence_has_full_scale_one() -> None:
    assert full_scale_for(0.0) == 1.0
