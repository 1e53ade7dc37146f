"""Rows of the recipe mimii-ae: each synthetic machine by itself, by the baseline's protocol, and a real motor."""

from __future__ import annotations

from pathlib import Path

from benchmarks.quality.one_class import measured, motor_set, synthetic_set
from benchmarks.quality.row import Row
from trainers.recipes.mimii_ae.recipe import MimiiAeRecipe

_EPOCHS = {"epochs": "50", "batch": "128"}
_KNOWN = {"fan": ".681", "pump": ".670", "slider": ".733", "valve": ".558"}


def machine(kind: str, order: int) -> Row:
    """The baseline's protocol on one synthetic machine."""
    return measured(
        MimiiAeRecipe(),
        synthetic_set(),
        _EPOCHS | {"machine": kind, "protocol": "baseline"},
        variant="64 mels x 5, 64-64-8-64-64",
        on=f"one {kind} at -6 dB, faults 9 dB below it, baseline protocol",
        synthetic=True,
        known=f"{_KNOWN[kind]} on MIMII's own {kind}s at -6 dB (a rerun of the baseline)",
        order=order,
    )


def motor(data: Path | None) -> Row | None:
    """A real motor."""
    folder = motor_set(data)
    if folder is None:
        return None
    return measured(
        MimiiAeRecipe(), folder, _EPOCHS, variant="64 mels x 5, 64-64-8-64-64",
        on="electric motor, state 0 as normal, the other four as abnormal", synthetic=False,
        note="segments of each recording in turn: numbered cuts belong to one recording",
    )  # fmt: skip


def published(data: Path | None) -> Row | None:
    """The Keras weights that were published, as they are, on the real motor."""
    folder = motor_set(data)
    weights = None if data is None else data / "source-weights" / "sound_anomaly_detection_pretrain_fan.h5"
    if folder is None or weights is None or not weights.is_file():
        return None
    return measured(
        MimiiAeRecipe(), folder, {"weights": str(weights), "tuning": "no"}, variant="published weights (fan)",
        on="electric motor, state 0 as normal, the other four as abnormal", synthetic=False,
        note="trained on MIMII's fans, not on this motor", order=1,
    )  # fmt: skip


ROWS = {
    f"mimii-ae-{kind}": (lambda _data, kind=kind, order=order: machine(kind, order))
    for order, kind in enumerate(_KNOWN)
} | {"mimii-ae-motor": motor, "mimii-ae-published": published}
