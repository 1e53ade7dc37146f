"""A target's keeper: the newest assignment is followed, a bad one changes nothing, an absent store is retried."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from processors.adapters.models.keeper import ModelKeeper, Wanted
from processors.core.models.assignments import ModelAssignments, Target
from processors.core.models.model import ScoringModel
from schemas.artefact import Artefact
from schemas.errors import GoldenMismatch, ModelRefused, ScoreNotFinite, StoreUnavailable
from schemas.features import FeatureSpec
from tests.unit.core.models import FakeModel

TARGET = Target("machine", "all", "champion")
SPEC = FeatureSpec(n_frames=4, window_hop=2)


def artefact(name: str) -> Artefact:
    return Artefact(
        detector="machine",
        model_id="fake",
        version=name,
        sha256=FakeModel(name, SPEC).sha256,
        size=1,
        url="file:///store/x.onnx",
        features_hash=SPEC.hash(),
        published_ns=0,
    )


class Provider:
    """A model provider whose models can be bad, unavailable or slow."""

    def __init__(self) -> None:
        self.bad: set[str] = set()
        self.unavailable = False
        self.gate = threading.Event()
        self.gate.set()
        self.requested: list[str] = []
        self.remembered: dict[Target, Artefact | None] = {}
        self.cached: set[str] = set()
        self.failed: dict[tuple[Target, int, str], ModelRefused] = {}

    def failure(self, target: Target, revision: int, artefact: Artefact) -> ModelRefused | None:
        return self.failed.get((target, revision, artefact.version))

    def note_failure(self, target: Target, revision: int, artefact: Artefact, error: ModelRefused) -> None:
        self.failed[target, revision, artefact.version] = error

    def obtain(self, artefact: Artefact) -> ScoringModel:
        self.requested.append(artefact.version)
        self.gate.wait(10.0)
        if self.unavailable:
            raise StoreUnavailable("away")
        return self._model(artefact)

    def recall(self, artefact: Artefact) -> ScoringModel:
        if artefact.version not in self.cached:
            raise StoreUnavailable("not cached")
        return self._model(artefact)

    def last_good(self, target: Target) -> Artefact | None:
        return self.remembered.get(target)

    def remember(self, target: Target, artefact: Artefact | None) -> None:
        self.remembered[target] = artefact

    def _model(self, artefact: Artefact) -> ScoringModel:
        if artefact.version in self.bad:
            raise GoldenMismatch("off")
        return FakeModel(artefact.version, SPEC)


class Bench:
    def __init__(self, target: Target = TARGET, pause_s: float = 0.001) -> None:
        self.models = ModelAssignments({"machine": FakeModel("shipped", SPEC)})
        self.provider = Provider()
        self.reported: list[tuple[str, str, int, str]] = []
        self.keeper = ModelKeeper(target, self.models, self.provider, self._report, asyncio.Semaphore(1), pause_s)
        self.target = target
        self._revision = 0

    def _report(self, target: Target, wanted: Wanted, state: str, error: Exception | None) -> None:
        assert target == self.target
        assert wanted.artefact is not None
        self.reported.append(
            (state, wanted.artefact.version, wanted.revision, "" if error is None else type(error).__name__)
        )

    def want(self, name: str | None, revision: int | None = None) -> None:
        self._revision = self._revision + 1 if revision is None else revision
        self.keeper.want(Wanted(None if name is None else artefact(name), self._revision))

    @property
    def scoring(self) -> str | None:
        model = self.models.get(self.target)
        return None if model is None else model.ref.version


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20.0):
        while not condition():
            await asyncio.sleep(0.002)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    task = asyncio.create_task(made.keeper.run())
    yield made
    made.provider.gate.set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_assigned_model_scores_and_is_reported(bench: Bench) -> None:
    bench.want("a")
    await until(lambda: bool(bench.reported))

    assert bench.scoring == "a"
    assert bench.reported == [("ready", "a", 1, "")]
    assert bench.keeper.resolved.is_set()


async def test_a_refused_model_leaves_the_last_good_one_and_is_not_tried_again(bench: Bench) -> None:
    bench.want("a")
    await until(lambda: bench.scoring == "a")
    bench.provider.bad.add("b")

    bench.want("b", 7)
    await until(lambda: len(bench.reported) == 2)
    bench.want("a", 8)
    await until(lambda: len(bench.reported) == 3)
    requested = len(bench.provider.requested)
    bench.want("b", 9)
    await until(lambda: len(bench.reported) == 4)
    bench.keeper._changed.set()
    await asyncio.sleep(0.05)

    assert bench.reported[1:] == [
        ("refused", "b", 7, "GoldenMismatch"),
        ("ready", "a", 8, ""),
        ("refused", "b", 9, "GoldenMismatch"),
    ]
    assert len(bench.provider.requested) == requested + 1, "the same refused assignment was tried again"
    assert bench.scoring == "a"


async def test_a_file_that_was_refused_is_tried_again_under_a_new_revision(bench: Bench) -> None:
    bench.provider.bad.add("b")
    bench.want("b")
    await until(lambda: bool(bench.reported))
    bench.provider.bad.clear()

    bench.want("b")
    await until(lambda: bench.scoring == "b" and len(bench.reported) == 2)

    assert [state for state, *_ in bench.reported] == ["refused", "ready"]


async def test_of_many_assignments_only_the_newest_is_loaded(bench: Bench) -> None:
    bench.provider.gate.clear()
    bench.want("first")
    await until(lambda: bench.provider.requested == ["first"])
    for number in range(500):
        bench.want(f"v{number}")
    bench.provider.gate.set()
    await until(lambda: bench.scoring == "v499" and bool(bench.reported))

    assert bench.provider.requested == ["first", "v499"]
    assert [version for _, version, *_ in bench.reported] == ["v499"]


async def test_assignments_that_keep_changing_do_not_keep_every_model_from_scoring(bench: Bench) -> None:
    original = bench.provider.obtain
    numbers = iter(range(10_000))

    def obtain(wanted: Artefact) -> ScoringModel:
        # Whatever is fetched is outdated by the time it is here.
        bench.want(f"v{next(numbers)}")
        return original(wanted)

    bench.provider.obtain = obtain  # type: ignore[method-assign,assignment]
    bench.want("first")

    await until(lambda: bench.scoring is not None)


async def test_an_unavailable_store_is_tried_again_and_reported_once(bench: Bench) -> None:
    bench.provider.unavailable = True
    bench.want("a")
    await until(lambda: len(bench.provider.requested) >= 3)
    assert bench.keeper.resolved.is_set(), "no start waits for it"
    bench.provider.unavailable = False
    await until(lambda: bench.scoring == "a" and len(bench.reported) == 2)

    assert [state for state, *_ in bench.reported] == ["waiting", "ready"]
    assert bench.keeper.resolved.is_set()


async def test_where_a_model_fails_in_service_the_one_before_it_continues(bench: Bench) -> None:
    bench.want("a")
    await until(lambda: bench.scoring == "a")
    bench.want("b", 7)
    await until(lambda: bench.scoring == "b" and len(bench.reported) == 2)
    error = ScoreNotFinite("nan")

    assert not bench.keeper.fail(artefact("a").sha256, error)
    assert bench.keeper.fail(artefact("b").sha256, error)
    assert bench.scoring == "a"
    assert bench.reported[2:] == [("refused", "b", 7, "ScoreNotFinite")]
    await until(lambda: bench.provider.remembered[TARGET] == artefact("a"))
    assert bench.provider.failed == {(TARGET, 7, "b"): error}
    requested = len(bench.provider.requested)
    bench.keeper._changed.set()
    await asyncio.sleep(0.05)
    assert len(bench.provider.requested) == requested, "the same refused assignment was tried again"

    bench.want("b", 8)
    await until(lambda: bench.scoring == "b" and bench.reported[-1] == ("ready", "b", 8, ""))
    assert bench.keeper.fail(artefact("b").sha256, error)
    assert bench.keeper.fail(artefact("a").sha256, error)
    assert bench.scoring is None
    assert not bench.keeper.fail(artefact("a").sha256, error)


async def test_a_worker_that_starts_anew_does_not_try_what_failed_in_service(bench: Bench) -> None:
    bench.provider.note_failure(TARGET, 3, artefact("b"), ScoreNotFinite("nan"))
    bench.provider.remember(TARGET, artefact("a"))
    bench.provider.cached.add("a")

    bench.want("b", 3)
    await until(bench.keeper.resolved.is_set)

    assert bench.scoring == "a"
    assert bench.reported == [("refused", "b", 3, "ScoreNotFinite")]
    assert bench.provider.requested == []


@pytest.mark.parametrize("failing", ["unavailable", "bad"])
async def test_at_a_start_the_last_good_model_continues(bench: Bench, failing: str) -> None:
    bench.provider.remember(TARGET, artefact("good"))
    bench.provider.cached.add("good")
    bench.provider.unavailable = failing == "unavailable"
    bench.provider.bad.add("a")

    bench.want("a")
    await until(bench.keeper.resolved.is_set)

    assert bench.scoring == "good"


async def test_a_refused_first_model_leaves_the_wider_scope(bench: Bench) -> None:
    bench.provider.bad.add("a")
    bench.want("a")
    await until(bench.keeper.resolved.is_set)

    assert bench.scoring is None
    assert bench.models.model_set("d", "machine", ["machine"]).popitem()[1].ref.version == "shipped"


async def test_a_retired_assignment_leaves_the_wider_scope(bench: Bench) -> None:
    bench.want("a")
    await until(lambda: bench.scoring == "a")

    bench.want(None)
    await until(lambda: bench.scoring is None)

    assert bench.provider.remembered == {TARGET: None}


async def test_an_unexpected_error_is_survived(bench: Bench) -> None:
    def obtain(wanted: Artefact) -> ScoringModel:
        raise MemoryError("unexpected")

    working, bench.provider.obtain = bench.provider.obtain, obtain  # type: ignore[method-assign,assignment]
    bench.want("a")
    await until(lambda: bool(bench.reported))
    bench.provider.obtain = working  # type: ignore[method-assign]
    await until(lambda: bench.scoring == "a")

    assert bench.reported[0] == ("waiting", "a", 1, "MemoryError")


async def test_a_start_does_not_wait_for_a_shadow() -> None:
    bench = Bench(Target("machine", "all", "shadow"))
    task = asyncio.create_task(bench.keeper.run())
    bench.provider.unavailable = True
    bench.want("a")

    await until(bench.keeper.resolved.is_set)

    assert bench.scoring is None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
