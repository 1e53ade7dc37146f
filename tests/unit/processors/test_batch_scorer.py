"""The batch scorer: windows of many devices and models in shared batches, returned in each device's order."""

from __future__ import annotations

import numpy as np

from processors.core.models.model import Slot
from processors.core.windowing.segment import Segment
from processors.stream.batch_scorer import BatchScorer
from schemas.chunk import Chunk
from schemas.features import FeatureSpec
from tests.unit.core.models import FakeModel

CHAMPION = Slot("machine", "champion")
OLD = FakeModel("old", FeatureSpec(n_frames=12, window_hop=6, level="none"))
NEW = FakeModel("new", FeatureSpec(n_frames=20, window_hop=10, level="none"), scale=2.0)


def chunk(device: str, number: int) -> Chunk:
    pcm = np.random.default_rng(number).normal(0, 300, 4_000).astype(np.int16)
    return Chunk(device, "s", number, number * 4_000, 16_000, 1, 0, pcm.tobytes())


def test_where_a_model_takes_over_within_a_batch_windows_stay_in_order() -> None:
    scorer = BatchScorer()
    changing = Segment("a", "s", 16_000, 0, {CHAMPION: OLD})
    settled = Segment("b", "s", 16_000, 0, {CHAMPION: NEW})
    scorer.score([(changing, chunk("a", 0), 0)], {"a": 0})
    changing.set_models({CHAMPION: NEW})
    # The device that has the new model already comes first, so that its model is scored first.
    arrivals = [(settled, chunk("b", number), number) for number in range(8)]
    arrivals += [(changing, chunk("a", number), number) for number in range(1, 8)]

    scored = scorer.score(arrivals, {"a": 0, "b": 1})

    mine = [one for one in scored if one.window.device_id == "a"]
    versions = [one.window.model.ref.version for one in mine]
    assert versions == sorted(versions, reverse=True)
    assert set(versions) == {"old", "new"}
    ends = [one.window.end_sample for one in mine]
    assert ends == sorted(ends)
    for one in scored:
        scale = {"old": 1.0, "new": 2.0}[one.window.model.ref.version]
        np.testing.assert_allclose(one.score, scale * one.window.rows.mean(), rtol=1e-5)
        assert one.partition == {"a": 0, "b": 1}[one.window.device_id]
