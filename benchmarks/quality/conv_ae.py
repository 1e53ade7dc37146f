"""Rows of the recipe conv-ae: each form of abnormal_sound_detect on synthetic machines, some on real recordings."""

from __future__ import annotations

from pathlib import Path

from benchmarks.quality.one_class import measured, motor_set, synthetic_set
from benchmarks.quality.row import Row
from trainers.recipes.conv_ae.recipe import ConvAeRecipe

_EPOCHS = {"epochs": "20", "batch": "32", "least_steps": "600"}
_SMALL = {"preset": "small"}
_SEEDS = (1, 2)
_KNOWN = "accuracy .82 (1 s), .88 (2 s) on its own set, threshold swept on the test"

FORMS: dict[str, dict[str, str]] = {
    "log-mel, batchnorm, 1 s": {"form": "batchnorm"},
    "log-mel, batchnorm, 2 s": {"form": "batchnorm", "seconds": "2"},
    "log-mel, batchnorm, 1 s, compat": {"form": "batchnorm", "mode": "compat"},
    "log-mel, batchnorm, 2 s, compat": {"form": "batchnorm", "mode": "compat", "seconds": "2"},
    "log-mel, plain, 1 s": {"form": "plain"},
    "mel, plain, 1 s": {"form": "plain", "features": "mel"},
    "mel, plain, 1 s, compat": {"form": "plain", "features": "mel", "mode": "compat"},
    "log-mel, conv VAE, 1 s": {"form": "vae"},
    "log-mel, 1-D VAE, 1 s": {"form": "vae-1d"},
    "raw, dense, 1 s": {"form": "dense", "features": "raw"},
    "raw, dense, 1 s, compat": {"form": "dense", "features": "raw", "mode": "compat"},
}

_PUBLISHED = {"1": "abnormal_sound_detect_ae_log_20.pt", "2": "abnormal_sound_detect_2s_ae_log_35.pt"}
_MOTOR = "electric motor, state 0 as normal, the other four as abnormal"


def synthetic(order: int, variant: str, settings: dict[str, str]) -> Row:
    """A form on the synthetic machines, all four trained into one model."""
    return measured(
        ConvAeRecipe(),
        synthetic_set(),
        _SMALL | settings,
        variant=f"{variant}; preset=small",
        on="four machines at -6 dB, faults 9 dB below them",
        synthetic=True,
        known=_KNOWN,
        order=order,
        seeds=_SEEDS,
    )


def motor(data: Path | None) -> Row | None:
    """The later form on a real motor."""
    folder = motor_set(data)
    if folder is None:
        return None
    return measured(
        ConvAeRecipe(), folder, _EPOCHS, variant="log-mel, batchnorm, 1 s", on=_MOTOR, synthetic=False,
        note="segments of each recording in turn: numbered cuts belong to one recording",
    )  # fmt: skip


def published(data: Path | None, seconds: str) -> Row | None:
    """Weights that were published, as they are, on the real motor."""
    folder, weights = motor_set(data), None if data is None else data / "source-weights" / _PUBLISHED[seconds]
    if folder is None or weights is None or not weights.is_file():
        return None
    settings = {"mode": "compat", "seconds": seconds, "weights": str(weights)}
    return measured(
        ConvAeRecipe(), folder, settings, variant=f"published weights, {seconds} s", on=_MOTOR, synthetic=False,
        note="trained on household sound, not on motors", order=int(seconds),
    )  # fmt: skip


ROWS = {
    f"conv-ae-{variant.replace(', ', '-').replace(' ', '-').lower()}": (
        lambda _data, order=order, variant=variant, settings=settings: synthetic(order, variant, settings)
    )
    for order, (variant, settings) in enumerate(FORMS.items())
} | {
    "conv-ae-motor": motor,
    "conv-ae-published-1s": lambda data: published(data, "1"),
    "conv-ae-published-2s": lambda data: published(data, "2"),
}
