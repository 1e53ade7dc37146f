"""Alerts: opened once, closed once, where the scores say so, and never two open under one key."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.faults.oracle.alert_rule import AlertRule
from benchmarks.faults.oracle.evidence import Finding
from benchmarks.faults.oracle.fleet import Fleet
from benchmarks.faults.oracle.score_log import EventLog, Key, ScoreRecord

Alert = dict[str, Any]


def judge_alerts(
    log: EventLog,
    scores: Mapping[Key, Sequence[ScoreRecord]],
    sessions: Mapping[str, Sequence[str]],
    fleet: Fleet,
    exceptional: frozenset[str],
) -> list[Finding]:
    """Holds the alerts topic against the scores.

    Args:
        log: of the alerts topic.
        scores: of champions.
        sessions: of each device, in their order.
        fleet: for the detectors' settings.
        exceptional: devices whose sessions overlap: their scores have no order to derive alerts from.
    """
    records: dict[Key, list[Alert]] = defaultdict(list)
    for message in log.first.values():
        alert = json.loads(message.value or b"{}")
        records[alert["device_id"], alert["detector"]].append(alert)
    not_opened: list[str] = []
    extra: list[str] = []
    not_closed: list[str] = []
    not_updated: list[str] = []
    steps = 0
    for key in sorted(records.keys() | scores.keys()):
        if key[0] in exceptional:
            continue
        mine = records.get(key, [])
        expected = _expected(key, scores.get(key, ()), mine, sessions.get(key[0], ()), fleet)
        found = {_place(alert): alert for alert in mine}
        steps += len(expected)
        for place, state in expected.items():
            alert = found.get(place)
            if alert is not None and alert["state"] == state:
                continue
            line = f"{'/'.join(key)} {_text(place)}: {state} expected, {alert['state'] if alert else 'nothing'} sent"
            {"opened": not_opened, "closed": not_closed, "updated": not_updated}[state].append(line)
        extra += [
            f"{'/'.join(key)} {_text(place)}: {alert['state']} sent as revision {alert['revision']} of"
            f" {alert['alert_id']}, and the scores do not say so"
            for place, alert in found.items()
            if place not in expected
        ]
    opened = sum(alert["state"] == "opened" for some in records.values() for alert in some)
    told = f"{opened} opened"
    return [
        Finding("an alert is opened where the scores say so", steps, tuple(not_opened), told),
        Finding("no alert says what the scores do not", len(log.first), tuple(extra)),
        Finding("an alert is closed where the scores say so", steps, tuple(not_closed)),
        Finding("an open alert is updated where the scores say so", steps, tuple(not_updated)),
        _one_open(records),
        _chains(records),
        _in_scores(records, scores),
    ]


def _expected(
    key: Key, scores: Sequence[ScoreRecord], alerts: Sequence[Alert], sessions: Sequence[str], fleet: Fleet
) -> dict[tuple[str, int], str]:
    order = {session: number for number, session in enumerate(sessions)}
    ordered = sorted(scores, key=lambda score: (order.get(score.fields["session_id"], -1), score.end))
    rule = AlertRule(
        fleet.detectors[key[1]],
        {_place(alert): alert["severity"] for alert in alerts},
        frozenset(_place(alert) for alert in alerts if alert["state"] == "closed"),
    )
    return {(s.score.fields["session_id"], s.score.fields["first_sample"]): s.state for s in rule.run(ordered)}


def _one_open(records: Mapping[Key, Sequence[Alert]]) -> Finding:
    broken, count = [], 0
    for key, alerts in records.items():
        current: str | None = None
        for alert in alerts:
            if alert["state"] == "opened":
                count += 1
                if current is not None:
                    broken.append(f"{'/'.join(key)}: {alert['alert_id']} opened while {current} is open")
                current = alert["alert_id"]
            elif alert["state"] == "closed" and alert["alert_id"] == current:
                current = None
    return Finding("at most one alert is open under a key", count, tuple(broken))


def _chains(records: Mapping[Key, Sequence[Alert]]) -> Finding:
    chains: dict[str, list[Alert]] = defaultdict(list)
    for alerts in records.values():
        for alert in alerts:
            chains[alert["alert_id"]].append(alert)
    broken = []
    for alert_id, chain in chains.items():
        chain.sort(key=lambda alert: int(alert["revision"]))
        numbers = [alert["revision"] for alert in chain]
        states = [alert["state"] for alert in chain]
        inner = set(states[1:-1]) - {"updated"}
        if numbers != list(range(len(chain))) or states[0] != "opened" or "opened" in states[1:] or inner:
            device = f"{chain[0]['device_id']}/{chain[0]['detector']}"
            broken.append(f"{device} {alert_id}: revisions {numbers} are {', '.join(states)}")
    return Finding(
        "an alert is opened, updated, closed: each once, revisions without a gap", len(chains), tuple(broken)
    )


def _in_scores(records: Mapping[Key, Sequence[Alert]], scores: Mapping[Key, Sequence[ScoreRecord]]) -> Finding:
    """A score tells the revision that its window caused; the alerts topic has the same, and no other."""
    caused = {
        (key, _id(alert)): alert for key, some in scores.items() for one in some if (alert := one.fields.get("alert"))
    }
    sent = {(key, _id(alert)): alert for key, alerts in records.items() for alert in alerts}
    broken = [
        f"{'/'.join(key)} {which}: {'only the score has it' if alert is None else 'the score tells another'}"
        for (key, which), said in caused.items()
        if (alert := sent.get((key, which))) != said
    ]
    if any("alert" in one.fields for some in scores.values() for one in some):
        broken += [f"{'/'.join(key)} {which}: no score has it" for key, which in sent.keys() - caused.keys()]
    return Finding("the alerts are those that the scores record", len(caused), tuple(broken))


def _id(alert: Alert) -> str:
    return f"{alert['alert_id']}/{alert['revision']}"


def _place(alert: Alert) -> tuple[str, int]:
    return alert["session_id"], alert["first_sample"]


def _text(place: tuple[str, int]) -> str:
    return f"session {place[0]} sample {place[1]}"
