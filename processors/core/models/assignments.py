"""Which model scores which device: shipped models, and models assigned to a device, to its kind or to all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from processors.core.models.model import ScoringModel, Slot
from schemas.scope import Scope, scopes_of
from schemas.score import Stage


class Target(NamedTuple):
    """The target of a model assignment.

    Attributes:
        detector: the role.
        scope: the devices that it scores.
        stage: ``champion`` or ``shadow``.
    """

    detector: str
    scope: Scope
    stage: Stage


class ModelAssignments:
    """The models that are loaded and ready to score.

    Args:
        shipped: by detector; the model that scores where none is assigned.
    """

    def __init__(self, shipped: Mapping[str, ScoringModel]) -> None:
        self._shipped = dict(shipped)
        self._assigned: dict[Target, ScoringModel] = {}
        self._revision = 0

    @property
    def revision(self) -> int:
        """Increases with every change."""
        return self._revision

    def get(self, target: Target) -> ScoringModel | None:
        """The model assigned to exactly this target, or None."""
        return self._assigned.get(target)

    def put(self, target: Target, model: ScoringModel | None) -> None:
        """Assigns a model to a target; None removes the assignment."""
        if self._assigned.get(target) is model:
            return
        if model is None:
            del self._assigned[target]
        else:
            self._assigned[target] = model
        self._revision += 1

    def model_set(self, device_id: str, kind: str, detectors: Sequence[str]) -> dict[Slot, ScoringModel]:
        """The models of a device: per slot the one of the narrowest scope that has one, else the shipped champion.

        A detector without either is left out: it scores once a model is published for it. A shadow equal to its
        champion is left out.
        """
        scopes = scopes_of(device_id, kind)
        found: dict[Slot, ScoringModel] = {}
        for detector in detectors:
            champion = self._narrowest(detector, "champion", scopes) or self._shipped.get(detector)
            if champion is None:
                continue
            found[Slot(detector, "champion")] = champion
            shadow = self._narrowest(detector, "shadow", scopes)
            if shadow is not None and shadow.ref.sha256 != champion.ref.sha256:
                found[Slot(detector, "shadow")] = shadow
        return found

    def _narrowest(self, detector: str, stage: Stage, scopes: Sequence[Scope]) -> ScoringModel | None:
        found = (self._assigned.get(Target(detector, scope, stage)) for scope in scopes)
        return next((model for model in found if model is not None), None)
