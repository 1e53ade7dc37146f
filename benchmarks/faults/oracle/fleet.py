"""Which detectors a device runs, as the devices topic and the detectors' file say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults.oracle.evidence import Message

_DEFAULT_KIND = "machine"


@dataclass(frozen=True, slots=True)
class Fleet:
    """The devices' detectors.

    Attributes:
        detectors: by name, as the file describes them.
        manifests: every manifest of a device, in their order.
    """

    detectors: Mapping[str, dict[str, Any]]
    manifests: Mapping[str, Sequence[dict[str, Any]]]

    def detectors_of(self, device: str) -> tuple[str, ...]:
        """Those of the newest manifest."""
        manifest = self.manifests.get(device, [{"kind": _DEFAULT_KIND}])[-1]
        named = manifest.get("detectors")
        if named:
            return tuple(named)
        return tuple(name for name, one in self.detectors.items() if manifest["kind"] in one.get("kinds", ()))

    def default_model(self, detector: str) -> str | None:
        """The file of the model that ships for a detector."""
        name = self.detectors[detector].get("default_model")
        return None if name is None else str(name)


def read_fleet(detectors: Path, devices: Sequence[Message]) -> Fleet:
    """Reads the file and the topic; what is no manifest is skipped."""
    manifests: dict[str, list[dict[str, Any]]] = {}
    for message in devices:
        try:
            manifest = json.loads(message.value or b"")
            key = (message.key or b"").decode()
        except ValueError:
            continue
        if isinstance(manifest, dict) and manifest.get("device_id") == key and manifest.get("kind"):
            manifests.setdefault(key, []).append(manifest)
    return Fleet(json.loads(detectors.read_text(encoding="utf-8")), manifests)
