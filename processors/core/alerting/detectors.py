"""Detectors: named model roles on a device, and how their exceedances become alerts."""

from __future__ import annotations

from collections.abc import Mapping
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
        kinds: devices of these kinds run it unless their manifest names detectors.
        default_model: file of the model that ships for it, or None.
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
    kinds: tuple[DeviceKind, ...] = ()
    default_model: str | None = None


Detectors = Mapping[str, Detector]
"""All detectors by name; see :func:`processors.adapters.models.detectors.load_detectors`."""


def detector_named(name: str, detectors: Detectors) -> Detector:
    """The detector of a name.

    Raises:
        SettingsError: there is none.
    """
    if name not in detectors:
        raise SettingsError(f"no detector {name!r}; there are {', '.join(detectors)}")
    return detectors[name]


def detectors_of(device: Device, detectors: Detectors) -> tuple[str, ...]:
    """Names of the detectors a device runs: those its manifest names, else those of its kind.

    Raises:
        SettingsError: the manifest names one that does not exist.
    """
    if device.detectors is None:
        return tuple(name for name, detector in detectors.items() if device.kind in detector.kinds)
    for name in device.detectors:
        if name not in detectors:
            raise SettingsError(f"device {device.device_id!r}: no detector {name!r}; there are {', '.join(detectors)}")
    return device.detectors
