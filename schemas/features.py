"""The feature specification: everything that determines a model's input, hashed into its manifest."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

_FRONT_END_EXCLUDES = {"level", "pool", "n_frames", "window_hop"}
# Fields added later: left out of the digest at their defaults, so that older models keep theirs.
_LATER = {"transform": "log_mel", "pool": 1}


class FeatureSpec(BaseModel):
    """How audio becomes a model's input: frames, transformed, summarised in rows; windows of rows.

    Attributes:
        transform: ``log_mel`` computes a frame's log-mels; ``waveform`` leaves its samples unchanged, in frames
            without overlap.
        pool: frames in a row. With 1 a row is a frame; with more it is the mean of each column over the row's frames,
            then their population standard deviation. Row r holds frames r * pool to r * pool + pool - 1.
        sample_rate: Hz the sound is resampled to.
        resampler: the resampler's name; ``kaiser-polyphase-1`` is :mod:`processors.core.audio.resample`.
        mono: how channels become one; ``mean`` averages them.
        n_fft, win_length, hop: samples; a frame is ``n_fft`` samples, every ``hop``.
        window: ``hann`` is the periodic Hann window.
        centre: False: the first frame starts at sample 0, nothing is padded.
        n_mels, fmin, fmax: mel bands and their edges, Hz; these and all up to ``log_floor`` apply to log-mels only.
        mel_scale, mel_norm: ``slaney`` as in Slaney's Auditory Toolbox (1998).
        power: exponent of the magnitude spectrum.
        log: ``db`` is 10 log10.
        log_floor: lower bound of the power before the logarithm.
        level: ``window-mean`` subtracts each window's mean, so that gain has no effect; ``none`` preserves the level.
        n_frames: rows in a window.
        window_hop: rows from one window's start to the next.
        dtype: of the features.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    version: Literal[1] = 1
    sample_rate: Annotated[int, Field(ge=1_000, le=192_000)] = 16_000
    resampler: Literal["kaiser-polyphase-1"] = "kaiser-polyphase-1"
    mono: Literal["mean"] = "mean"
    n_fft: Annotated[int, Field(ge=64, le=16_384)] = 1_024
    win_length: Annotated[int, Field(ge=64, le=16_384)] = 1_024
    hop: Annotated[int, Field(ge=16, le=16_384)] = 320
    window: Literal["hann"] = "hann"
    centre: Literal[False] = False
    n_mels: Annotated[int, Field(ge=1, le=512)] = 64
    fmin: Annotated[float, Field(ge=0)] = 20.0
    fmax: Annotated[float, Field(gt=0)] = 8_000.0
    mel_scale: Literal["slaney"] = "slaney"
    mel_norm: Literal["slaney"] = "slaney"
    power: Literal[2] = 2
    log: Literal["db"] = "db"
    log_floor: Annotated[float, Field(gt=0)] = 1e-10
    transform: Literal["log_mel", "waveform"] = "log_mel"
    pool: Annotated[int, Field(ge=1, le=4_096)] = 1
    level: Literal["window-mean", "none"] = "window-mean"
    n_frames: Annotated[int, Field(ge=1, le=4_096)]
    window_hop: Annotated[int, Field(ge=1, le=4_096)]
    dtype: Literal["float32"] = "float32"

    @model_validator(mode="after")
    def _fits_together(self) -> FeatureSpec:
        if self.win_length != self.n_fft:
            raise ValueError(f"win_length {self.win_length} must equal n_fft {self.n_fft}")
        if not self.fmin < self.fmax <= self.sample_rate / 2:
            raise ValueError(f"fmin {self.fmin} < fmax {self.fmax} <= {self.sample_rate / 2} Hz must hold")
        if self.window_hop > self.n_frames:
            raise ValueError(f"window_hop {self.window_hop} > n_frames {self.n_frames} would skip sound")
        if self.transform == "waveform" and (self.hop, self.level, self.pool) != (self.n_fft, "none", 1):
            raise ValueError(
                f"a waveform of hop {self.hop}, level {self.level!r} and pool {self.pool} is not computed: hop must be"
                f" n_fft {self.n_fft}, level 'none' and pool 1"
            )
        return self

    @property
    def frame_width(self) -> int:
        """Columns of a transformed frame: ``n_mels``, or ``n_fft`` samples."""
        return self.n_mels if self.transform == "log_mel" else self.n_fft

    @property
    def width(self) -> int:
        """Columns of a row: those of a frame, or twice as many where frames are pooled."""
        return self.frame_width if self.pool == 1 else 2 * self.frame_width

    @property
    def window_samples(self) -> int:
        """Samples one window spans, at ``sample_rate``."""
        return (self.n_frames * self.pool - 1) * self.hop + self.n_fft

    @property
    def window_seconds(self) -> float:
        """Seconds one window spans."""
        return self.window_samples / self.sample_rate

    def geometry(self) -> tuple[str, int, int, int]:
        """What determines a window before level normalisation: specs that agree in it can share windows."""
        return self.front_end(), self.pool, self.n_frames, self.window_hop

    def hash(self) -> str:
        """sha256 over all fields, hexadecimal."""
        return _digest(self.model_dump(mode="json"))

    def front_end(self) -> str:
        """sha256 over the fields that determine a frame: specs with equal front ends share frames, pooled or not."""
        return _digest(self.model_dump(mode="json", exclude=_FRONT_END_EXCLUDES))


def _digest(fields: dict[str, object]) -> str:
    fields = {name: value for name, value in fields.items() if name not in _LATER or value != _LATER[name]}
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
