"""The models topic, followed by every worker for itself: assigned models become the ones that score."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from connections.kafka import KafkaConnection
from processors.adapters.kafka.messages import key_of, record_of
from processors.adapters.kafka.topic_follower import TopicFollower
from processors.adapters.models.announcements import Announcements
from processors.adapters.models.keeper import ModelKeeper, ModelProvider, Wanted
from processors.core.alerting.detectors import Detectors
from processors.core.models.assignments import ModelAssignments, Target
from schemas.artefact import Artefact
from schemas.assignment import Assignment, ModelState, ModelStatus
from schemas.errors import MalformedRecord, ModelRefused
from schemas.record import Record
from schemas.scope import Scope
from schemas.score import Stage
from schemas.topics import MODELS

_log = structlog.get_logger(__name__)

_STAGES: tuple[Stage, ...] = ("champion", "shadow")
_MAX_TARGETS = 10_000
_MAX_UNSENT = 1_000
_MAX_LOADING = 2
_START_S = 10.0
_SEND_S = 30.0


class AssignedModels:
    """Keeps the models of all targets as the topic assigns them.

    Args:
        bootstrap: the connection to Kafka.
        models: receives the models that score.
        provider: of models.
        send: sends a status; it may fail.
        detectors: by name; assignments for others are ignored.
        announcements: which of the topic's records apply; all of them unless given.
        worker: this worker's name; host and process id unless given.
        on_refused: called with the error class of every refusal.
    """

    def __init__(
        self,
        bootstrap: KafkaConnection,
        models: ModelAssignments,
        provider: ModelProvider,
        send: Callable[[Record], Awaitable[None]],
        detectors: Detectors,
        announcements: Announcements | None = None,
        worker: str | None = None,
        on_refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._on_refused = on_refused
        self._detectors = detectors
        self._announcements = announcements or Announcements()
        self._models = models
        self._provider = provider
        self._send = send
        self._worker = worker or f"{socket.gethostname()}-{os.getpid()}"
        self._follower = TopicFollower(bootstrap, MODELS, self.apply)
        self._load_slots = asyncio.Semaphore(_MAX_LOADING)
        self._keepers: dict[Target, ModelKeeper] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._unsent: asyncio.Queue[ModelStatus] = asyncio.Queue(_MAX_UNSENT)

    async def start(self) -> None:
        """Returns once every assigned champion, or its target's last good one, can score, or after 10 s.

        One that is not available at the first attempt is not waited for: until it is, the wider scope's model scores.
        """
        self._tasks.append(asyncio.create_task(self._send_statuses(), name="model-status"))
        # What was announced last stands, even if someone has since removed it from the topic.
        for assignment in self._announcements.restored():
            self._assign(assignment)
        await self._follower.start()
        while not await self._follower.catch_up():
            _log.warning("the assigned models are not known yet; nothing is scored meanwhile")
        waiting = [keeper for keeper in self._keepers.values() if keeper.target.stage == "champion"]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_S):
                for keeper in waiting:
                    await keeper.resolved.wait()
        if late := sorted(keeper.target for keeper in waiting if not keeper.resolved.is_set()):
            _log.warning("models are still fetched; other models score meanwhile", models=len(late), targets=late[:5])

    async def stop(self) -> None:
        """Stops following."""
        await self._follower.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def apply(self, message: Any) -> None:
        """Applies a message of the topic.

        Raises:
            ContractError: it is not an assignment.
        """
        if message.value is None and self._announcements.signed_only:
            _log.error("tombstone ignored: it is not signed; `tocsin models retire` signs", key=key_of(message)[:200])
            return
        if message.value is None:
            detector, _, scope = key_of(message).partition("/")
            try:
                retired = Scope(scope)
            except ValueError as error:
                raise MalformedRecord(f"a tombstone's key is detector/scope: {error}") from None
            for stage in _STAGES:
                self._want(Target(detector, retired, stage), Wanted(None, -1))
            return
        record = record_of(message)
        assignment = Assignment.from_record(record)
        try:
            self._announcements.accept(assignment, record)
        except ModelRefused as error:
            self._ignore(assignment, error)
            return
        self._assign(assignment)

    def _assign(self, assignment: Assignment) -> None:
        if assignment.detector not in self._detectors:
            _log.warning("assignment ignored: this build has no such detector", detector=assignment.detector)
            return
        for target, wanted in _targets(assignment):
            self._want(target, wanted)

    def _ignore(self, assignment: Assignment, error: ModelRefused) -> None:
        _log.error("announcement ignored", key=assignment.key(), revision=assignment.revision, error=str(error))
        for target, wanted in _targets(assignment):
            self._report(target, wanted, "refused", error)

    def refuse(self, sha256: str, error: ModelRefused) -> bool:
        """Takes a model that failed while it scored from its targets; False where it is assigned to none.

        Args:
            sha256: of the model.
            error: why.
        """
        failed = [keeper.target for keeper in self._keepers.values() if keeper.fail(sha256, error)]
        return bool(failed)

    def _want(self, target: Target, wanted: Wanted) -> None:
        keeper = self._keepers.get(target)
        if keeper is None:
            if wanted.artefact is None:
                return
            if len(self._keepers) >= _MAX_TARGETS:
                _log.error("assignment ignored: too many targets", target=target, most=_MAX_TARGETS)
                return
            keeper = ModelKeeper(target, self._models, self._provider, self._report, self._load_slots)
            self._keepers[target] = keeper
            self._tasks.append(asyncio.create_task(keeper.run(), name=f"model {target}"))
        keeper.want(wanted)

    def _report(self, target: Target, wanted: Wanted, state: ModelState, error: Exception | None) -> None:
        artefact = wanted.artefact
        if artefact is None:
            return
        status = ModelStatus(
            worker=self._worker[:200],
            detector=target.detector,
            scope=target.scope,
            revision=wanted.revision,
            stage=target.stage,
            sha256=artefact.sha256,
            version=artefact.version,
            state=state,
            error="" if error is None else type(error).__name__,
            message="" if error is None else str(error)[:2_000],
            at_ns=time.time_ns(),
        )
        if state == "refused":
            self._on_refused(status.error)
        log = _log.info if state == "ready" else _log.error
        log(
            f"model {state}",
            detector=target.detector,
            scope=target.scope,
            stage=target.stage,
            version=artefact.version,
            sha256=artefact.sha256[:12],
            revision=wanted.revision,
            error=f"{status.error}: {status.message}" if error is not None else None,
        )
        try:
            self._unsent.put_nowait(status)
        except asyncio.QueueFull:
            _log.warning("a model's status is not sent: the queue is full", state=state, version=artefact.version)

    async def _send_statuses(self) -> None:
        while True:
            status = await self._unsent.get()
            try:
                await asyncio.wait_for(self._send(status.to_record()), _SEND_S)
            except Exception as error:
                # A status is for people; scoring does not depend on it.
                _log.warning("a model's status was not sent", state=status.state, error=repr(error))


def _targets(assignment: Assignment) -> list[tuple[Target, Wanted]]:
    artefacts: dict[Stage, Artefact | None] = {"champion": assignment.champion, "shadow": assignment.shadow}
    return [
        (Target(assignment.detector, assignment.scope, stage), Wanted(artefact, assignment.revision))
        for stage, artefact in artefacts.items()
    ]
