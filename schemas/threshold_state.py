"""How far a device's threshold is its own."""

from __future__ import annotations

from typing import Literal

ThresholdState = Literal["calibrating", "ready"]
"""``calibrating`` until a week of the device's own sound decides."""
