"""Keeps one target on its assigned model: fetched, checked and warmed up before it scores."""

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

_MAX_PAUSE_S = 60.0
_MAX_SUPERSEDED = 3


class ModelProvider(Protocol):
    """Makes assigned models ready; see :class:`processors.adapters.models.source.ModelSource`. Its calls block."""

    def obtain(self, artefact: Artefact) -> ScoringModel:
        """The model, from the cache or the store."""
        ...

    def recall(self, artefact: Artefact) -> ScoringModel:
        """The model, from the cache alone."""
        ...

    def last_good(self, target: Target) -> Artefact | None:
        """The model that scored a target last, if known."""
        ...

    def remember(self, target: Target, artefact: Artefact | None) -> None:
        """Notes the model that scores a target from now on."""
        ...

    def failure(self, target: Target, revision: int, artefact: Artefact) -> ModelRefused | None:
        """Why a model failed while it scored a target under this revision; None where it did not."""
        ...

    def note_failure(self, target: Target, revision: int, artefact: Artefact, error: ModelRefused) -> None:
        """Notes that a model failed while it scored."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is assigned to a target.

    Attributes:
        artefact: the model; None leaves the target to the wider scope.
        revision: of the assignment.
    """

    artefact: Artefact | None
    revision: int


Report = Callable[[Target, Wanted, ModelState, Exception | None], None]
"""Reports the outcome for an assignment, with the error if there is one."""


class ModelKeeper:
    """Keeps one target on its assigned model. Of assignments that arrive faster than they can be followed, the newest
    counts.

    A model that is unavailable or does not pass changes nothing: the one that scores continues, or the wider scope's
    where the target has none. At a start none scores yet; then the target's last good model is recalled from the cache.
    A refused file is tried again only under a new
    revision, each time after a longer pause. So is one that fails while it scores: the model before it continues.

    Args:
        target: the target.
        models: receives the model that scores.
        provider: of models.
        report: see :data:`Report`.
        load_slots: bounds how many models are loaded at once in the whole worker.
        pause_s: shortest time between two attempts, seconds; after failures it doubles.
    """

    def __init__(
        self,
        target: Target,
        models: ModelAssignments,
        provider: ModelProvider,
        report: Report,
        load_slots: asyncio.Semaphore,
        pause_s: float = 0.25,
    ) -> None:
        self.target = target
        self.resolved = asyncio.Event()
        """Set once the target has a model, needs none, or is known to be without: its first attempt has ended."""
        self._models = models
        self._provider = provider
        self._report = report
        self._load_slots = load_slots
        self._pause_s = pause_s
        self._wanted = Wanted(None, -1)
        self._changed = asyncio.Event()
        self._refused: Wanted | None = None
        self._unavailable: Wanted | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._superseded = 0
        self._may_recall = True
        self._scoring = Wanted(None, -1)
        self._before: tuple[Wanted, ScoringModel | None] = (self._scoring, None)
        self._noting: set[asyncio.Task[None]] = set()

    def want(self, wanted: Wanted) -> None:
        """Sets what the target should run."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._changed.set()

    def fail(self, sha256: str, error: ModelRefused) -> bool:
        """Refuses the model that scores, at once, where it is the one given; the one before it continues, or none.

        Args:
            sha256: of the model that failed.
            error: why.
        """
        model, failed = self._models.get(self.target), self._scoring
        if model is None or model.ref.sha256 != sha256:
            return False
        self._scoring, before = self._before
        self._before = (Wanted(None, -1), None)
        self._models.put(self.target, before)
        wanted = self._wanted
        if wanted.artefact is not None and wanted.artefact.sha256 == sha256:
            self._refused = wanted
            self._failures += 1
            self._retry_at = asyncio.get_running_loop().time() + self._backoff()
            self._report(self.target, wanted, "refused", error)
        note = asyncio.create_task(self._note_failure(failed, error))
        self._noting.add(note)
        note.add_done_callback(self._noting.discard)
        return True

    async def _note_failure(self, failed: Wanted, error: ModelRefused) -> None:
        if failed.artefact is not None:
            note = partial(self._provider.note_failure, self.target, failed.revision, failed.artefact, error)
            await daemon_call(note)
        await daemon_call(partial(self._provider.remember, self.target, self._scoring.artefact))

    async def run(self) -> None:
        """Follows the assignments until cancelled."""
        pause: float | None = None
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), pause)
            self._changed.clear()
            pause = await self._follow(self._wanted)
            await asyncio.sleep(self._pause_s)

    async def _follow(self, wanted: Wanted) -> float | None:
        """Brings the target to its assignment; returns seconds until the next attempt, or None."""
        if wanted.artefact is None:
            await self._assign(wanted, None)
            return None
        if self._refused is not None and _same_file(self._refused, wanted):
            if self._refused == wanted:
                return None
            if (left := self._retry_at - asyncio.get_running_loop().time()) > 0:
                return left
        failure = await daemon_call(partial(self._provider.failure, self.target, wanted.revision, wanted.artefact))
        if failure is not None:
            await self._refuse(wanted, failure)
            return None
        try:
            async with self._load_slots:
                model = await daemon_call(partial(self._provider.obtain, wanted.artefact))
        except ModelRefused as error:
            await self._refuse(wanted, error)
            return None
        except Exception as error:
            # Any error: a model must not end a worker.
            return await self._note_unavailable(wanted, error)
        if not _same_file(self._wanted, wanted) and self._superseded < _MAX_SUPERSEDED:
            # Where assignments keep changing, one is taken all the same after a few.
            self._superseded += 1
            return 0.0
        await self._assign(wanted, model)
        self._report(self.target, wanted, "ready", None)
        return None

    async def _assign(self, wanted: Wanted, model: ScoringModel | None) -> None:
        self._replace(wanted)
        self._models.put(self.target, model)
        self._refused, self._unavailable = None, None
        self._failures = self._superseded = 0
        self.resolved.set()
        await daemon_call(partial(self._provider.remember, self.target, wanted.artefact))

    def _replace(self, wanted: Wanted) -> None:
        """Keeps the model that scores now, in case that the next one fails."""
        current = self._models.get(self.target)
        if wanted.artefact is None or current is None or current.ref.sha256 != wanted.artefact.sha256:
            self._before = (self._scoring, current) if wanted.artefact is not None else (Wanted(None, -1), None)
        self._scoring = wanted

    async def _refuse(self, wanted: Wanted, error: ModelRefused) -> None:
        again = self._refused is not None and _same_file(self._refused, wanted)
        self._failures = self._failures + 1 if again else 1
        self._refused = wanted
        self._retry_at = asyncio.get_running_loop().time() + self._backoff()
        self._report(self.target, wanted, "refused", error)
        await self._recall(wanted)
        self.resolved.set()

    async def _note_unavailable(self, wanted: Wanted, error: Exception) -> float:
        again = self._unavailable is not None and _same_file(self._unavailable, wanted)
        self._failures = self._failures + 1 if again else 1
        if self._unavailable != wanted:
            self._unavailable = wanted
            self._report(self.target, wanted, "waiting", error)
        await self._recall(wanted)
        self.resolved.set()
        return self._backoff()

    async def _recall(self, wanted: Wanted) -> bool:
        """Whether the target has a model: its last good one where it would have none."""
        if self._models.get(self.target) is not None:
            return True
        if not self._may_recall:
            return False
        self._may_recall = False
        last_good = await daemon_call(partial(self._provider.last_good, self.target))
        if last_good is None or (wanted.artefact is not None and last_good.sha256 == wanted.artefact.sha256):
            return False
        try:
            model = await daemon_call(partial(self._provider.recall, last_good))
        except Exception as error:
            _log.warning("the last good model cannot be recalled", target=self.target, error=repr(error))
            return False
        self._models.put(self.target, model)
        self._scoring = Wanted(last_good, -1)
        _log.warning(
            "the last good model continues", target=self.target, version=last_good.version, sha256=last_good.sha256
        )
        return True

    def _backoff(self) -> float:
        return float(min(self._pause_s * 2.0 ** min(self._failures, 16), _MAX_PAUSE_S))


def _same_file(one: Wanted, other: Wanted) -> bool:
    return (one.artefact and one.artefact.sha256) == (other.artefact and other.artefact.sha256)
