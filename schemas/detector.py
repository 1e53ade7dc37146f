"""An entry of a detectors file: what a detector is called, which devices run it, and when its alerts open and close."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.device import DeviceKind

_Seconds = Annotated[float, Field(ge=0, le=86_400)]


class DetectorEntry(BaseModel):
    """A detector as data; the file maps names to entries.

    Attributes:
        title: heads its alerts, for people.
        kinds: devices of these kinds run it unless their manifest names detectors; none: only devices that name it.
        default_model: file of the model that ships for it; None: it scores once a model is published for it.
        min_confirmations: exceedances that open an alert,
        window_count: out of this many latest windows; 1 <= min_confirmations <= window_count <= 16.
        release_s: quiet audio that closes an alert, seconds.
        hysteresis: a window counts as quiet when its score is this share of the margin below the threshold, 0 to 1.
        cooldown_s: audio after an alert in which single scores open none, seconds.
        update_s: audio between two updates of an open alert, seconds.
        sustained: whether the level of whole minutes is compared too, for faults that last.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    title: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
    kinds: Annotated[tuple[DeviceKind, ...], Field(max_length=16)] = ()
    default_model: Annotated[str, Field(max_length=4_096)] | None = None
    min_confirmations: Annotated[int, Field(ge=1, le=16)]
    window_count: Annotated[int, Field(ge=1, le=16)]
    release_s: _Seconds
    hysteresis: Annotated[float, Field(ge=0, le=1)] = 0.0
    cooldown_s: _Seconds = 0.0
    update_s: Annotated[float, Field(gt=0, le=86_400)] = 10.0
    sustained: bool = False

    @model_validator(mode="after")
    def _confirmations_within_count(self) -> Self:
        if self.min_confirmations > self.window_count:
            raise ValueError(
                f"min_confirmations {self.min_confirmations} is more than window_count {self.window_count}"
            )
        return self
