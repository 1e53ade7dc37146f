"""Augmentation does to log-mel windows what the world does to sound."""

from __future__ import annotations

import numpy as np
import pytest

from processors.core.recording import rows_of
from schemas.features import FeatureSpec
from trainers.augment import coloured, masked, noise_floor, to_db, to_power

SPEC = FeatureSpec(n_frames=48, window_hop=12)


def test_rounding_to_16_bits_makes_the_floor_it_is_said_to_make():
    quiet = np.zeros(64_000)
    dither = np.random.default_rng(0).uniform(-0.5, 0.5, 64_000) / 32_768
    measured = rows_of((quiet + dither).astype(np.float32), 16_000, SPEC).mean()
    floors = to_db(noise_floor(np.random.default_rng(1), 400, 64, (0.0, 0.0)))
    assert floors.min() == pytest.approx(measured, abs=7.0)
    assert floors.max() > measured + 10.0


def test_a_lower_gain_raises_the_floor_by_as_much():
    here = to_db(noise_floor(np.random.default_rng(1), 5, 64, (0.0, 0.0)))
    far = to_db(noise_floor(np.random.default_rng(1), 5, 64, (-30.0, -30.0)))
    assert np.allclose(far - here, 30.0, atol=1e-3)


def test_power_and_decibels_are_inverse_above_the_floor():
    db = np.linspace(-99.0, 20.0, 64, dtype=np.float32)
    assert np.allclose(to_db(to_power(db)), db, atol=1e-3)
    assert to_db(np.zeros(1, np.float32))[0] == pytest.approx(-100.0)


def test_colours_are_smooth_and_differ():
    curves = coloured(np.random.default_rng(2), 50, 64, 4.0)
    assert curves.shape == (50, 1, 64)
    assert curves.std() == pytest.approx(4.0, rel=0.3)
    assert np.abs(np.diff(curves, axis=2)).max() < 4.0


def test_masks_hide_a_band_and_a_stretch():
    windows = np.random.default_rng(3).normal(0.0, 10.0, (6, 48, 64)).astype(np.float32)
    before = windows.copy()
    changed = masked(np.random.default_rng(4), windows, 1.0) != before
    assert changed.any(axis=(1, 2)).all()
    assert changed.mean() < 0.4
    assert not (masked(np.random.default_rng(4), before.copy(), 0.0) != before).any()
