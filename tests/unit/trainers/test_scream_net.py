"""The scream network's input."""

from __future__ import annotations

import pytest
import torch

from trainers.recipes.scream.network import ScreamNet, above_floor, relative_level

pytestmark = pytest.mark.train

WINDOW = (1, 48, 64)


def noise(seed: int) -> torch.Tensor:
    return torch.randn(WINDOW, generator=torch.Generator().manual_seed(seed))


def test_gain_does_not_change_the_level() -> None:
    window = noise(1) * 5.0 - 50.0

    assert torch.allclose(relative_level(window), relative_level(window - 20.0), atol=1e-5)


def test_stationary_sound_is_at_the_floor_for_any_spectrum() -> None:
    spectrum = torch.linspace(3.0, -2.0, 64)
    steady = spectrum.expand(1, 1, 48, 64)
    burst = steady.clone()
    burst[:, :, 20:30, 40] += 1.5

    levels = above_floor(burst)

    assert torch.allclose(above_floor(steady), torch.zeros(1, 1, 48, 64), atol=1e-6)
    assert torch.allclose(levels[0, 0, 20:30, 40], torch.full((10,), 1.5), atol=1e-5)
    burst[:, :, 20:30, 40] -= 1.5
    assert torch.allclose(above_floor(burst), torch.zeros(1, 1, 48, 64), atol=1e-6)


def test_a_short_dip_is_not_the_floor() -> None:
    levels = torch.zeros(1, 1, 48, 64)
    levels[:, :, 10] = -3.0

    assert torch.allclose(above_floor(levels)[0, 0, 20], torch.full((64,), 3.0 / 5.0), atol=1e-6)


def test_the_network_uses_the_level_above_the_floor() -> None:
    torch.manual_seed(0)
    net = ScreamNet(4).eval()
    window = noise(2)
    before = net(window)

    with torch.no_grad():
        net.body[0][0].weight[:, 1] = 0.0  # type: ignore[index]

    assert not torch.allclose(net(window), before)
