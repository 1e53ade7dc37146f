"""An audio record, read by the contract's page alone (docs/architecture.md): a chunk, or the reason it is none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.faults.oracle.evidence import Message

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_REGIME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,9})?Z")
_DIGITS = re.compile(r"[0-9]{1,20}")
_REQUIRED = ("specversion", "type", "id", "source", "time", "partitionkey", "sessionid", "sequence", "firstsample")
_MAX_VALUE, _MAX_HEADERS, _MAX_HEADER = 512 * 1024, 64, 1024
_MAX_COUNT, _MAX_SAMPLE, _MAX_YEAR = 2**63 - 1, 2**48, 9999


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk's place: in the topic and in its session.

    Attributes:
        partition, offset, at_ms: of its record.
        device, session: ids.
        sequence, first, end: number, first sample and one past the last.
        rate, channels: of its samples.
        captured_s: capture time of its first sample, seconds since 1970.
    """

    partition: int
    offset: int
    at_ms: int
    device: str
    session: str
    sequence: int
    first: int
    end: int
    rate: int
    channels: int
    captured_s: float


def read_chunk(message: Message) -> Chunk | str:
    """The chunk in a record, or in a few words why there is none."""
    if not message.value:
        return "no value"
    if len(message.value) > _MAX_VALUE:
        return "value too large"
    if len(message.headers) > _MAX_HEADERS:
        return "too many headers"
    found: dict[str, str] = {}
    for name, value in message.headers:
        if name != "content-type" and (not name.startswith("ce_") or name == "ce_content-type"):
            continue
        if value is None or len(value) > _MAX_HEADER:
            return "null or large header"
        short = name[3:] if name.startswith("ce_") else name
        if short in found:
            return "repeated header"
        try:
            found[short] = value.decode("utf-8")
        except UnicodeDecodeError:
            return "header is not text"
    if any(not found.get(name) for name in (*_REQUIRED, "samplerate", "channels", "content-type")):
        return "missing header"
    fixed = {"specversion": "1.0", "type": "tocsin.audio.v1", "content-type": "audio/x-pcm-s16le"}
    if any(found[name] != value for name, value in fixed.items()):
        return "another type, version or encoding"
    if message.key != found["partitionkey"].encode():
        return "key is not the device"
    if not (NAME.fullmatch(found["partitionkey"]) and NAME.fullmatch(found["sessionid"])):
        return "no such id"
    if "regime" in found and not _REGIME.fullmatch(found["regime"]):
        return "no such regime"
    return _numbers(message, len(message.value), found)


def _numbers(message: Message, size: int, found: dict[str, str]) -> Chunk | str:
    texts = [found[name] for name in ("sequence", "firstsample", "samplerate", "channels")]
    if not all(_DIGITS.fullmatch(text) for text in texts):
        return "not a number"
    sequence, first, rate, channels = map(int, texts)
    if sequence > _MAX_COUNT or first > _MAX_SAMPLE:
        return "number too large"
    if not 1_000 <= rate <= 192_000 or not 1 <= channels <= 8:
        return "rate or channels out of range"
    time = _TIME.fullmatch(found["time"])
    try:
        captured = datetime.fromisoformat(time[1]).replace(tzinfo=UTC).timestamp() if time else -1.0
    except ValueError:
        captured = -1.0
    if captured < 0 or captured > 253_402_300_799 - 3_600:
        return "no such time"
    if size % (2 * channels):
        return "not whole samples"
    samples = size // (2 * channels)
    if samples > 2 * rate or first + samples > _MAX_SAMPLE:
        return "too long"
    return Chunk(
        message.partition, message.offset, message.at_ms, found["partitionkey"], found["sessionid"],
        sequence, first, first + samples, rate, channels, captured,
    )  # fmt: skip
