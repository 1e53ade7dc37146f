"""A window: one model input and its position in the stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.core.models.model import ScoringModel, Slot


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One window of one device for one model.

    Attributes:
        device_id, session_id: of its audio.
        slot: the detector, and whether its score may alert.
        model: the model that scores it.
        first_sample: index of its first sample in the session, at the device's rate.
        n_samples: its length at the device's rate.
        sample_rate: the device's rate, Hz.
        captured_ns: capture time of its first sample, nanoseconds since 1970.
        level_dbfs: RMS level, dB relative to full scale, at least -120.
        rows: float32 (n_frames, width), before level normalisation.
        first_offset, last_offset: first and last record of the audio topic with its audio.
        regime: operating regime that the producer reported for the window's beginning; "" for none.
    """

    device_id: str
    session_id: str
    slot: Slot
    model: ScoringModel
    first_sample: int
    n_samples: int
    sample_rate: int
    captured_ns: int
    level_dbfs: float
    rows: npt.NDArray[np.float32]
    first_offset: int
    last_offset: int
    regime: str = ""

    @property
    def end_sample(self) -> int:
        """One past its last sample."""
        return self.first_sample + self.n_samples
