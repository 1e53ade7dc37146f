"""Time-varying gains: tremolo, pulses, the ramp of a fault."""

from __future__ import annotations

import numpy as np

from synthesis.sound import Float64, Gain


def tremolo(hz: float, depth: float, phase: float = 0.0) -> Gain:
    """1 + ``depth`` sin(2 pi ``hz`` t + ``phase``), 0 <= depth <= 1."""

    def gain(t: Float64) -> Float64:
        return np.asarray(1.0 + depth * np.sin(2.0 * np.pi * hz * t + phase))

    return gain


def pulses(period: float, on: float, rise: float, offset: float = 0.0) -> Gain:
    """A pulse each ``period`` seconds: from 0 to 1 in ``rise`` seconds, and back to 0 from ``on`` on."""

    def gain(t: Float64) -> Float64:
        phase = np.mod(t - offset, period)
        up = np.clip(phase / rise, 0.0, 1.0)
        down = np.clip((on + rise - phase) / rise, 0.0, 1.0)
        return np.asarray(np.minimum(up, down))

    return gain


def ramp(onset: float, duration: float) -> Gain:
    """0 before ``onset`` seconds, 1 from ``onset + duration`` on, smooth between."""

    def gain(t: Float64) -> Float64:
        x = np.clip((t - onset) / duration, 0.0, 1.0)
        return np.asarray(x * x * (3.0 - 2.0 * x))

    return gain
