"""The resampler: true to pitch, free of aliases, and the same from any start."""

from __future__ import annotations

import numpy as np
import pytest

from processors.core.audio.resample import Resampler

RATES = [1_000, 8_000, 11_025, 12_000, 22_050, 44_100, 48_000, 97_656, 192_000]


def tone(hz: float, rate: int, n: int) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(n) / rate)).astype(np.float32)


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_keeps_its_pitch(rate: int) -> None:
    resampler = Resampler(rate, 16_000)
    hz = min(rate, 16_000) * 0.2
    count = resampler.outputs_until(rate)

    got = resampler(tone(hz, rate, rate), 0, 0, count)

    edge = 2 * resampler.half_width * 16_000 // rate + 1
    np.testing.assert_allclose(got[edge:-edge], tone(hz, 16_000, count)[edge:-edge], atol=2e-4)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 192_000])
def test_frequencies_above_half_the_rate_are_removed(rate: int) -> None:
    resampler = Resampler(rate, 16_000)
    count = resampler.outputs_until(rate)

    got = resampler(tone(9_000, rate, rate), 0, 0, count)

    assert np.abs(got[200:-200]).max() < 0.5 * 10 ** (-80 / 20)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("start", [1, 37, 500])
def test_any_start_gives_the_same_samples(rate: int, start: int) -> None:
    sound = np.random.default_rng(2).normal(0, 0.1, max(rate // 4, 2_000)).astype(np.float32)
    resampler = Resampler(rate, 16_000)
    last = resampler.outputs_until(len(sound))
    first = resampler.outputs_from(start)

    late = resampler(sound[start:], start, first, last)

    np.testing.assert_allclose(late, resampler(sound, 0, 0, last)[first:], atol=1e-6)


@pytest.mark.parametrize("rate", RATES)
def test_needed_inputs_are_known_exactly(rate: int) -> None:
    resampler = Resampler(rate, 16_000)
    for start in (1, 999, 54_321):
        first = resampler.outputs_from(start)

        assert resampler.first_input(first) >= start
        assert first == 0 or resampler.first_input(first - 1) < start
    for end in (2_000, 54_321):
        last = resampler.outputs_until(end)

        assert resampler.last_input(last) >= end
        assert last == 0 or resampler.last_input(last - 1) < end or resampler.half_width == 0


def test_equal_rates_change_nothing() -> None:
    sound = np.random.default_rng(3).normal(0, 0.1, 100).astype(np.float32)

    np.testing.assert_array_equal(Resampler(16_000, 16_000)(sound, 50, 60, 70), sound[10:20])


@pytest.mark.parametrize("rate", [11_127, 15_991, 1_001, 191_999])
def test_rates_with_few_common_factors_are_met_within_a_clocks_error(rate: int) -> None:
    resampler = Resampler(rate, 16_000)

    assert resampler.up <= 2_000
    assert resampler.down / resampler.up == pytest.approx(rate / 16_000, rel=6e-6)
    tone = np.sin(2 * np.pi * 400 * np.arange(rate) / rate).astype(np.float32)
    resampled = resampler(tone, 0, 0, resampler.outputs_until(len(tone)))
    wanted = np.sin(2 * np.pi * 400 * np.arange(len(resampled)) / 16_000)
    middle = slice(2_000, len(resampled) // 4)
    np.testing.assert_allclose(resampled[middle], wanted[middle], atol=0.06)
