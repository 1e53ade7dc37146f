"""Augmentation of log-mel windows matches the acoustic effects it models."""

from __future__ import annotations

import numpy as np
import pytest

from processors.core.audio.mel import band_edges
from processors.core.audio.recording import rows_of
from schemas.features import FeatureSpec
from trainers.data.augment import (
    add_reverb,
    band_limits,
    frequency_responses,
    noise_floor,
    spec_augment,
    to_db,
    to_power,
    warp_matrices,
)

SPEC = FeatureSpec(n_frames=48, window_hop=12)


def test_the_floor_of_16_bit_rounding_is_as_measured() -> None:
    quiet = np.zeros(64_000)
    dither = np.random.default_rng(0).uniform(-0.5, 0.5, 64_000) / 32_768
    measured = rows_of((quiet + dither).astype(np.float32), 16_000, SPEC).mean()
    floors = to_db(noise_floor(np.random.default_rng(1), 400, 64, (0.0, 0.0)))
    assert floors.min() == pytest.approx(measured, abs=7.0)
    assert floors.max() > measured + 10.0


def test_a_lower_gain_raises_the_floor_by_as_much() -> None:
    here = to_db(noise_floor(np.random.default_rng(1), 5, 64, (0.0, 0.0)))
    far = to_db(noise_floor(np.random.default_rng(1), 5, 64, (-30.0, -30.0)))
    assert np.allclose(far - here, 30.0, atol=1e-3)


def test_power_and_decibels_are_inverse_above_the_floor() -> None:
    db = np.linspace(-99.0, 20.0, 64, dtype=np.float32)
    assert np.allclose(to_db(to_power(db)), db, atol=1e-3)
    assert to_db(np.zeros(1, np.float32))[0] == pytest.approx(-100.0)


def test_frequency_responses_are_smooth_and_differ() -> None:
    curves = frequency_responses(np.random.default_rng(2), 50, 64, 4.0)
    assert curves.shape == (50, 1, 64)
    assert curves.std() == pytest.approx(4.0, rel=0.3)
    assert np.abs(np.diff(curves, axis=2)).max() < 4.0


def test_masks_hide_a_band_and_a_time_span() -> None:
    windows = np.random.default_rng(3).normal(0.0, 10.0, (6, 48, 64)).astype(np.float32)
    before = windows.copy()
    changed = spec_augment(np.random.default_rng(4), windows, 1.0) != before
    assert changed.any(axis=(1, 2)).all()
    assert changed.mean() < 0.4
    assert not (spec_augment(np.random.default_rng(4), before.copy(), 0.0) != before).any()


def test_bands_are_attenuated_at_the_ends_only() -> None:
    curves = band_limits(np.random.default_rng(5), 200, 64, 0.5)
    assert curves.shape == (200, 1, 64)
    assert curves[:, :, 11:36].max() == curves[:, :, 11:36].min() == 0.0
    assert 0.3 < np.mean(curves[:, 0, 63] < -14.0) < 0.7
    assert not band_limits(np.random.default_rng(5), 20, 64, 0.0).any()


def test_reverb_adds_a_decaying_tail_and_nothing_before_the_sound() -> None:
    power = np.zeros((40, 16 + 30, 2), np.float32)
    power[:, 20] = 1.0
    wet = add_reverb(np.random.default_rng(6), power, 16, 0.02, 1.0)
    assert wet.shape == (40, 30, 2)
    assert not wet[:, :4].any()
    assert np.allclose(wet[:, 4], 1.0)
    tails = wet[:, 5:20]
    assert (tails[:, 0] > 0.0).all()
    assert (np.diff(tails, axis=1) < 0.0).all()
    assert tails.sum(axis=1).max() < 2.1


def test_sound_before_the_window_reverberates_into_it() -> None:
    power = np.zeros((4, 16 + 30, 2), np.float32)
    power[:, 15] = 1.0
    assert add_reverb(np.random.default_rng(6), power, 16, 0.02, 1.0)[:, 0].min() > 0.0
    assert not add_reverb(np.random.default_rng(6), power, 16, 0.02, 0.0).any()


def test_a_warp_moves_a_tone_by_its_factor() -> None:
    matrices = warp_matrices(SPEC, 1.25, 3)
    centres = band_edges(SPEC)[1:-1]
    tone = np.zeros(64, np.float32)
    tone[30] = 1.0
    for matrix, factor in zip(matrices, (0.8, 1.0, 1.25), strict=True):
        assert centres[int((tone @ matrix).argmax())] == pytest.approx(centres[30] * factor, rel=0.06)
    assert np.allclose(matrices[1], np.eye(64), atol=1e-5)
    assert (matrices[0][:, -1] == 0.0).all()
