"""The decision: scored windows of one device and detector against its state."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.core.alerting.alert_lifecycle import Evidence
from processors.core.alerting.decision_step import DecisionContext, OperatorFeedback, ScoredObservation, step
from processors.core.alerting.detector_state import DetectorState, Output
from processors.core.audio.mel import band_edges
from processors.core.threshold.reference import Reference
from processors.core.windowing.window import Window
from schemas.alert import AudioSpan, Band
from schemas.errors import ScoreNotFinite
from schemas.features import FeatureSpec

_DECIMALS = 6
_SHOWN_BANDS = 3


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
    context_of: Callable[[Window], DecisionContext],
    windows: Sequence[ScoredWindow],
    *,
    other: DetectorState | None = None,
    peers: Sequence[Reference] = (),
    feedback: Sequence[OperatorFeedback] = (),
    degraded: bool = False,
) -> tuple[DetectorState, list[Output]]:
    """Applies windows in order; windows applied before change nothing.

    Where another model scores than before, the threshold is that model's, see :meth:`DetectorState.known_of`, and an
    open alert goes on, with its peak counted anew on that model's scale. Shadows give scores and no alerts; what would
    be their alerts only keeps their thresholds from learning faults.

    Args:
        state: before.
        context_of: what decides on a window.
        windows: of one device and one slot, in order of their ends.
        other: the state of the device's other slot, as far as known.
        peers: what devices of the same kind have heard through the same model, for a device that begins.
        feedback: what people have said of this device and detector, in order.
        degraded: True when the stored state cannot be reached.

    Raises:
        ScoreNotFinite: a model gave a score that is no number.

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
        if not math.isfinite(scored.score):
            where = f"{window.device_id!r}, session {window.session_id!r}, sample {window.first_sample}"
            raise ScoreNotFinite(f"model {window.model.ref.name} gave {scored.score} for {where}: export it anew")
        heard = ScoredObservation(
            device_id=window.device_id,
            detector=window.slot.detector,
            stage=window.slot.stage,
            session_id=window.session_id,
            first_sample=window.first_sample,
            n_samples=window.n_samples,
            sample_rate=window.sample_rate,
            captured_ns=window.captured_ns,
            level_dbfs=round(window.level_dbfs, 2),
            score=round(scored.score, _DECIMALS),
            reported_regime=window.regime,
        )
        judge = context_of(window)
        current, output = step(
            current,
            judge,
            heard,
            _evidence(scored, judge),
            other=other,
            peers=peers,
            feedback=feedback,
            degraded=degraded,
        )
        outputs.append(output)
    if current is state:
        return state, outputs
    # Replayed outputs stay in the outbox as well: nobody has confirmed them yet.
    return current.model_copy(update={"outbox": tuple(outputs)}), outputs


def _evidence(scored: ScoredWindow, judge: DecisionContext) -> Callable[[], Evidence]:
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
