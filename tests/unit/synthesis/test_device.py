"""A device renders the same samples for every division of requests."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from synthesis.device import SyntheticDevice
from synthesis.factory import demo_factory

SECOND = 16_000


@pytest.fixture(scope="module")
def factory() -> dict[str, SyntheticDevice]:
    return {device.device_id: device for device in demo_factory()}


@pytest.mark.parametrize(
    "device_id", ["press-1", "fan-2", "pump-3", "compressor-4", "conveyor-5", "motor-6", "hall-1", "office-2"]
)
def test_every_cut_gives_the_same_bits(factory: dict[str, SyntheticDevice], device_id: str) -> None:
    device = factory[device_id]
    first = 44 * SECOND
    whole = device.render(first, 2 * SECOND)
    cuts = [0, 1, 4_000, 4_096, 8_191, 20_001, 2 * SECOND]
    pieces = [device.render(first + a, b - a) for a, b in pairwise(cuts)]
    assert np.array_equal(np.concatenate(pieces), whole)
    assert whole.dtype == np.float32


def test_order_does_not_matter(factory: dict[str, SyntheticDevice]) -> None:
    device = factory["hall-1"]
    late = device.render(50 * SECOND, SECOND)
    device.render(3, 7)
    assert np.array_equal(device.render(50 * SECOND, SECOND), late)


def test_a_render_is_audible_and_within_full_scale(factory: dict[str, SyntheticDevice]) -> None:
    for device in factory.values():
        samples = device.render(0, 5 * SECOND)
        level = 10.0 * np.log10(np.mean(samples.astype(np.float64) ** 2))
        assert -60.0 < level < -15.0, device.device_id
        assert np.abs(samples).max() < 1.0, device.device_id


def test_an_empty_render_is_empty_and_negative_arguments_are_rejected(factory: dict[str, SyntheticDevice]) -> None:
    device = factory["fan-2"]
    assert device.render(5, 0).shape == (0,)
    with pytest.raises(ValueError, match="-1"):
        device.render(-1, 10)
    with pytest.raises(ValueError, match="-3"):
        device.render(0, -3)


def test_samples_far_into_a_session_are_valid(factory: dict[str, SyntheticDevice]) -> None:
    samples = factory["pump-3"].render(10**10, SECOND)
    assert np.isfinite(samples).all()
    assert samples.std() > 1e-3
