"""A device's stream as its manifest, its detectors and its models have it now."""

from __future__ import annotations

import structlog

from processors.core.alerting.detectors import Detectors, detectors_of
from processors.core.models.model import ScoringModel, Slot
from processors.core.windowing.device_stream import DeviceStream
from processors.core.windowing.window import Window
from processors.stream.ports import DeviceManifests, ModelSets
from schemas.chunk import Chunk
from schemas.device import Device, DeviceKind
from schemas.errors import SettingsError

_log = structlog.get_logger(__name__)


class DeviceStreams:
    """Begins the streams of devices, and keeps them on their present models.

    Args:
        manifests: of devices.
        model_sets: which models score a device; a change applies from the device's next chunk on.
        detectors: by name.
        default_kind: the kind of a device without a manifest.
    """

    def __init__(
        self, manifests: DeviceManifests, model_sets: ModelSets, detectors: Detectors, default_kind: DeviceKind
    ) -> None:
        self._manifests = manifests
        self._model_sets = model_sets
        self._detectors = detectors
        self._default_kind: DeviceKind = default_kind

    def of(self, chunk: Chunk, known: DeviceStream | None) -> DeviceStream:
        """The device's stream; a new one where it is new, or a manifest from before the capture says another rate."""
        device = self._manifests.get(chunk.device_id) or Device(device_id=chunk.device_id, kind=self._default_kind)
        try:
            detectors = detectors_of(device, self._detectors)
        except SettingsError as error:
            detectors = detectors_of(device.model_copy(update={"detectors": None}), self._detectors)
            if known is None:
                _log.warning("the default detectors of the device's kind are used", error=str(error))
        revision = (self._model_sets.revision, device.kind)
        if known is not None and (known.sample_rate == device.sample_rate or chunk.captured_ns < device.announced_ns):
            if known.models_revision != revision or known.detectors != detectors:
                known.set_detectors(detectors, self._model_sets.model_set(device.device_id, device.kind, detectors))
                known.models_revision = revision
            return known
        if known is not None:
            known.close("new_manifest")
        model_set = self._model_sets.model_set(device.device_id, device.kind, detectors)
        if without := [name for name in detectors if Slot(name, "champion") not in model_set]:
            _log.warning("no model for a detector yet: publish one", device=device.device_id, detectors=without)
        return DeviceStream(chunk.device_id, model_set, device.sample_rate, device.announced_ns, revision, detectors)

    def substitute(self, window: Window) -> ScoringModel | None:
        """The model that scores a window's device in its slot by now."""
        device = self._manifests.get(window.device_id)
        kind = self._default_kind if device is None else device.kind
        return self._model_sets.model_set(window.device_id, kind, (window.slot.detector,)).get(window.slot)
