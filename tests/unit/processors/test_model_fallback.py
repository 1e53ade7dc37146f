"""Models that fail while they score: their windows are scored by others, in their order, and it is told."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from processors.core.alerting.decision import ScoredWindow
from processors.core.models.model import Slot
from processors.core.windowing.window import Window
from processors.stream.batch_scorer import ModelsFailed, score_windows
from processors.stream.model_fallback import ModelFallback
from schemas.errors import ModelRefused, ScoreNotFinite, ScoringFailed, ShapeMismatch
from schemas.features import FeatureSpec
from schemas.notice import Notice
from tests.unit.core.models import FakeModel

SPEC = FeatureSpec(n_frames=4, window_hop=2, level="none", n_mels=8)
Score = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]


class Failing(FakeModel):
    """A model whose scores are someone else's."""

    def __init__(self, name: str, score: Score) -> None:
        super().__init__(name, SPEC)
        object.__setattr__(self, "score", score)


def _raise(_: np.ndarray) -> tuple[np.ndarray, None]:
    raise MemoryError("bad_alloc")


def _nan_on_silence(features: np.ndarray) -> tuple[np.ndarray, None]:
    means = features.mean(axis=(1, 2))
    return np.where(means == 0.0, np.nan, means), None


FAULTS: dict[str, tuple[Score, type[ModelRefused]]] = {
    "not finite": (_nan_on_silence, ScoreNotFinite),
    "raises": (_raise, ScoringFailed),
    "too few": (lambda f: (np.zeros(len(f) - 1, np.float32), None), ShapeMismatch),
    "bands": (lambda f: (np.zeros(len(f), np.float32), np.zeros((len(f), 3), np.float32)), ShapeMismatch),
    "bands not finite": (lambda f: (np.zeros(len(f), np.float32), np.full((len(f), 8), np.inf)), ScoreNotFinite),
}
SHIPPED = FakeModel("shipped", SPEC)


def window(device: str, number: int, model: FakeModel, value: float) -> Window:
    slot = Slot("machine", "champion")
    rows = np.full((4, 8), value, np.float32)
    return Window(device, "s", slot, model, number * 10, 20, 100, 0, -20.0, rows, 0, 0)


async def complete(
    windows: list[Window], models: dict[str, FakeModel], shipped: FakeModel = SHIPPED
) -> tuple[list[ScoredWindow], list[Notice], list[str]]:
    """A batch scored with ``models`` by device; a refused one makes way for the shipped one."""
    refused: list[str] = []

    def refuse(sha256: str, error: ModelRefused) -> bool:
        mine = [device for device, model in models.items() if model.sha256 == sha256]
        refused.extend(type(error).__name__ for _ in mine)
        for device in mine:
            del models[device]
        return bool(mine)

    partitions = {one.device_id: 0 for one in windows}
    scored, errors = score_windows(dict(enumerate(windows)), partitions)
    assert errors
    with ThreadPoolExecutor(1) as executor:
        fallback = ModelFallback(refuse, lambda one: models.get(one.device_id, shipped), executor)
        return *(await fallback.complete(ModelsFailed(windows, scored, errors), partitions)), refused


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_windows_of_a_failed_model_are_scored_by_the_one_that_follows(fault: str) -> None:
    score, error = FAULTS[fault]
    bad, good = Failing("bad", score), FakeModel("good", SPEC, 2.0)
    windows = [window(device, n, bad if device == "a" else good, float(n)) for n in range(3) for device in "ab"]

    scored, notices, refused = await complete(windows, {"a": bad, "b": good})

    assert [(s.window.device_id, s.window.first_sample) for s in scored] == [
        (w.device_id, w.first_sample) for w in windows
    ]
    assert [s.window.model.ref.version for s in scored] == ["shipped", "good"] * 3
    assert [s.score for s in scored] == [0.0, 0.0, 1.0, 2.0, 2.0, 4.0]
    assert refused == [error.__name__]
    (notice,) = notices
    assert (notice.device_id, notice.kind, notice.count, notice.end_sample) == ("a", "model_refused", 3, 20)
    assert error.__name__ in notice.summary
    Notice.from_record(notice.to_record())


async def test_one_that_follows_may_fail_as_well() -> None:
    bad = Failing("bad", _raise)
    worse = Failing("worse", _nan_on_silence)

    scored, notices, refused = await complete([window("a", n, bad, n) for n in range(3)], {"a": bad}, shipped=worse)

    # The last one ships: it scores what it can.
    assert [(s.window.model.ref.version, s.score) for s in scored] == [("worse", 1.0), ("worse", 2.0)]
    assert refused == ["ScoringFailed"]
    assert [notice.count for notice in notices] == [3, 3]


async def test_a_shipped_model_scores_what_it_can() -> None:
    shipped = Failing("shipped", _nan_on_silence)

    scored, notices, refused = await complete([window("a", n, shipped, n) for n in range(3)], {}, shipped=shipped)

    assert [s.window.first_sample for s in scored] == [10, 20]
    assert refused == []
    assert "ships" in notices[0].summary


async def test_where_the_one_that_follows_needs_other_windows_the_failed_one_scores_what_it_can() -> None:
    bad = Failing("bad", _nan_on_silence)
    longer = FakeModel("longer", FeatureSpec(n_frames=8, window_hop=4, level="none", n_mels=8))

    scored, notices, refused = await complete([window("a", n, bad, n) for n in range(3)], {"a": bad}, shipped=longer)

    assert [(s.window.model.ref.version, s.score) for s in scored] == [("bad", 1.0), ("bad", 2.0)]
    assert refused == ["ScoreNotFinite"]
    assert len(notices) == 1
