"""The judge of benchmarks.faults: a run in order holds, and every kind of fault in the topics is found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.oracle.evidence import Commit, Evidence, Message, Sample, Told
from benchmarks.faults.oracle.judgement import judge, unscored
from benchmarks.faults.schedule import FAULTS, draw_schedule

SHIPPED = Path(__file__).parents[2] / "processors" / "shipped_models"
SHA256 = hashlib.sha256((SHIPPED / "machine.onnx").read_bytes()).hexdigest()
RATE, CHUNK, CHUNKS = 16_000, 8_000, 100
HOP, LENGTH = 15_360, 31_424
WINDOWS = (CHUNKS * CHUNK - LENGTH) // HOP + 1
OPENS, CLOSES = 20, 38
LOUD = range(18, 32)
BEGAN_MS = 1_800_000_000_000

Change = Callable[[Evidence], Evidence]


def headers(event_id: str, **more: str) -> tuple[tuple[str, bytes], ...]:
    return (("ce_id", event_id.encode()), *((f"ce_{name}", text.encode()) for name, text in more.items()))


def chunk(number: int) -> Message:
    about = {
        "specversion": "1.0",
        "type": "tocsin.audio.v1",
        "source": "/tocsin/devices/m",
        "time": "2026-01-31T12:00:00Z",
        "partitionkey": "m",
        "sessionid": "s",
        "sequence": str(number),
        "firstsample": str(number * CHUNK),
        "samplerate": str(RATE),
        "channels": "1",
    }
    found = (("content-type", b"audio/x-pcm-s16le"), *headers(f"s/{number}", **about))
    return Message(0, number, BEGAN_MS + 500 * number, b"m", bytes(2 * CHUNK), found)


def score(number: int) -> dict[str, Any]:
    values = [10.0 if at in LOUD else 1.0 for at in range(number + 1)][-4:]
    confirmed = sorted(values)[-3] if len(values) >= 3 else None
    threshold = 5.0 if number >= 8 else None
    return {
        "device_id": "m",
        "detector": "machine",
        "session_id": "s",
        "first_sample": number * HOP,
        "n_samples": LENGTH,
        "score": values[-1],
        "threshold": threshold,
        "exceeds": threshold is not None and values[-1] > threshold,
        "hop_ns": 960_000_000,
        "model": {"sha256": SHA256},
        "stage": "champion",
        "explanation": {
            "confirmed": confirmed,
            "level": 0.0,
            "level_threshold": None,
            "block": (number + 1) * 960 // 60_000,
            "reference_blocks": min(number, OPENS),
            "calibration_progress": 0.0,
            "kind": "peak" if OPENS <= number <= CLOSES else "",
            "episode": 1 if OPENS <= number <= CLOSES else 0,
            "suppressed": "",
        },
    }


def score_record(number: int, offset: int | None = None, **changes: Any) -> Message:
    """Comes 100 ms after the chunk that completes the window."""
    last = (number * HOP + LENGTH - 1) // CHUNK
    value = json.dumps(score(number) | changes).encode()
    return Message(0, offset or number, BEGAN_MS + 500 * last + 100, b"m", value, headers(f"window {number}"))


def alert(number: int, window: int, state: str, alert_id: str = "a") -> Message:
    fields = {
        "alert_id": alert_id,
        "state": state,
        "revision": number,
        "severity": "warning",
        "device_id": "m",
        "detector": "machine",
        "session_id": "s",
        "first_sample": window * HOP,
    }
    value = json.dumps(fields).encode()
    return Message(0, number, BEGAN_MS, b"m", value, headers(f"{alert_id}/{number}"))


def letter_of(message: Message) -> Message:
    place = (("tocsin_error_partition", b"0"), ("tocsin_error_offset", str(message.offset).encode()))
    return replace(message, headers=(*message.headers, ("tocsin_error_class", b"EmptyValue"), *place))


BROKEN = replace(chunk(CHUNKS), value=None)


def in_order() -> Evidence:
    """Fifty seconds of a machine with one alert and one broken record, scored without a fault."""
    manifest = json.dumps({"device_id": "m", "kind": "machine"}).encode()
    seconds = range(50)
    return Evidence(
        audio=[*(chunk(number) for number in range(CHUNKS)), BROKEN],
        scores=[score_record(number) for number in range(WINDOWS)],
        alerts=[alert(0, OPENS, "opened"), alert(1, OPENS + 11, "updated"), alert(2, CLOSES, "closed")],
        notices=[],
        letters=[letter_of(BROKEN)],
        devices=[Message(0, 0, BEGAN_MS, b"m", manifest, ())],
        commits=[Commit(0, 2 * second, BEGAN_MS + 1_000 * second + 200) for second in seconds],
        samples=[
            Sample(BEGAN_MS + 1_000 * second, {0: 2 * max(0, second - 3)}, {0: 2 * second}, {"worker-0": 200.0}, True)
            for second in seconds
        ],
        models=[SHIPPED],
        detectors=SHIPPED / "detectors.json",
        told=Told(broken=1),
    )


def broken(evidence: Evidence) -> set[str]:
    return {finding.invariant for finding in judge(evidence) if finding.broken}


def test_a_run_in_order_holds_and_everything_was_checked() -> None:
    findings = judge(in_order())

    assert [finding for finding in findings if finding.broken] == []
    unchecked = {finding.invariant for finding in findings if not finding.checked}
    assert unchecked == {
        "what is sent again is equal byte for byte",
        "the alerts are those that the scores record",
        "sound that breaks a rule is used, or a notice says that it is not",
    }
    assert unscored(in_order()) == 0


def without(name: str, number: int) -> Change:
    def change(evidence: Evidence) -> Evidence:
        records = list(getattr(evidence, name))
        del records[number]
        return replace(evidence, **{name: records})

    return change


def more(name: str, *added: object) -> Change:
    return lambda evidence: replace(evidence, **{name: [*getattr(evidence, name), *added]})


def instead(name: str, number: int, record: object) -> Change:
    def change(evidence: Evidence) -> Evidence:
        records = list(getattr(evidence, name))
        records[number] = record
        return replace(evidence, **{name: records})

    return change


def late_from(number: int) -> Change:
    """States lost at a window: its device begins anew."""

    def change(evidence: Evidence) -> Evidence:
        records = list(evidence.scores)
        fields = score(number)
        why = fields["explanation"] | {"reference_blocks": 0}
        records[number] = score_record(number, threshold=None, exceeds=False, explanation=why)
        return replace(evidence, scores=records)

    return change


def in_digest(value: bytes) -> Change:
    """A record of 3 MiB of zeros, whose letter gives the digest of ``value``."""
    large = replace(BROKEN, value=bytes(3 * 2**20))
    added = {"abridged": "record", "size": str(len(large.value or b"")), "sha256": hashlib.sha256(value).hexdigest()}
    short = replace(letter_of(large), value=bytes(1_024))
    letter = replace(
        short,
        headers=(*short.headers, *((f"tocsin_error_{name}", text.encode()) for name, text in added.items())),
    )
    return lambda evidence: replace(evidence, audio=[*evidence.audio[:-1], large], letters=[letter])


FOUND = {
    "a window without a score": (without("scores", 30), "every whole window of the sound is scored"),
    "the last window without a score": (without("scores", -1), "every whole window of the sound is scored"),
    "a score off the grid": (
        more("scores", replace(score_record(3, 900, first_sample=7), headers=headers("off"))),
        "no window is scored twice, none without its sound",
    ),
    "a window scored under two ids": (
        more("scores", replace(score_record(3, 900), headers=headers("other"))),
        "no window is scored twice, none without its sound",
    ),
    "a repeat with another threshold": (
        more("scores", score_record(9, 900, threshold=5.1)),
        "what is sent again is equal byte for byte",
    ),
    "a repeat with another header": (
        more("alerts", replace(alert(0, OPENS, "opened"), headers=headers("a/0", time="later"))),
        "what is sent again is equal byte for byte",
    ),
    "an alert not opened": (without("alerts", 0), "an alert is opened where the scores say so"),
    "an alert not closed": (without("alerts", 2), "an alert is closed where the scores say so"),
    "an alert not updated": (without("alerts", 1), "an open alert is updated where the scores say so"),
    "an alert closed too early": (
        instead("alerts", 2, alert(2, CLOSES - 1, "closed")),
        "no alert says what the scores do not",
    ),
    "an alert out of nothing": (more("alerts", alert(0, 5, "opened", "b")), "no alert says what the scores do not"),
    "two alerts open": (more("alerts", alert(0, 5, "opened", "b"), alert(0, 6, "opened", "c")), "at most one"),
    "a revision left out": (instead("alerts", 2, alert(3, CLOSES, "closed")), "an alert is opened, updated, closed"),
    "an alert other than its score records": (
        instead("scores", OPENS, score_record(OPENS, alert={"alert_id": "a", "revision": 0, "state": "closed"})),
        "the alerts are those that the scores record",
    ),
    "a state lost": (late_from(40), "every score rests on all scores of its device before it"),
    "a window counted twice": (
        instead("scores", 10, score_record(10, explanation=score(10)["explanation"] | {"block": 1})),
        "every score rests on all scores of its device before it",
    ),
    "a wrong confirmation": (
        instead("scores", 10, score_record(10, explanation=score(10)["explanation"] | {"confirmed": 3.0})),
        "a score exceeds, and is confirmed, as its own fields say",
    ),
    "a broken record without a letter": (without("letters", 0), "each broken record has a dead letter"),
    "a broken record that nobody sees": (
        lambda evidence: replace(evidence, told=Told(broken=2)),
        "each broken record has a dead letter",
    ),
    "a letter with other bytes": (
        instead("letters", 0, replace(letter_of(BROKEN), value=b"x")),
        "each dead letter is its record, byte for byte or by digest",
    ),
    "a letter with other bytes than the digest's": (
        instead("audio", CHUNKS, replace(BROKEN, digest="0" * 64)),
        "each dead letter is its record, byte for byte or by digest",
    ),
    "a letter with another header": (
        instead("letters", 0, replace(letter_of(BROKEN), headers=letter_of(BROKEN).headers[1:])),
        "each dead letter is its record, byte for byte or by digest",
    ),
    "a digest of other bytes": (
        in_digest(b"0" * 4_000_000),
        "each dead letter is its record, byte for byte or by digest",
    ),
    "a letter of a good record": (
        more("letters", letter_of(chunk(5))),
        "each dead letter is its record, byte for byte or by digest",
    ),
    "a commit past a window": (
        instead("commits", 20, Commit(0, 60, BEGAN_MS + 20_000)),
        "no commit is past a window that is not scored",
    ),
    "no commits": (
        lambda evidence: replace(
            evidence, samples=[replace(sample, committed={0: 0}) for sample in evidence.samples]
        ),
        "commits are within 30 s of the head",
    ),
    "a worker that ends": (
        lambda evidence: replace(evidence, told=Told(broken=1, ended=("worker-0 ended with 1",))),
        "no worker ends by itself",
    ),
    "too much memory": (
        lambda evidence: replace(
            evidence, samples=[replace(sample, rss_mib={"worker-0": 700.0}) for sample in evidence.samples]
        ),
        "a worker holds at most 600 MiB",
    ),
    "twins without a word": (
        lambda evidence: without("scores", 30)(
            replace(evidence, told=Told(broken=1, exceptional=frozenset({"m"})))
        ),
        "sound that breaks a rule is used, or a notice says that it is not",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FOUND)
def test_a_fault_in_the_topics_is_found(fault: str) -> None:
    change, invariant = FOUND[fault]

    found = broken(change(in_order()))

    assert any(one.startswith(invariant) for one in found), found


def test_a_letter_by_digest_is_as_good_as_a_whole_one() -> None:
    assert broken(in_digest(bytes(3 * 2**20))(in_order())) == set()


def test_a_repeat_with_a_higher_revision_is_a_correction() -> None:
    assert broken(more("scores", score_record(9, 900, revision=1))(in_order())) == set()


def test_a_window_that_is_missing_is_waited_for() -> None:
    assert unscored(without("scores", 30)(in_order())) == 1


def test_a_seed_draws_one_schedule_and_every_fault_is_drawn_by_some_seed() -> None:
    assert draw_schedule(3, 180.0, list(FAULTS)) == draw_schedule(3, 180.0, list(FAULTS))
    drawn = {action.name for seed in range(60) for action in draw_schedule(seed, 180.0, list(FAULTS))}
    assert drawn == {name for names in FAULTS.values() for name in names}
    assert draw_schedule(3, 180.0, ()) == []
