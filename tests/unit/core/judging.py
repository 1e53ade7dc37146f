"""Scored windows and a judge for tests of decisions."""

from __future__ import annotations

from typing import Literal

import numpy as np

from processors.core.decision import Judge, ScoredWindow
from processors.core.detectors import Detector
from processors.core.roster import Slot
from processors.core.threshold import MeanAndSpread
from processors.core.window import Window
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from schemas.score import Stage

from .models import FakeModel

HOP = 16_000
DETECTOR = Detector("machine", confirm=2, among=3, release=3, hysteresis=0.1, update_every=4, title="Unusual sound")


MODEL = FakeModel("1", FeatureSpec(n_frames=4, window_hop=2, n_mels=8))


def judge(transfer: Literal["absolute", "relative"] = "relative", warm_up: int = 8, model: FakeModel = MODEL) -> Judge:
    return Judge(
        detector=DETECTOR,
        rule=MeanAndSpread(warm_up=warm_up, quarantine=0),
        calibration=Calibration(transfer=transfer, threshold=5.0, spread=0.5, n=100, quantiles={"0.5": 0.0}),
        model=model.ref,
        spec=model.spec,
        topic="tocsin.audio.v1",
    )


def window(
    index: int,
    score: float,
    session: str = "s1",
    device: str = "d1",
    model: FakeModel = MODEL,
    stage: Stage = "champion",
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
        ),
        partition=3,
        score=score,
        bands=np.array([0, 0, 3, 0, 1, 0, 0, 0], np.float32),
    )
