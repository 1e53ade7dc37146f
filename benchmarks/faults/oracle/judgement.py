"""All invariants of a run."""

from __future__ import annotations

from benchmarks.faults.oracle.alerts import judge_alerts
from benchmarks.faults.oracle.commits import judge_commits
from benchmarks.faults.oracle.evidence import Evidence, Finding
from benchmarks.faults.oracle.fleet import read_fleet
from benchmarks.faults.oracle.grid import geometries
from benchmarks.faults.oracle.letters import judge_letters
from benchmarks.faults.oracle.processes import judge_processes
from benchmarks.faults.oracle.score_log import by_detector, event_log, read_scores
from benchmarks.faults.oracle.sound import read_sound
from benchmarks.faults.oracle.states import judge_states
from benchmarks.faults.oracle.windows import expected_windows, judge_windows


def judge(evidence: Evidence) -> list[Finding]:
    """Holds a run against every invariant; a finding without a broken line holds."""
    sound, fleet = read_sound(evidence.audio), read_fleet(evidence.detectors, evidence.devices)
    known = geometries(evidence.models)
    score_log, alert_log = event_log(evidence.scores), event_log(evidence.alerts)
    every = read_scores(score_log)
    scores, shadows = by_detector(every), by_detector(every, "shadow")
    expected = expected_windows(evidence, sound, fleet, known, scores)
    exceptional = evidence.told.exceptional
    repeats = score_log.records + alert_log.records - len(score_log.first) - len(alert_log.first)
    differing = [
        f"{topic} {event_id}: {difference}"
        for topic, log in (("score", score_log), ("alert", alert_log))
        for event_id, difference in log.differing.items()
    ]
    return [
        *judge_windows(evidence, sound, expected, scores, known),
        Finding("what is sent again is equal byte for byte", repeats, tuple(differing), f"{repeats} repeats"),
        *judge_alerts(alert_log, scores, sound.sessions, fleet, exceptional),
        *judge_states(scores, shadows, sound.sessions, fleet, exceptional),
        *judge_letters(evidence.audio, evidence.letters, sound, evidence.told),
        *judge_commits(evidence.audio, evidence.commits, evidence.samples, expected, exceptional),
        *judge_processes(evidence.samples, evidence.told),
    ]


def unscored(evidence: Evidence) -> int:
    """How many windows of well-behaved devices have no score; for a run that waits for the last."""
    sound, fleet = read_sound(evidence.audio), read_fleet(evidence.detectors, evidence.devices)
    scores = by_detector(read_scores(event_log(evidence.scores)))
    expected = expected_windows(evidence, sound, fleet, geometries(evidence.models), scores)
    return sum(one.scored_ms is None and one.stretch.device not in evidence.told.exceptional for one in expected)
