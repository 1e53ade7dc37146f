"""Valid records, for tests that break them in one way each."""

from __future__ import annotations

from schemas.alert import Alert, AudioSpan, Band
from schemas.chunk import Chunk, encode_chunk
from schemas.device import Device
from schemas.record import Headers, Record
from schemas.score import ModelRef, Score

DAY_NS = 1_760_000_000_123_456_789

CHUNK = Chunk("fan-1", "s1", 3, 24_000, 16_000, 2, DAY_NS, bytes(range(256)) * 4)
DEVICE = Device(device_id="fan-1", kind="machine", sample_rate=16_000, announced_ns=DAY_NS)
MODEL = ModelRef(name="scream-1", version="2", sha256="ab" * 32)
SCORE = Score(
    device_id="fan-1",
    detector="scream",
    session_id="s1",
    first_sample=32_000,
    n_samples=16_000,
    sample_rate=16_000,
    captured_ns=DAY_NS,
    score=0.25,
    threshold=None,
    exceeds=False,
    threshold_state="calibrating",
    level_dbfs=-41.5,
    model=MODEL,
)
ALERT = Alert(
    alert_id="a1",
    dedup_key="fan-1/scream",
    state="opened",
    revision=0,
    severity="warning",
    device_id="fan-1",
    detector="scream",
    session_id="s1",
    opened_session_id="s",
    opened_first_sample=32_000,
    first_sample=32_000,
    sample_rate=16_000,
    opened_ns=DAY_NS,
    captured_ns=DAY_NS,
    score=0.9,
    threshold=0.5,
    peak_score=0.9,
    confirmations=2,
    window_count=3,
    threshold_state="ready",
    bands=(Band(hz_low=20.0, hz_high=40.0, excess=0.75),),
    audio=AudioSpan(topic="tocsin.audio.v1", partition=1, first_offset=4, last_offset=5),
    model=MODEL,
    summary="a scream",
)
CHUNK_RECORD = encode_chunk(CHUNK)


def with_header(record: Record, name: str, value: bytes | None) -> Record:
    """The record with one header's value replaced, in its position."""
    assert name in dict(record.headers)
    headers = tuple((key, value if key == name else old) for key, old in record.headers)
    return Record(record.key, record.value, headers)


def without_header(record: Record, name: str) -> Record:
    """The record without one header."""
    headers: Headers = tuple(pair for pair in record.headers if pair[0] != name)
    assert len(headers) == len(record.headers) - 1
    return Record(record.key, record.value, headers)
