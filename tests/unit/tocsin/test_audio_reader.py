"""Replayed chunks are those that a worker would have accepted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from schemas.chunk import Chunk, encode_chunk
from schemas.device import Device
from tocsin.client.audio_reader import ChunkSequencer, ReplayedChunk
from tocsin.client.devices import matches, near

RATE = 16_000


@dataclass
class Message:
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    partition: int
    offset: int
    timestamp: int


def chunk(number: int, session: str = "s", rate: int = RATE) -> Chunk:
    return Chunk("pump", session, number, number * 100, rate, 1, 10**18, bytes(200))


def replayed(*chunks: Chunk, fleet: dict[str, Device] | None = None, apart_ms: int = 1) -> list[ReplayedChunk]:
    sequencer = ChunkSequencer(fleet or {})
    found = []
    for offset, one in enumerate(chunks):
        record = encode_chunk(one)
        message = Message(record.key, record.value, list(record.headers), 3, offset, offset * apart_ms)
        if (accepted := sequencer.admit(message)) is not None:
            found.append(accepted)
    return found


def test_duplicates_are_dropped_and_segments_start_as_in_the_stream() -> None:
    chunks = [chunk(0), chunk(1), chunk(1), chunk(0), chunk(2), chunk(4), chunk(5), chunk(0, "t"), chunk(1, "t")]

    found = replayed(*chunks)

    assert [(p.chunk.session_id, p.chunk.sequence, p.starts_segment) for p in found] == [
        ("s", 0, True), ("s", 1, False), ("s", 2, False), ("s", 4, True), ("s", 5, False), ("t", 0, True),
        ("t", 1, False),
    ]  # fmt: skip
    assert [p.offset for p in found] == [0, 1, 4, 5, 6, 7, 8]


def test_records_that_break_the_contract_are_skipped() -> None:
    fleet = {"pump": Device(device_id="pump", kind="machine", sample_rate=RATE)}
    assert replayed(chunk(0, rate=8_000), fleet=fleet) == []
    assert len(replayed(chunk(0), chunk(1, rate=8_000), chunk(1), fleet=fleet)) == 2
    backwards = replace(chunk(1), first_sample=50)
    assert [p.chunk.first_sample for p in replayed(chunk(0), backwards, chunk(2))] == [0, 200]
    assert ChunkSequencer({}).admit(Message(b"pump", b"", [], 0, 0, 0)) is None


def test_a_device_that_was_silent_for_long_continues_its_segment_as_in_a_worker() -> None:
    assert [p.starts_segment for p in replayed(chunk(0), chunk(1), apart_ms=3_600_000)] == [True, False]


def test_patterns_match_devices() -> None:
    assert matches("pump-1", ["pump-*"])
    assert matches("pump-1", ["fan", "pump-?"])
    assert not matches("Pump-1", ["pump-*"])
    assert not matches("pump-1", ["pump"])


@pytest.mark.parametrize(
    ("patterns", "named"), [(["pmup-*"], "pump-1"), (["press"], "press-7"), (["zzz"], "fan-2"), (["ump-1"], "pump-1")]
)
def test_patterns_without_a_match_are_refused_with_similar_devices(patterns: list[str], named: str) -> None:
    assert named in near(["pump-1", "pump-2", "press-7", "fan-2"], patterns)


def test_an_empty_fleet_is_reported() -> None:
    assert "no device has announced itself" in near([], ["pump-*"])
