"""A target's keeper: the newest announcement is followed, a bad one changes nothing, an absent store is waited for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from processors.adapters.model_keeper import ModelKeeper, Wanted
from processors.core.fleet_models import FleetModels, Target
from processors.core.roster import Model
from schemas.artefact import Artefact
from schemas.errors import GoldenMismatch, StoreUnavailable
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


class Store:
    """A source whose models can be bad, away or slow."""

    def __init__(self) -> None:
        self.bad: set[str] = set()
        self.away = False
        self.gate = threading.Event()
        self.gate.set()
        self.asked: list[str] = []
        self.remembered: dict[Target, Artefact | None] = {}
        self.cached: set[str] = set()

    def obtain(self, artefact: Artefact) -> Model:
        self.asked.append(artefact.version)
        self.gate.wait(10.0)
        if self.away:
            raise StoreUnavailable("away")
        return self._model(artefact)

    def recall(self, artefact: Artefact) -> Model:
        if artefact.version not in self.cached:
            raise StoreUnavailable("not cached")
        return self._model(artefact)

    def last_good(self, target: Target) -> Artefact | None:
        return self.remembered.get(target)

    def remember(self, target: Target, artefact: Artefact | None) -> None:
        self.remembered[target] = artefact

    def _model(self, artefact: Artefact) -> Model:
        if artefact.version in self.bad:
            raise GoldenMismatch("off")
        return FakeModel(artefact.version, SPEC)


class Bench:
    def __init__(self, target: Target = TARGET, rest_s: float = 0.001) -> None:
        self.models = FleetModels({"machine": FakeModel("shipped", SPEC)})
        self.store = Store()
        self.said: list[tuple[str, str, int, str]] = []
        self.keeper = ModelKeeper(target, self.models, self.store, self._say, asyncio.Semaphore(1), rest_s)
        self.target = target
        self._revision = 0

    def _say(self, target: Target, wanted: Wanted, state: str, error: Exception | None) -> None:
        assert target == self.target
        assert wanted.artefact is not None
        self.said.append(
            (state, wanted.artefact.version, wanted.revision, "" if error is None else type(error).__name__)
        )

    def want(self, name: str | None, revision: int | None = None) -> None:
        self._revision = self._revision + 1 if revision is None else revision
        self.keeper.want(Wanted(None if name is None else artefact(name), self._revision))

    @property
    def scoring(self) -> str | None:
        model = self.models.get(self.target)
        return None if model is None else model.ref.version


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20.0):
        while not holds():
            await asyncio.sleep(0.002)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    task = asyncio.create_task(made.keeper.run())
    yield made
    made.store.gate.set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_announced_model_scores_and_says_so(bench: Bench) -> None:
    bench.want("a")
    await until(lambda: bool(bench.said))

    assert bench.scoring == "a"
    assert bench.said == [("ready", "a", 1, "")]
    assert bench.keeper.settled.is_set()


async def test_a_refused_model_leaves_the_last_good_one_and_is_not_tried_again(bench: Bench) -> None:
    bench.want("a")
    await until(lambda: bench.scoring == "a")
    bench.store.bad.add("b")

    bench.want("b", 7)
    await until(lambda: len(bench.said) == 2)
    bench.want("a", 8)
    await until(lambda: len(bench.said) == 3)
    asked = len(bench.store.asked)
    bench.want("b", 9)
    await until(lambda: len(bench.said) == 4)
    bench.keeper._changed.set()
    await asyncio.sleep(0.05)

    assert bench.said[1:] == [
        ("refused", "b", 7, "GoldenMismatch"),
        ("ready", "a", 8, ""),
        ("refused", "b", 9, "GoldenMismatch"),
    ]
    assert len(bench.store.asked) == asked + 1, "the same refused announcement was tried again"
    assert bench.scoring == "a"


async def test_a_file_that_was_refused_is_tried_again_under_a_new_revision(bench: Bench) -> None:
    bench.store.bad.add("b")
    bench.want("b")
    await until(lambda: bool(bench.said))
    bench.store.bad.clear()

    bench.want("b")
    await until(lambda: bench.scoring == "b" and len(bench.said) == 2)

    assert [state for state, *_ in bench.said] == ["refused", "ready"]


async def test_of_many_announcements_only_the_newest_is_acted_upon(bench: Bench) -> None:
    bench.store.gate.clear()
    bench.want("first")
    await until(lambda: bench.store.asked == ["first"])
    for number in range(500):
        bench.want(f"v{number}")
    bench.store.gate.set()
    await until(lambda: bench.scoring == "v499" and bool(bench.said))

    assert bench.store.asked == ["first", "v499"]
    assert [version for _, version, *_ in bench.said] == ["v499"]


async def test_announcements_that_never_rest_do_not_keep_every_model_from_scoring(bench: Bench) -> None:
    original = bench.store.obtain
    numbers = iter(range(10_000))

    def obtain(wanted: Artefact) -> Model:
        # Whatever is fetched is outdated by the time it is here.
        bench.want(f"v{next(numbers)}")
        return original(wanted)

    bench.store.obtain = obtain  # type: ignore[method-assign,assignment]
    bench.want("first")

    await until(lambda: bench.scoring is not None)


async def test_a_store_that_is_away_is_asked_again_and_said_once(bench: Bench) -> None:
    bench.store.away = True
    bench.want("a")
    await until(lambda: len(bench.store.asked) >= 3)
    assert not bench.keeper.settled.is_set()
    bench.store.away = False
    await until(lambda: bench.scoring == "a" and len(bench.said) == 2)

    assert [state for state, *_ in bench.said] == ["waiting", "ready"]
    assert bench.keeper.settled.is_set()


@pytest.mark.parametrize("failing", ["away", "bad"])
async def test_at_a_start_the_last_good_model_goes_on(bench: Bench, failing: str) -> None:
    bench.store.remember(TARGET, artefact("good"))
    bench.store.cached.add("good")
    bench.store.away = failing == "away"
    bench.store.bad.add("a")

    bench.want("a")
    await until(bench.keeper.settled.is_set)

    assert bench.scoring == "good"


async def test_a_refused_first_model_leaves_the_wider_scope(bench: Bench) -> None:
    bench.store.bad.add("a")
    bench.want("a")
    await until(bench.keeper.settled.is_set)

    assert bench.scoring is None
    assert bench.models.roster("d", "machine", ["machine"]).popitem()[1].ref.version == "shipped"


async def test_an_assignment_that_is_taken_back_leaves_the_wider_scope(bench: Bench) -> None:
    bench.want("a")
    await until(lambda: bench.scoring == "a")

    bench.want(None)
    await until(lambda: bench.scoring is None)

    assert bench.store.remembered == {TARGET: None}


async def test_an_unforeseen_error_is_survived(bench: Bench) -> None:
    def obtain(wanted: Artefact) -> Model:
        raise MemoryError("nobody thought of it")

    working, bench.store.obtain = bench.store.obtain, obtain  # type: ignore[method-assign,assignment]
    bench.want("a")
    await until(lambda: bool(bench.said))
    bench.store.obtain = working  # type: ignore[method-assign]
    await until(lambda: bench.scoring == "a")

    assert bench.said[0] == ("waiting", "a", 1, "MemoryError")


async def test_a_shadow_is_not_waited_for() -> None:
    bench = Bench(Target("machine", "all", "shadow"))
    task = asyncio.create_task(bench.keeper.run())
    bench.store.away = True
    bench.want("a")

    await until(bench.keeper.settled.is_set)

    assert bench.scoring is None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
