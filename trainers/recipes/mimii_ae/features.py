"""The log-mels of MIMII's baseline."""

from __future__ import annotations

from schemas.features import FeatureSpec

SPEC = FeatureSpec(
    n_fft=1_024,
    win_length=1_024,
    hop=512,
    n_mels=64,
    fmin=0.0,
    log_floor=2.2e-16,
    level="none",
    n_frames=64,
    window_hop=32,
)
"""10 log10 of mel power, without level normalisation. Windows are of two seconds; unlike the baseline's, frames are not
centred, so that no silence is added around a recording."""
