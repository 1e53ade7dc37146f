"""The detectors a device may run, and the defaults of each kind of device."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.device import Device, DeviceKind
from schemas.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Detector:
    """A model role and how its exceedances become alerts.

    Attributes:
        name: of the role.
        min_confirmations: windows above their threshold that open an alert,
        window_count: out of this many latest windows, 1 to 16.
        release_ns: quiet audio that closes the alert, ns.
        hysteresis: a window counts as quiet when it is this share of the margin below the threshold, 0 to 1.
        cooldown_ns: audio after an alert in which single scores open none, ns.
        update_ns: audio between two updates of an open alert, ns.
        sustained: whether the level of whole minutes is compared too: for lasting changes, not only for events.
        title: of alerts, for people.
    """

    name: str
    min_confirmations: int
    window_count: int
    release_ns: int
    hysteresis: float
    cooldown_ns: int
    update_ns: int
    sustained: bool
    title: str


_SECOND_NS = 1_000_000_000

# Machine windows come every 0.96 s, scream windows every 0.24 s.
MACHINE = Detector(
    "machine",
    min_confirmations=3,
    window_count=4,
    release_ns=6 * _SECOND_NS,
    hysteresis=0.1,
    cooldown_ns=60 * _SECOND_NS,
    update_ns=10 * _SECOND_NS,
    sustained=True,
    title="Unusual sound",
)
SCREAM = Detector(
    "scream",
    min_confirmations=2,
    window_count=3,
    release_ns=3 * _SECOND_NS,
    hysteresis=0.0,
    cooldown_ns=0,
    update_ns=5 * _SECOND_NS,
    sustained=False,
    title="Scream",
)

DETECTORS = {detector.name: detector for detector in (MACHINE, SCREAM)}

_BY_KIND: dict[DeviceKind, tuple[str, ...]] = {"machine": ("machine",), "room": ("scream",)}


def detectors_of(device: Device) -> tuple[str, ...]:
    """Names of the detectors a device runs: those of its manifest, or the defaults of its kind.

    Raises:
        SettingsError: the manifest names one that does not exist.
    """
    names = _BY_KIND[device.kind] if device.detectors is None else device.detectors
    for name in names:
        if name not in DETECTORS:
            raise SettingsError(f"device {device.device_id!r}: no detector {name!r}; there are {', '.join(DETECTORS)}")
    return names
