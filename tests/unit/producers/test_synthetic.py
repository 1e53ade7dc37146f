"""Synthetic devices as sources."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from producers.sources.synthetic import synthetic_parts
from schemas.errors import SettingsError
from synthesis.factory import demo_factory


def test_the_whole_factory_plays() -> None:
    parts = synthetic_parts(seed=7, seconds=1.5)
    assert [part.device.device_id for part in parts] == [device.device_id for device in demo_factory(7)]
    assert {part.device.kind for part in parts} == {"machine", "room"}
    assert {part.length_ns for part in parts} == {1_500_000_000}


def test_a_chosen_device_sounds_as_it_renders() -> None:
    device = demo_factory(7)[0]
    (part,) = synthetic_parts(seed=7, seconds=1.0, chosen=[device.device_id])
    (source,) = part.sources
    blocks = [block.samples for block in source.blocks()]
    expected = np.rint(device.render(0, device.sample_rate).astype(np.float64) * 32_768)
    assert np.array_equal(np.concatenate(blocks)[:, 0], expected.clip(-32_768, 32_767))


def test_without_seconds_there_is_no_end() -> None:
    (part,) = synthetic_parts(seed=7, seconds=None, chosen=[demo_factory(7)[0].device_id])
    assert part.length_ns is None
    assert len(list(islice(part.sources[0].blocks(), 5))) == 5


def test_a_device_that_is_none_is_refused_with_the_choices() -> None:
    with pytest.raises(SettingsError, match=f"'fan-99'.*{demo_factory(7)[0].device_id}"):
        synthetic_parts(seed=7, seconds=1, chosen=["fan-99"])


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_seconds_out_of_range_are_refused(seconds: float) -> None:
    with pytest.raises(SettingsError, match="--seconds"):
        synthetic_parts(seed=7, seconds=seconds)


@pytest.mark.parametrize("seed", [-1, 2**62])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(SettingsError, match="--seed"):
        synthetic_parts(seed=seed, seconds=1)
