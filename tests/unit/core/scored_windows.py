"""Scored windows and decision contexts for tests of decisions."""

from __future__ import annotations

from typing import Literal, cast

import numpy as np

from processors.core.alerting.decision import ScoredWindow
from processors.core.alerting.decision_context import DecisionContext
from processors.core.alerting.detector_state import DetectorState
from processors.core.alerting.detectors import Detector
from processors.core.models.model import Slot
from processors.core.threshold.budget import budget_plan
from processors.core.windowing.window import Window
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from schemas.score import Stage

from .models import FakeModel

HOP = 16_000
SECOND_NS = 1_000_000_000
DETECTOR = Detector(
    "machine",
    min_confirmations=2,
    window_count=3,
    release_ns=3 * SECOND_NS,
    hysteresis=0.1,
    cooldown_ns=60 * SECOND_NS,
    update_ns=4 * SECOND_NS,
    sustained=True,
    title="Unusual sound",
)


# A window a second.
MODEL = FakeModel("1", FeatureSpec(n_frames=4, window_hop=2, hop=8_000, n_mels=8))


def observed_s(state: DetectorState) -> int:
    """Seconds of audio that a state has observed."""
    return 0 if state.current_model is None else state.current_model.block_state.block.observed_ns // SECOND_NS


def decision_context(
    transfer: Literal["absolute", "relative", "own"] = "relative", model: FakeModel = MODEL, per_week: float = 1.0
) -> DecisionContext:
    return DecisionContext(
        detector=DETECTOR,
        plan=budget_plan(per_week),
        calibration=Calibration(transfer=transfer, threshold=5.0, spread=0.5, n=100, quantiles={"0.5": 0.0}),
        model=model.ref,
        spec=model.spec,
        topic="tocsin.audio.v1",
    )


def context_of(window: Window) -> DecisionContext:
    """The same budget for every model."""
    return decision_context(model=cast(FakeModel, window.model))


def window(
    index: int,
    score: float,
    session: str = "s1",
    device: str = "d1",
    model: FakeModel = MODEL,
    stage: Stage = "champion",
    regime: str = "",
) -> ScoredWindow:
    return ScoredWindow(
        window=Window(
            device_id=device,
            session_id=session,
            slot=Slot("machine", stage),
            model=model,
            first_sample=index * HOP,
            n_samples=2 * HOP,
            sample_rate=16_000,
            captured_ns=1_000_000_000 * (1_700_000_000 + index),
            level_dbfs=-30.0,
            rows=np.full((4, 8), -40.0, np.float32),
            first_offset=10 * index,
            last_offset=10 * index + 3,
            regime=regime,
        ),
        partition=3,
        score=score,
        bands=np.array([0, 0, 3, 0, 1, 0, 0, 0], np.float32),
    )
