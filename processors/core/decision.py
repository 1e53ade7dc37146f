"""The decision: scored windows of one device and detector against its state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.core.alert_life import Evidence, LifeState, live
from processors.core.detector_state import DetectorState, Output, Position
from processors.core.detectors import Detector
from processors.core.mel import band_edges
from processors.core.threshold import Limit, Rule
from processors.core.window import Window
from schemas.alert import AudioSpan, Band
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from schemas.score import ModelRef, Score

_DECIMALS = 6
_SHOWN_BANDS = 3


@dataclass(frozen=True, slots=True)
class Judge:
    """All that a decision needs besides state and windows.

    Attributes:
        detector: confirmation and release.
        rule: the threshold rule.
        calibration: of the model.
        model: which model scored.
        spec: its features.
        topic: where the audio came from; None for files.
    """

    detector: Detector
    rule: Rule
    calibration: Calibration
    model: ModelRef
    spec: FeatureSpec
    topic: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ScoredWindow:
    """A window and what the model said.

    Attributes:
        window: the window.
        partition: of the audio topic.
        score: higher is more anomalous.
        bands: float32 (n_mels,), how much each band adds to the score, or None where the model does not say.
    """

    window: Window
    partition: int
    score: float
    bands: npt.NDArray[np.float32] | None


def decide(
    state: DetectorState,
    judges: Mapping[str, Judge],
    windows: Sequence[ScoredWindow],
    *,
    other: DetectorState | None = None,
    degraded: bool = False,
) -> tuple[DetectorState, list[Output]]:
    """Applies windows in order; windows applied before change nothing.

    Where another model scores than before, the threshold is that model's, see :meth:`DetectorState.turn_to`, and an
    open alert goes on, with its peak counted anew on that model's scale. Shadows give scores and no alerts; what would
    be their alerts only keeps their thresholds from learning faults.

    Args:
        state: before.
        judges: rule, model and detector, by the model's sha256.
        windows: of one device and one slot, in order of their ends.
        other: the state of the device's other slot, as far as known.
        degraded: True when the stored state cannot be reached.

    Returns:
        The state after, and what is to be sent: the outputs of new windows, and again those of replayed windows that
        the last batch may not have sent. The state's outbox holds the same. The state itself comes back, the very
        object, when nothing was applied.
    """
    outputs: list[Output] = []
    current = state
    for scored in windows:
        window = scored.window
        if current.is_past(window.session_id, window.end_sample):
            if (again := state.sent(window.session_id, window.end_sample)) is not None:
                outputs.append(again)
            continue
        current, output = _apply(current, judges[window.model.ref.sha256], scored, other, degraded=degraded)
        outputs.append(output)
    if current is state:
        return state, outputs
    # Replayed outputs stay in the outbox as well: nobody has confirmed them yet.
    return current.model_copy(update={"outbox": tuple(outputs)}), outputs


def _apply(
    state: DetectorState, judge: Judge, scored: ScoredWindow, other: DetectorState | None, *, degraded: bool
) -> tuple[DetectorState, Output]:
    window, sha256 = scored.window, judge.model.sha256
    past, is_new = state.enter(window.session_id)
    rule, previous = (state.rule, state.previous) if state.model == sha256 else state.turn_to(sha256, other)
    limit = judge.rule.limit(rule, judge.calibration)
    score = _score(scored, judge, limit, degraded=degraded)
    life = state.life
    if is_new:
        life = LifeState(recent=0, alert=life.alert)
    if state.model != sha256 and life.alert is not None:
        life = LifeState(recent=life.recent, alert=life.alert.model_copy(update={"peak": score.score}))
    life, alert = live(life, judge.detector, score, limit, _evidence(scored, judge))
    # Without a threshold an alert that a model before opened could never close: then the new one learns all the same.
    alerting = life.alert is not None and limit.threshold is not None
    rule = judge.rule.learn(rule, judge.calibration, score.score, alerting=alerting)
    after = DetectorState(
        position=Position(session_id=window.session_id, end_sample=window.end_sample),
        past_sessions=past,
        model=sha256,
        rule=rule,
        previous=previous,
        life=life,
    )
    return after, Output(score=score, alert=alert if window.slot.stage == "champion" else None)


def _score(scored: ScoredWindow, judge: Judge, limit: Limit, *, degraded: bool) -> Score:
    window, value = scored.window, round(scored.score, _DECIMALS)
    threshold = None if limit.threshold is None else round(limit.threshold, _DECIMALS)
    return Score(
        device_id=window.device_id,
        detector=window.slot.detector,
        session_id=window.session_id,
        first_sample=window.first_sample,
        n_samples=window.n_samples,
        sample_rate=window.sample_rate,
        captured_ns=window.captured_ns,
        score=value,
        threshold=threshold,
        exceeds=threshold is not None and value > threshold,
        threshold_state=limit.state,
        degraded=degraded,
        level_dbfs=round(window.level_dbfs, 2),
        model=judge.model,
        stage=window.slot.stage,
    )


def _evidence(scored: ScoredWindow, judge: Judge) -> Callable[[], Evidence]:
    def evidence() -> Evidence:
        window = scored.window
        audio = None
        if judge.topic is not None:
            audio = AudioSpan(
                topic=judge.topic,
                partition=scored.partition,
                first_offset=window.first_offset,
                last_offset=window.last_offset,
            )
        return Evidence(bands=_bands(scored, judge.spec), audio=audio)

    return evidence


def _bands(scored: ScoredWindow, spec: FeatureSpec) -> tuple[Band, ...]:
    """The bands that add most to the score; by the window's own power where the model does not say; none of samples."""
    if spec.transform == "waveform":
        return ()
    weight = scored.bands
    if weight is None:
        log_mel = scored.window.rows[:, : spec.n_mels]
        weight = np.power(10.0, log_mel / 10.0).mean(axis=0, dtype=np.float32)
    total = float(weight.sum())
    if not total > 0.0:
        return ()
    edges = band_edges(spec)
    top = np.argsort(weight)[::-1][:_SHOWN_BANDS]
    return tuple(
        Band(
            hz_low=round(float(edges[m]), 1),
            hz_high=round(float(edges[m + 2]), 1),
            excess=round(float(weight[m]) / total, 4),
        )
        for m in top
    )
