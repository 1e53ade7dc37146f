"""A chunk: a numbered piece of a device's audio, raw PCM inside a CloudEvent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.abridged import check_whole
from schemas.cloudevents import MAX_NS, decode_headers, encode_headers, format_time, parse_time
from schemas.errors import (
    EmptyValue,
    MalformedHeader,
    OversizedValue,
    TruncatedValue,
    UnknownEncoding,
    WrongChannelCount,
    WrongKey,
    WrongSampleRate,
)
from schemas.identity import is_name, is_regime
from schemas.record import Record

EVENT_TYPE = "tocsin.audio.v1"
CONTENT_TYPE = "audio/x-pcm-s16le"
"""Signed 16-bit little-endian PCM, channels interleaved."""

MIN_SAMPLE_RATE = 1_000
MAX_SAMPLE_RATE = 192_000
MAX_CHANNELS = 8
MAX_BYTES = 512 * 1024
"""Largest value, in bytes; a chunk of 2 s at 48 kHz in stereo is 375 KiB."""
MAX_SECONDS = 2
FULL_SCALE = 32_768
"""PCM steps in one unit of full scale."""

_EXTENSIONS = ("partitionkey", "sessionid", "sequence", "firstsample", "samplerate", "channels", "time")
_MAX_INT64 = 2**63 - 1
MAX_CAPTURED_NS = MAX_NS - 3_600 * 1_000_000_000
"""Latest capture time: an hour before :data:`MAX_NS`, so that the times of windows in a chunk are valid as well."""
MAX_SAMPLE = 2**48
"""Largest sample index: 46 years at 192 kHz, and small enough that resampling stays within int64."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One numbered piece of a session.

    Attributes:
        device_id: which device; the stream's key.
        session_id: one unbroken capture run of the device.
        sequence: 0, 1, 2, ... within the session.
        first_sample: index of the first sample in the session, per channel.
        sample_rate: Hz, 1,000 to 192,000.
        channels: 1 to 8.
        captured_ns: when the first sample was captured, nanoseconds since 1970, by the device's clock.
        pcm: signed 16-bit little-endian samples, channels interleaved.
        regime: the device's operating regime during capture, such as ``night`` or ``fast``; "" where it reports none.
    """

    device_id: str
    session_id: str
    sequence: int
    first_sample: int
    sample_rate: int
    channels: int
    captured_ns: int
    pcm: bytes
    regime: str = ""

    @property
    def n_samples(self) -> int:
        """Samples per channel."""
        return len(self.pcm) // (2 * self.channels)

    @property
    def end_sample(self) -> int:
        """Index of the first sample after this chunk."""
        return self.first_sample + self.n_samples

    def samples(self) -> npt.NDArray[np.int16]:
        """The samples, shape (n_samples, channels), dtype int16; a view, not a copy."""
        return np.frombuffer(self.pcm, dtype="<i2").reshape(-1, self.channels)


def encode_chunk(chunk: Chunk) -> Record:
    """The Kafka record of a chunk.

    Raises:
        ContractError: the chunk exceeds a limit, so that no reader would accept it.
    """
    _check(chunk)
    extensions = {
        "partitionkey": chunk.device_id,
        "sessionid": chunk.session_id,
        "sequence": f"{chunk.sequence:020d}",  # CloudEvents compares sequences as text
        "firstsample": str(chunk.first_sample),
        "samplerate": str(chunk.sample_rate),
        "channels": str(chunk.channels),
    }
    if chunk.regime:
        extensions["regime"] = chunk.regime
    headers = encode_headers(
        event_type=EVENT_TYPE,
        event_id=f"{chunk.session_id}/{chunk.sequence}",
        source=f"/tocsin/devices/{chunk.device_id}",
        time=format_time(chunk.captured_ns),
        content_type=CONTENT_TYPE,
        extensions=extensions,
    )
    return Record(chunk.device_id.encode(), chunk.pcm, headers)


def decode_chunk(record: Record) -> Chunk:
    """The chunk in a record. Every size is checked before anything is allocated.

    Raises:
        ContractError: the record breaks the contract; the class names how.
    """
    check_whole(record)
    size = 0 if record.value is None else len(record.value)
    if record.value is None or size == 0:
        raise EmptyValue("the record has no value; a chunk holds at least one sample")
    if size > MAX_BYTES:
        raise OversizedValue(f"{size} bytes; a chunk holds at most {MAX_BYTES}: send shorter chunks")
    attributes = decode_headers(record.headers, event_type=EVENT_TYPE, required=_EXTENSIONS)
    if attributes["content-type"] != CONTENT_TYPE:
        raise UnknownEncoding(f"content-type {attributes['content-type']!r}; this build decodes {CONTENT_TYPE!r}")
    if attributes.get("regime") == "":
        raise MalformedHeader("ce_regime is empty: leave the header out where no regime is reported")
    device_id = attributes["partitionkey"]
    if record.key != device_id.encode():
        key = None if record.key is None else record.key[:80]
        raise WrongKey(f"key {key!r} is not ce_partitionkey {device_id!r}: key chunks by their device")
    chunk = Chunk(
        device_id=device_id,
        session_id=attributes["sessionid"],
        sequence=_integer(attributes, "sequence"),
        first_sample=_integer(attributes, "firstsample"),
        sample_rate=_integer(attributes, "samplerate"),
        channels=_integer(attributes, "channels"),
        captured_ns=parse_time(attributes["time"]),
        pcm=record.value,
        regime=attributes.get("regime", ""),
    )
    _check(chunk)
    return chunk


def _integer(attributes: dict[str, str], name: str) -> int:
    text = attributes[name]
    # int() would take "1_000", " 7", "+7" and other digits of Unicode as well.
    if not (text.isascii() and text.isdigit() and len(text) <= 20) or int(text) > _MAX_INT64:
        raise MalformedHeader(f"ce_{name} {text[:64]!r} is not a whole number from 0 to {_MAX_INT64}")
    return int(text)


def _check(chunk: Chunk) -> None:
    for name, text in (("ce_partitionkey", chunk.device_id), ("ce_sessionid", chunk.session_id)):
        if not is_name(text):
            raise MalformedHeader(f"{name} {text[:120]!r} is not 1 to 100 letters, digits, '.', '_' or '-'")
    if chunk.regime and not is_regime(chunk.regime):
        raise MalformedHeader(f"ce_regime {chunk.regime[:64]!r} is not 1 to 32 letters, digits, '.', '_' or '-'")
    for name, number, most in (
        ("ce_sequence", chunk.sequence, _MAX_INT64),
        ("ce_firstsample", chunk.first_sample, MAX_SAMPLE),
        ("ce_time", chunk.captured_ns, MAX_CAPTURED_NS),
    ):
        if not 0 <= number <= most:
            raise MalformedHeader(f"{name} {number} is not a whole number from 0 to {most}")
    if not MIN_SAMPLE_RATE <= chunk.sample_rate <= MAX_SAMPLE_RATE:
        raise WrongSampleRate(f"{chunk.sample_rate} Hz; {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz are read")
    if not 1 <= chunk.channels <= MAX_CHANNELS:
        raise WrongChannelCount(f"{chunk.channels} channels; 1 to {MAX_CHANNELS} are read")
    size = len(chunk.pcm)
    if size == 0:
        raise EmptyValue("no samples; a chunk holds at least one")
    if size > MAX_BYTES:
        raise OversizedValue(f"{size} bytes; a chunk holds at most {MAX_BYTES}: send shorter chunks")
    if size % (2 * chunk.channels):
        raise TruncatedValue(f"{size} bytes are not a whole number of {chunk.channels}-channel 16-bit sample frames")
    if chunk.n_samples > MAX_SECONDS * chunk.sample_rate:
        seconds = chunk.n_samples / chunk.sample_rate
        raise OversizedValue(f"{seconds:.3f} s of sound; a chunk holds at most {MAX_SECONDS} s: send shorter chunks")
    if chunk.end_sample > MAX_SAMPLE:
        raise MalformedHeader(f"ce_firstsample {chunk.first_sample}; samples are counted to {MAX_SAMPLE}")
