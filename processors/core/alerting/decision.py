"""The decision: applies scored windows of one device and detector to its state."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.core.alerting.alert_lifecycle import AlertLifecycle
from processors.core.alerting.decision_context import DecisionContext
from processors.core.alerting.decision_step import step
from processors.core.alerting.detector_state import DetectorState, Output
from processors.core.alerting.observation import ScoredObservation
from processors.core.alerting.operator_feedback import OperatorFeedback
from processors.core.audio.mel import band_edges
from processors.core.threshold.reference import Reference
from processors.core.windowing.window import Window
from schemas.alert import Alert, AudioSpan, Band
from schemas.errors import ScoreNotFinite
from schemas.features import FeatureSpec

_DECIMALS = 6
_SHOWN_BANDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class ScoredWindow:
    """A window and its score.

    Attributes:
        window: the window.
        partition: of the audio topic.
        score: higher is more anomalous.
        bands: float32 (n_mels,), how much each band adds to the score; None where the model gives none.
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
    silenced: Alert | None = None,
) -> tuple[DetectorState, list[Output]]:
    """Applies windows in order; windows applied before change nothing.

    When another model scores than before, its own thresholds are used, see :meth:`DetectorState.calibration_of`, and
    an open alert continues, with its peak counted again on that model's scale. Shadows give scores and no alerts; their
    episodes only keep faults out of their references.

    Args:
        state: before.
        context_of: the decision context of a window.
        windows: of one device and one slot, in order of their ends.
        other: the state of the device's other slot, if known.
        peers: references of devices of the same kind and the same model, for a device that begins.
        feedback: the operators' on this device and detector, in order.
        degraded: True when the stored state cannot be reached.
        silenced: the closing revision of an alert that was closed because the device sent nothing; the state may not
            know of it yet.

    Raises:
        ScoreNotFinite: a model's score is not a finite number.

    Returns:
        The state after, and the outputs to be sent: those of new windows, and again those of replayed windows that
        the last batch may not have sent. The state's outbox holds the same. When nothing was applied, the very same
        state object is returned.
    """
    outputs: list[Output] = []
    current = state
    for scored in windows:
        window = scored.window
        session_id, is_applied = current.locate(window.session_id, window.end_sample, window.captured_ns)
        if is_applied:
            if (again := state.output_of(session_id, window.end_sample)) is not None:
                outputs.append(again)
            continue
        observation, context = _observation(scored, session_id), context_of(window)
        is_silenced = silenced is not None and _closes(current, silenced)
        if is_silenced:
            lifecycle = AlertLifecycle(None, current.lifecycle.raised)
            current = current.model_copy(update={"lifecycle": lifecycle})
        current, output = step(
            current, context, observation, other=other, peers=peers, feedback=feedback, degraded=degraded
        )
        if output.alert is not None:
            output = output.model_copy(update={"alert": _with_evidence(output.alert, scored, context)})
        elif is_silenced:
            # Sent before; the score records it, so that states rebuilt from scores know of it.
            output = output.model_copy(update={"alert": silenced})
        outputs.append(output)
    if current is state:
        return state, outputs
    # Replayed outputs stay in the outbox as well: Kafka has not confirmed them yet.
    return current.model_copy(update={"outbox": tuple(outputs)}), outputs


def _closes(state: DetectorState, closing: Alert) -> bool:
    alert = state.lifecycle.alert
    return alert is not None and (alert.alert_id, alert.revision + 1) == (closing.alert_id, closing.revision)


def _observation(scored: ScoredWindow, session_id: str) -> ScoredObservation:
    window = scored.window
    if not math.isfinite(scored.score):
        where = f"{window.device_id!r}, session {window.session_id!r}, sample {window.first_sample}"
        raise ScoreNotFinite(f"model {window.model.ref.name} gave {scored.score} for {where}: export it again")
    return ScoredObservation(
        device_id=window.device_id,
        detector=window.slot.detector,
        stage=window.slot.stage,
        session_id=session_id,
        first_sample=window.first_sample,
        n_samples=window.n_samples,
        sample_rate=window.sample_rate,
        captured_ns=window.captured_ns,
        level_dbfs=round(window.level_dbfs, 2),
        score=round(scored.score, _DECIMALS),
        reported_regime=window.regime,
        sent_session_id=None if session_id == window.session_id else window.session_id,
    )


def _with_evidence(alert: Alert, scored: ScoredWindow, context: DecisionContext) -> Alert:
    """The alert with the bands that explain the score, and the span of its audio in the topic."""
    window = scored.window
    audio = None
    if context.topic is not None:
        audio = AudioSpan(
            topic=context.topic,
            partition=scored.partition,
            first_offset=window.first_offset,
            last_offset=window.last_offset,
        )
    return alert.model_copy(update={"bands": _bands(scored, context.spec), "audio": audio})


def _bands(scored: ScoredWindow, spec: FeatureSpec) -> tuple[Band, ...]:
    """The bands that add most to the score, or have most power where the model gives none; none for waveforms."""
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
