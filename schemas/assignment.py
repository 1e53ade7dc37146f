"""Which models a detector runs on which devices, on the compacted models topic."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from schemas.artefact import Artefact
from schemas.bounds import Count, Label
from schemas.cloudevents import MAX_NS
from schemas.device import Name
from schemas.event import Event
from schemas.scope import Scope

MAX_PREVIOUS = 16


class Assignment(Event):
    """The models of one detector and scope; the newest record under a key applies, and is complete.

    Attributes:
        detector: the role.
        scope: the devices it applies to.
        champion: the model whose scores may alert; None leaves the wider scope's, or the shipped one, in place.
        shadow: a model that scores beside it and never alerts, or None.
        previous: earlier champions, the newest first, for rollback.
        revision: counts up with every change.
        note: for people.
        announced_ns: nanoseconds since 1970.
    """

    event_type: ClassVar[str] = "tocsin.assignment.v1"

    detector: Name
    scope: Scope
    champion: Artefact | None = None
    shadow: Artefact | None = None
    previous: Annotated[tuple[Artefact, ...], Field(max_length=MAX_PREVIOUS)] = ()
    revision: Count
    note: Annotated[str, Field(max_length=500)] = ""
    announced_ns: Annotated[int, Field(ge=0, le=MAX_NS)]

    @model_validator(mode="after")
    def _models_match_detector(self) -> Assignment:
        for artefact in (self.champion, self.shadow, *self.previous):
            if artefact is not None and artefact.detector != self.detector:
                raise ValueError(f"a model for {artefact.detector!r} is assigned to {self.detector!r}")
        return self

    def key(self) -> str:
        return f"{self.detector}/{self.scope}"

    def event_id(self) -> str:
        return f"{self.key()}/{self.revision}/{self.announced_ns}"

    def source(self) -> str:
        return f"/tocsin/models/{self.detector}"

    def time_ns(self) -> int:
        return self.announced_ns


ModelState = Literal["ready", "refused", "waiting"]


class ModelStatus(Event):
    """One worker's report on an assigned model, on the status topic.

    Attributes:
        worker: the worker's name.
        detector, scope, revision: of the assignment.
        stage: ``champion`` or ``shadow``.
        sha256, version: of the model.
        state: ``ready``: it scores from now on; ``refused``: it never will, and the last good one continues;
            ``waiting``: it could not be fetched yet.
        error: class of the error, from :mod:`schemas.errors`; empty without one.
        message: for people.
        at_ns: nanoseconds since 1970.
    """

    event_type: ClassVar[str] = "tocsin.model-status.v1"

    worker: Annotated[str, Field(min_length=1, max_length=200)]
    detector: Name
    scope: Scope
    revision: Count
    stage: Literal["champion", "shadow"]
    sha256: Label
    version: Label
    state: ModelState
    error: Label = ""
    message: Annotated[str, Field(max_length=2_000)] = ""
    at_ns: Annotated[int, Field(ge=0, le=MAX_NS)]

    def key(self) -> str:
        return f"{self.detector}/{self.scope}"

    def event_id(self) -> str:
        return f"{self.worker}/{self.key()}/{self.revision}/{self.stage}/{self.state}/{self.at_ns}"

    def source(self) -> str:
        return f"/tocsin/workers/{self.worker}"

    def time_ns(self) -> int:
        return self.at_ns
