"""What a pipeline is connected to: manifests, model sets and a scorer of windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from processors.core.alerting.decision import ScoredWindow
from processors.core.models.model import ModelSet
from processors.core.windowing.segment import Segment
from schemas.chunk import Chunk
from schemas.device import Device, DeviceKind


class DeviceManifests(Protocol):
    """Knows devices' manifests; a :class:`processors.adapters.kafka.compacted_topic.CompactedTopicFollower`."""

    def get(self, device_id: str) -> Device | None:
        """A device's manifest, as far as known."""
        ...

    async def catch_up(self) -> object:
        """Returns once all manifests announced so far are known, or cannot be read for now.

        A producer announces its device before its first chunk, so a device unknown after this has no manifest.
        """
        ...


class ModelSets(Protocol):
    """Knows which models score a device."""

    @property
    def revision(self) -> int:
        """Counts up with every change of any model set."""
        ...

    def model_set(self, device_id: str, kind: DeviceKind, detectors: Sequence[str]) -> ModelSet:
        """The models of a device: a champion for each detector, in that order, and shadows."""
        ...


class WindowScorer(Protocol):
    """Scores the windows that chunks complete; see :class:`processors.stream.batch_scorer.BatchScorer`."""

    def score(
        self, arrivals: Sequence[tuple[Segment, Chunk, int]], partition_by_device: Mapping[str, int]
    ) -> list[ScoredWindow]:
        """Scored windows; those of one device and slot are in order of their ends."""
        ...
