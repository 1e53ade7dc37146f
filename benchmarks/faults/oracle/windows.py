"""Windows: every whole window of the sound is scored, none twice, none that does not exist."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.faults.oracle.evidence import Evidence, Finding
from benchmarks.faults.oracle.fleet import Fleet
from benchmarks.faults.oracle.grid import Geometry, Window, geometry_of, windows
from benchmarks.faults.oracle.score_log import Key, ScoreRecord
from benchmarks.faults.oracle.sound import Sound, Stretch


@dataclass(frozen=True, slots=True)
class Expected:
    """A window that must be scored.

    Attributes:
        stretch: the sound it lies in.
        detector: whose window.
        window: its samples.
        scored_ms: when its first score came, or None.
    """

    stretch: Stretch
    detector: str
    window: Window
    scored_ms: int | None

    def text(self) -> str:
        """Its place, for people."""
        chunk = self.stretch.holding(self.window.first)
        return (
            f"{self.stretch.device} {self.detector} session {self.stretch.session} samples {self.window.first} to "
            f"{self.window.end}, audio partition {chunk.partition} from offset {chunk.offset}"
        )


def expected_windows(
    evidence: Evidence,
    sound: Sound,
    fleet: Fleet,
    known: Mapping[str, Geometry],
    scores: Mapping[Key, Sequence[ScoreRecord]],
) -> list[Expected]:
    """The windows of every detector whose models share one geometry."""
    default = _defaults(evidence, fleet)
    found = []
    out = {
        (key, one.fields["session_id"], one.fields["first_sample"]): one.at_ms
        for key, some in scores.items()
        for one in reversed(some)
    }
    for stretch in sound.stretches:
        for detector in fleet.detectors_of(stretch.device):
            key = (stretch.device, detector)
            used = geometries_used(scores.get(key, ()), known) or default[detector]
            if len(used) != 1:
                continue
            (geometry,) = used
            found += [
                Expected(stretch, detector, window, out.get((key, stretch.session, window.first)))
                for window in windows(stretch, geometry)
            ]
    return found


def geometries_used(scores: Sequence[ScoreRecord], known: Mapping[str, Geometry]) -> set[Geometry]:
    """The geometries of the models that scored."""
    models = {score.fields["model"]["sha256"] for score in scores}
    return {known[model] for model in models if model in known}


def judge_windows(
    evidence: Evidence,
    sound: Sound,
    expected: Sequence[Expected],
    scores: Mapping[Key, Sequence[ScoreRecord]],
    known: Mapping[str, Geometry],
) -> list[Finding]:
    """Missing, doubled and unknown windows; and the sound of devices that break a rule on purpose."""
    exceptional = evidence.told.exceptional
    plain = [one for one in expected if one.stretch.device not in exceptional]
    missing = tuple(one.text() for one in plain if one.scored_ms is None)
    places = {((one.stretch.device, one.detector), one.stretch.session, one.window.first) for one in expected}
    extra, twice, holes = [], [], []
    count = 0
    for key, some in scores.items():
        if key[0] in exceptional:
            continue
        seen: set[tuple[str, int]] = set()
        several = len(geometries_used(some, known)) > 1
        for score in some:
            count += 1
            session, end = score.fields["session_id"], score.end
            if (session, end) in seen:
                twice.append(f"{score.place} ends where another window ends")
            seen.add((session, end))
            if not several and (key, session, score.fields["first_sample"]) not in places:
                extra.append(f"{score.place} is on no grid of sound that was sent")
        if several:
            holes += _holes(key, some, sound)
    return [
        Finding("every whole window of the sound is scored", len(plain), missing + tuple(holes)),
        Finding("no window is scored twice, none without its sound", count, tuple(twice + extra)),
        _told_or_used(evidence, sound, expected, scores),
    ]


def _holes(key: Key, scores: Sequence[ScoreRecord], sound: Sound) -> list[str]:
    """Where models of several geometries took turns: sound between two windows that no window covers."""
    found = []
    for stretch in (one for one in sound.stretches if one.device == key[0]):
        inside = sorted(
            (one.end, one.fields["first_sample"])
            for one in scores
            if one.fields["session_id"] == stretch.session and stretch.first <= one.fields["first_sample"] < stretch.end
        )
        for (end, _), (_, first) in itertools.pairwise(inside):
            if first > end:
                found.append(f"{key} session {stretch.session}: samples {end} to {first} are in no window")
    return found


def _told_or_used(
    evidence: Evidence, sound: Sound, expected: Sequence[Expected], scores: Mapping[Key, Sequence[ScoreRecord]]
) -> Finding:
    told = {_device(message.value) for message in evidence.notices}
    kinds: dict[str, set[str]] = {}
    for message in evidence.devices:
        kinds.setdefault(_device(message.value), set()).add(str(json.loads(message.value or b"{}").get("kind")))
    exceptional = sorted(evidence.told.exceptional)
    silent = []
    for device in exceptional:
        if len(kinds.get(device, ())) > 1:
            lost = sum(
                _uncovered(stretch, scores) / stretch.rate for stretch in sound.stretches if stretch.device == device
            )
            line = f"{lost:.2f} s are in no window" if lost else ""
        else:
            mine = [one for one in expected if one.stretch.device == device]
            missing = sum(one.scored_ms is None for one in mine)
            line = f"{missing} of {len(mine)} windows are not scored" if missing else ""
        if line and device not in told:
            silent.append(f"{device}: {line}, and no notice says so")
    return Finding("sound that breaks a rule is used, or a notice says that it is not", len(exceptional), tuple(silent))


def _uncovered(stretch: Stretch, scores: Mapping[Key, Sequence[ScoreRecord]]) -> int:
    """Samples between the first and the last window of a stretch that no window of any detector covers."""
    spans = sorted(
        (score.fields["first_sample"], score.end)
        for (device, _), some in scores.items()
        for score in some
        if device == stretch.device
        and score.fields["session_id"] == stretch.session
        and stretch.first <= score.fields["first_sample"] < stretch.end
    )
    lost, covered = 0, spans[0][1] if spans else stretch.first
    for first, end in spans:
        lost += max(0, first - covered)
        covered = max(covered, end)
    return lost


def _device(value: bytes | None) -> str:
    try:
        return str(json.loads(value or b"{}").get("device_id", ""))
    except (ValueError, AttributeError):
        return ""


def _defaults(evidence: Evidence, fleet: Fleet) -> dict[str, set[Geometry]]:
    shipped = evidence.detectors.parent
    names = {name: fleet.default_model(name) for name in fleet.detectors}
    return {name: set() if file is None else {geometry_of(shipped / file)} for name, file in names.items()}
