"""States: what a score says of its device's past must follow from the scores before it, so that a lost or doubled state
shows."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from benchmarks.faults.oracle.evidence import Finding
from benchmarks.faults.oracle.fleet import Fleet
from benchmarks.faults.oracle.score_log import Key, ScoreRecord

_BLOCK_NS = 60_000_000_000


def judge_states(
    scores: Mapping[Key, Sequence[ScoreRecord]],
    shadows: Mapping[Key, Sequence[ScoreRecord]],
    sessions: Mapping[str, Sequence[str]],
    fleet: Fleet,
    exceptional: frozenset[str],
) -> list[Finding]:
    """Observed time, the reference's size, thresholds and confirmation, for each model on each device.

    Args:
        scores: of champions.
        shadows: of shadows; a model that was both on a device is left out: its state moved.
        sessions: of each device, in their order.
        fleet: for the detectors' settings.
        exceptional: devices whose sessions overlap.
    """
    lost, wrong, count = [], [], 0
    for key, some in scores.items():
        if key[0] in exceptional:
            continue
        order = {session: number for number, session in enumerate(sessions.get(key[0], ()))}
        moved = {score.fields["model"]["sha256"] for score in shadows.get(key, ())}
        by_model: dict[str, list[ScoreRecord]] = {}
        for score in sorted(some, key=lambda one: (order.get(one.fields["session_id"], -1), one.end)):
            by_model.setdefault(score.fields["model"]["sha256"], []).append(score)
        for model, mine in by_model.items():
            if model not in moved:
                count += len(mine)
                lost += _lost(key, mine)
                if len(by_model) == 1:
                    wrong += _wrong(key, mine, fleet)
    return [
        Finding("every score rests on all scores of its device before it", count, tuple(lost)),
        Finding("a score exceeds, and is confirmed, as its own fields say", count, tuple(wrong)),
    ]


def _lost(key: Key, scores: Sequence[ScoreRecord]) -> list[str]:
    observed = 0
    for before, score in zip([None, *scores], scores, strict=False):
        fields, why = score.fields, score.fields["explanation"]
        observed += fields["hop_ns"]
        where = f"{'/'.join(key)} session {fields['session_id']} sample {fields['first_sample']}"
        # One line for each state that was lost: what follows from it is not said again.
        if why["block"] != observed // _BLOCK_NS:
            return [f"{where}: minute {why['block']} of its sound, and it is minute {observed // _BLOCK_NS}"]
        if before is None:
            continue
        was = before.fields["explanation"]
        if fields["threshold"] is None and before.fields["threshold"] is not None:
            return [f"{where}: has no threshold, and the window before had one"]
        if why["reference_blocks"] < was["reference_blocks"] < 3_000 and was["calibration_progress"] < 0.005:
            return [
                f"{where}: compared with {why['reference_blocks']} scores, the window before with"
                f" {was['reference_blocks']}"
            ]
    return []


def _wrong(key: Key, scores: Sequence[ScoreRecord], fleet: Fleet) -> list[str]:
    detector = fleet.detectors[key[1]]
    needed, latest = detector["min_confirmations"], deque[float](maxlen=detector["window_count"])
    before: ScoreRecord | None = None
    for score in scores:
        fields, why = score.fields, score.fields["explanation"]
        new_run = before is None or before.fields["session_id"] != fields["session_id"]
        if new_run or (before is not None and fields["first_sample"] > before.end):
            latest.clear()
        latest.append(fields["score"])
        before = score
        confirmed = sorted(latest)[-needed] if len(latest) >= needed else None
        where = f"{'/'.join(key)} session {fields['session_id']} sample {fields['first_sample']}"
        if why["confirmed"] != confirmed:
            return [f"{where}: confirmed {why['confirmed']}, and the scores say {confirmed}"]
        if fields["exceeds"] != (fields["threshold"] is not None and fields["score"] > fields["threshold"]):
            return [f"{where}: exceeds is {fields['exceeds']} at {fields['score']} over {fields['threshold']}"]
    return []
