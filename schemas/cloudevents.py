"""CloudEvents 1.0 in Kafka's binary mode: attributes in ``ce_*`` headers, the data is the value.

Reference: CloudEvents specification 1.0.2 and its Kafka protocol binding, section 3.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from schemas.errors import HeaderFlood, MalformedHeader, MissingHeader, RepeatedHeader, UnknownType, UnsupportedVersion
from schemas.record import Headers

SPEC_VERSION = "1.0"
_SPEC_VERSION_BYTES = SPEC_VERSION.encode()
MAX_HEADERS = 64
MAX_HEADER_BYTES = 1024

MAX_NS = 253_402_127_999_999_999_999
"""The last nanosecond of 29 December 9999: two days later, no calendar can express it in every time zone."""

# ASCII: \d would take every digit of Unicode.
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)
_TYPE = re.compile(r"(?P<name>tocsin\.[a-z-]+)\.v(?P<version>\d+)", re.ASCII)


def encode_headers(
    *, event_type: str, event_id: str, source: str, time: str, content_type: str, extensions: Mapping[str, str]
) -> Headers:
    """Headers of one event.

    Args:
        event_type: such as ``tocsin.audio.v1``.
        event_id: unique within the source; a replay repeats it.
        source: a URI reference naming the producer.
        time: RFC 3339 in UTC, see :func:`format_time`.
        content_type: media type of the value.
        extensions: further attributes; names are lowercase letters and digits.
    """
    return (
        ("content-type", content_type.encode()),
        ("ce_specversion", _SPEC_VERSION_BYTES),
        ("ce_id", event_id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", event_type.encode()),
        ("ce_time", time.encode()),
        *((f"ce_{name}", value.encode()) for name, value in extensions.items()),
    )


def decode_headers(headers: Headers, *, event_type: str, required: tuple[str, ...] = ()) -> dict[str, str]:
    """Attributes by name, without ``ce_``; the content type as ``content-type``. Other headers are ignored.

    Raises:
        HeaderFlood: more than 64 headers, or one of more than 1,024 bytes.
        RepeatedHeader: an attribute occurs twice.
        MissingHeader: one of CloudEvents' four, the content type or one of ``required`` is missing or empty.
        MalformedHeader: an attribute is not UTF-8.
        UnsupportedVersion: another CloudEvents version, or another version of the same type.
        UnknownType: another type.
    """
    if len(headers) > MAX_HEADERS:
        raise HeaderFlood(f"{len(headers)} headers; at most {MAX_HEADERS} are read: send the contract's headers only")
    found: dict[str, str] = {}
    for name, value in headers:
        if not (name.startswith("ce_") or name == "content-type") or name == "ce_content-type":
            continue
        if value is None or len(value) > MAX_HEADER_BYTES:
            size = "null" if value is None else f"{len(value)} bytes"
            raise HeaderFlood(f"header {name[:64]!r} is {size}; it must hold 1 to {MAX_HEADER_BYTES} bytes")
        short = name.removeprefix("ce_")
        if short in found:
            raise RepeatedHeader(f"header {name[:64]!r} occurs more than once; send it once")
        try:
            found[short] = value.decode()
        except UnicodeDecodeError:
            raise MalformedHeader(f"header {name[:64]!r} is not UTF-8: {value[:32]!r}") from None
    for name in ("specversion", "type", "id", "source", "content-type", *required):
        if not found.get(name):
            full = name if name == "content-type" else f"ce_{name}"
            raise MissingHeader(f"header {full!r} is missing; see docs/architecture.md for what {event_type} requires")
    if found["specversion"] != SPEC_VERSION:
        raise UnsupportedVersion(f"ce_specversion {found['specversion']!r}; this build reads {SPEC_VERSION!r}")
    if found["type"] != event_type:
        want, got = _TYPE.fullmatch(event_type), _TYPE.fullmatch(found["type"])
        if want and got and want["name"] == got["name"]:
            raise UnsupportedVersion(f"ce_type {found['type']!r}; this build reads {event_type!r}")
        raise UnknownType(f"ce_type {found['type']!r} does not belong here; this topic carries {event_type!r}")
    return found


def format_time(ns: int) -> str:
    """RFC 3339 in UTC with nanoseconds, from nanoseconds since 1970 (0 to the year 9999)."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest:09d}Z"


@lru_cache(maxsize=4_096)
def _second(seconds: int) -> str:
    """Cached, since chunks of many devices share their seconds."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def parse_time(text: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time in UTC (``...Z``).

    Raises:
        MalformedHeader: not such a time.
    """
    match = _TIME.fullmatch(text)
    malformed = MalformedHeader(f"ce_time {text[:64]!r} is not an RFC 3339 UTC time, such as {format_time(0)}")
    if match is None:
        raise malformed
    try:
        year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
        whole = int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
    except (ValueError, OverflowError):
        raise malformed from None
    if whole < 0:
        raise MalformedHeader(f"ce_time {text!r} is before 1970")
    return whole * 1_000_000_000 + int((match[7] or "0").ljust(9, "0"))
