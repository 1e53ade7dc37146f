"""Synthetic devices as sources."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from producers.sources.synthetic import synthetic_jobs
from schemas.errors import SettingsError
from synthesis.factory import demo_factory


def test_the_whole_factory_is_played() -> None:
    jobs = synthetic_jobs(seed=7, seconds=1.5)
    assert [job.device.device_id for job in jobs] == [device.device_id for device in demo_factory(7)]
    assert {job.device.kind for job in jobs} == {"machine", "room"}
    assert {job.length_ns for job in jobs} == {1_500_000_000}


def test_a_chosen_device_plays_its_rendered_sound() -> None:
    device = demo_factory(7)[0]
    (job,) = synthetic_jobs(seed=7, seconds=1.0, chosen=[device.device_id])
    (source,) = job.sources
    blocks = [block.samples for block in source.blocks()]
    expected = np.rint(device.render(0, device.sample_rate).astype(np.float64) * 32_768)
    assert np.array_equal(np.concatenate(blocks)[:, 0], expected.clip(-32_768, 32_767))


def test_without_seconds_the_sound_is_endless() -> None:
    (job,) = synthetic_jobs(seed=7, seconds=None, chosen=[demo_factory(7)[0].device_id])
    assert job.length_ns is None
    assert len(list(islice(job.sources[0].blocks(), 5))) == 5


def test_an_unknown_device_is_refused_with_the_choices() -> None:
    with pytest.raises(SettingsError, match=f"'fan-99'.*{demo_factory(7)[0].device_id}"):
        synthetic_jobs(seed=7, seconds=1, chosen=["fan-99"])


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_seconds_out_of_range_are_refused(seconds: float) -> None:
    with pytest.raises(SettingsError, match="--seconds"):
        synthetic_jobs(seed=7, seconds=seconds)


@pytest.mark.parametrize("seed", [-1, 2**62])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(SettingsError, match="--seed"):
        synthetic_jobs(seed=seed, seconds=1)
