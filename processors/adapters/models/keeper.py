"""Keeps one target's model what is announced for it: fetched, checked and warm before it scores."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog

from processors.adapters.models.daemon_call import daemon_call
from processors.core.models.assignments import ModelAssignments, Target
from processors.core.models.model import ScoringModel
from schemas.artefact import Artefact
from schemas.assignment import ModelState
from schemas.errors import ModelRefused

_log = structlog.get_logger(__name__)

_MAX_REST_S = 60.0
_MAX_PASSED_OVER = 3


class Source(Protocol):
    """Makes announced models ready; see :class:`processors.adapters.models.source.ModelSource`. Its calls block."""

    def obtain(self, artefact: Artefact) -> ScoringModel:
        """The model, from wherever it is to be had."""
        ...

    def recall(self, artefact: Artefact) -> ScoringModel:
        """The model, if it is at hand."""
        ...

    def last_good(self, target: Target) -> Artefact | None:
        """What scored a target last."""
        ...

    def remember(self, target: Target, artefact: Artefact | None) -> None:
        """Notes what scores it from now on."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is announced for a target.

    Attributes:
        artefact: None leaves it to the wider scope.
        revision: of the assignment.
    """

    artefact: Artefact | None
    revision: int


Say = Callable[[Target, Wanted, ModelState, Exception | None], None]
"""Reports what became of an announcement, and why."""


class ModelKeeper:
    """One target's keeper. Of announcements that come faster than they can be followed, the newest is acted upon.

    A model that cannot be had or does not pass changes nothing: what scored goes on. At a start nothing scores yet;
    then the target's last good model is recalled from the cache. A file that was refused is tried again only under a
    new revision, and each time later.

    Args:
        target: whose.
        models: told what scores.
        source: see there.
        say: see :data:`Say`.
        turn: how many models are tried at once, in the whole worker.
        rest_s: shortest time between two attempts, seconds; after failures it doubles.
    """

    def __init__(
        self,
        target: Target,
        models: ModelAssignments,
        source: Source,
        say: Say,
        turn: asyncio.Semaphore,
        rest_s: float = 0.25,
    ) -> None:
        self.target = target
        self.settled = asyncio.Event()
        """Set once the target has a model, or can do without."""
        self._models = models
        self._source = source
        self._say = say
        self._turn = turn
        self._rest_s = rest_s
        self._wanted = Wanted(None, -1)
        self._changed = asyncio.Event()
        self._refused: Wanted | None = None
        self._waiting: Wanted | None = None
        self._failures = 0
        self._not_before = 0.0
        self._passed_over = 0
        self._may_recall = True

    def want(self, wanted: Wanted) -> None:
        """Takes note of an announcement."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._changed.set()

    async def run(self) -> None:
        """Follows what is wanted, until cancelled."""
        rest: float | None = None
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), rest)
            self._changed.clear()
            rest = await self._follow(self._wanted)
            await asyncio.sleep(self._rest_s)

    async def _follow(self, wanted: Wanted) -> float | None:
        """Brings the target to what is wanted; returns after how many seconds to try again, None where need not be."""
        if wanted.artefact is None:
            await self._take(wanted, None)
            return None
        if self._refused is not None and _same_file(self._refused, wanted):
            if self._refused == wanted:
                return None
            if (left := self._not_before - asyncio.get_running_loop().time()) > 0:
                return left
        try:
            async with self._turn:
                model = await daemon_call(partial(self._source.obtain, wanted.artefact))
        except ModelRefused as error:
            await self._refuse(wanted, error)
            return None
        except Exception as error:
            # Also what nobody foresaw: a model must not end a worker.
            return await self._wait(wanted, error)
        if not _same_file(self._wanted, wanted) and self._passed_over < _MAX_PASSED_OVER:
            # Announcements that never rest are not followed for ever without taking one.
            self._passed_over += 1
            return 0.0
        await self._take(wanted, model)
        self._say(self.target, wanted, "ready", None)
        return None

    async def _take(self, wanted: Wanted, model: ScoringModel | None) -> None:
        self._models.put(self.target, model)
        self._refused, self._waiting = None, None
        self._failures = self._passed_over = 0
        self.settled.set()
        await daemon_call(partial(self._source.remember, self.target, wanted.artefact))

    async def _refuse(self, wanted: Wanted, error: ModelRefused) -> None:
        again = self._refused is not None and _same_file(self._refused, wanted)
        self._failures = self._failures + 1 if again else 1
        self._refused = wanted
        self._not_before = asyncio.get_running_loop().time() + self._backoff()
        self._say(self.target, wanted, "refused", error)
        await self._recall(wanted)
        self.settled.set()

    async def _wait(self, wanted: Wanted, error: Exception) -> float:
        again = self._waiting is not None and _same_file(self._waiting, wanted)
        self._failures = self._failures + 1 if again else 1
        if self._waiting != wanted:
            self._waiting = wanted
            self._say(self.target, wanted, "waiting", error)
        if await self._recall(wanted) or self.target.stage == "shadow":
            self.settled.set()
        return self._backoff()

    async def _recall(self, wanted: Wanted) -> bool:
        """Whether the target has a model, its last good one where it would have none."""
        if self._models.get(self.target) is not None:
            return True
        if not self._may_recall:
            return False
        self._may_recall = False
        good = await daemon_call(partial(self._source.last_good, self.target))
        if good is None or (wanted.artefact is not None and good.sha256 == wanted.artefact.sha256):
            return False
        try:
            model = await daemon_call(partial(self._source.recall, good))
        except Exception as error:
            _log.warning("the last good model cannot be recalled", target=self.target, error=repr(error))
            return False
        self._models.put(self.target, model)
        _log.warning("the last good model goes on", target=self.target, version=good.version, sha256=good.sha256)
        return True

    def _backoff(self) -> float:
        return float(min(self._rest_s * 2.0 ** min(self._failures, 16), _MAX_REST_S))


def _same_file(one: Wanted, other: Wanted) -> bool:
    return (one.artefact and one.artefact.sha256) == (other.artefact and other.artefact.sha256)
