"""Two producers under one device id, and a producer that begins again under the id of its last session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from processors.core.accounting.health_log import INTERVAL_MS, HealthLog
from processors.stream.delivery import Delivery
from schemas.device import Device
from schemas.health_notice import HealthNotice
from schemas.record import Record
from schemas.topics import NOTICES
from tests.unit.processors.test_pipeline import SAMPLES, Bench, chunk

START_NS = 1_700_000_000_000_000_000
HALF_S = 500_000_000
WINDOW, HOP = 23 * 320 + 1024, 12 * 320


class LaterBench(Bench):
    """Whose broker's clock can be advanced."""

    later_ms = 0

    def delivery(self, record: Record) -> Delivery:
        delivery = super().delivery(record)
        return replace(delivery, timestamp_ms=delivery.timestamp_ms + self.later_ms)


@pytest.fixture
def bench() -> LaterBench:
    return LaterBench()


def at(number: int, session: str, begin_s: float) -> Record:
    """Chunk ``number`` of a session of device "a" that began ``begin_s`` seconds after the start."""
    return chunk("a", number, session_id=session, captured_ns=START_NS + int(begin_s * 1e9) + number * HALF_S)


def health(bench: Bench) -> list[HealthNotice]:
    return [
        HealthNotice.from_record(record)
        for topic, record in bench.sent
        if topic is NOTICES and dict(record.headers)["ce_type"] == b"tocsin.health.v1"
    ]


def starts(bench: Bench, session: str) -> list[int]:
    return [score.first_sample for score in bench.scores() if score.session_id == session]


def windows_in(chunks: int) -> list[int]:
    return [index * HOP for index in range((chunks * SAMPLES - WINDOW) // HOP + 1)]


@pytest.mark.parametrize("ids", [("older", "younger"), ("z", "a")])
async def test_of_two_producers_the_one_that_began_last_is_scored_and_the_other_refused(
    bench: Bench, ids: Sequence[str]
) -> None:
    older, younger = ids
    for number in range(12):
        await bench.handle(at(number + 20, older, 0.0), at(number, younger, 10.0))

    assert starts(bench, younger) == windows_in(12)
    letters = [dict(letter.headers)["tocsin_error_class"] for letter in bench.dead_letters()]
    assert letters == [b"SupersededSession"] * 11
    (notice,) = health(bench)
    assert (notice.kind, notice.device_id) == ("concurrent_sessions", "a")
    assert "two producers use this device id" in notice.summary


async def test_who_reads_on_in_the_middle_of_both_decides_the_same(bench: Bench) -> None:
    records = [record for n in range(12) for record in (at(n, "younger", 10.0), at(n + 20, "older", 0.0))]
    await bench.handle(*records)

    assert starts(bench, "younger") == windows_in(12)
    assert starts(bench, "older") == []


async def test_producers_that_began_together_do_not_take_the_device_from_each_other(bench: Bench) -> None:
    for number in range(12):
        await bench.handle(at(number, "a1", 0.0), at(number, "b1", 0.2))

    assert starts(bench, "b1") == windows_in(12)


async def test_the_older_producer_goes_on_once_the_younger_is_silent(bench: LaterBench) -> None:
    await bench.handle(at(0, "older", 0.0), at(0, "younger", 1.0), at(1, "older", 0.0))
    bench.later_ms += 11_000
    for number in range(30, 36):
        await bench.handle(at(number, "older", 0.0))

    assert len(bench.dead_letters()) == 1
    assert len(starts(bench, "older")) > 0


async def test_a_restart_under_the_same_session_id_is_scored_and_told(bench: Bench) -> None:
    for number in range(8):
        await bench.handle(at(number, "s", 0.0))
    before = len(bench.scores())
    for number in range(8):
        await bench.handle(at(number, "s", 60.0))

    assert len(bench.scores()) == 2 * before
    assert len({score.event_id() for score in bench.scores()}) == 2 * before
    assert [notice.kind for notice in health(bench)] == ["session_reused"]


async def test_what_is_sent_twice_is_a_duplicate_however_often(bench: Bench) -> None:
    records = [at(number, "s", 0.0) for number in range(8)]
    await bench.handle(*records)
    before = bench.scores()
    await bench.handle(*records, *records[3:])

    assert bench.scores() == before
    assert health(bench) == []


def test_one_notice_of_a_kind_in_five_minutes_with_the_number_of_occurrences() -> None:
    log = HealthLog()
    log.report("a", "gap", 1_000, "first", seconds=1.0)
    (first,) = log.due(1_000)
    for number in range(5):
        log.report("a", "gap", 2_000 + number, "again", seconds=0.5)
    assert log.due(3_000) == []
    (second,) = log.due(1_000 + INTERVAL_MS)

    assert (first.count, first.seconds, first.summary) == (1, 1.0, "first")
    assert (second.count, second.seconds, second.summary) == (5, 2.5, "again (5 times)")
    assert second.at_ns == 2_004_000_000
    assert log.due(10**12) == []


def test_the_health_log_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.core.accounting.health_log.MAX_SUBJECTS", 3)
    log = HealthLog()
    for number in range(9):
        log.report(f"d{number}", "gap", 0, "x" * 10_000)
    found = log.due(0)
    assert [notice.subject for notice in found] == ["d0", "d1", "d2"]
    assert all(len(notice.summary) <= 500 for notice in found)
    log.report("d8", "gap", INTERVAL_MS + 1, "later")
    assert [notice.subject for notice in log.due(INTERVAL_MS + 1)] == ["d8"]


@pytest.mark.parametrize("change_at", range(3, 9))
@pytest.mark.parametrize("kinds", [("machine", "room"), ("room", "machine")])
async def test_a_manifest_that_changes_the_kind_leaves_no_sound_without_a_window(
    bench: LaterBench, kinds: Sequence[str], change_at: int
) -> None:
    for number in range(16):
        kind = kinds[number >= change_at]
        bench.manifests.devices["a"] = Device(device_id="a", kind=kind)
        await bench.handle(chunk("a", number))

    scores = bench.scores()
    detectors = [score.detector for score in scores]
    assert set(detectors) == {"machine", "scream"}
    changed = detectors.index(detectors[-1])
    assert set(detectors[:changed]) == {detectors[0]}
    assert set(detectors[changed:]) == {detectors[-1]}
    covered = 0
    for score in scores:
        assert score.first_sample <= covered, "a hole"
        covered = max(covered, score.end_sample)
    sound = bench.pipeline._accounting.counts.sound
    assert sound.samples("a", "skipped") == 0
