"""Records that break the contract, each in a way of its own, as a client with a fault or a grudge sends them."""

from __future__ import annotations

import random
from collections.abc import Callable

Headers = list[tuple[str, bytes]]
Broken = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers."""

_SECOND = 32_000


def broken_record(rng: random.Random, device: str) -> Broken:
    """One broken record.

    Args:
        rng: which kind, and its bytes.
        device: that it claims to be of.
    """
    key, value, headers = _valid(device, rng)
    return rng.choice(_KINDS)(rng, key, value, headers)


def lone_chunk(device: str, rng: random.Random) -> Broken:
    """A valid chunk of half a second of a device that nobody knows and that sends nothing more."""
    return _valid(device, rng)


def zeros(device: str, size: int, rng: random.Random) -> Broken:
    """A value of zeros, which compresses to nearly nothing."""
    key, _, headers = _valid(device, rng)
    return key, bytes(size), headers


def _valid(device: str, rng: random.Random) -> Broken:
    headers = [
        ("content-type", b"audio/x-pcm-s16le"),
        ("ce_specversion", b"1.0"),
        ("ce_id", b"x/0"),
        ("ce_source", b"/tocsin/devices/" + device.encode()),
        ("ce_type", b"tocsin.audio.v1"),
        ("ce_time", b"2026-01-31T12:00:00.000000000Z"),
        ("ce_partitionkey", device.encode()),
        ("ce_sessionid", b"g%d" % rng.randrange(10**9)),
        ("ce_sequence", b"00000000000000000000"),
        ("ce_firstsample", b"0"),
        ("ce_samplerate", b"16000"),
        ("ce_channels", b"1"),
    ]
    return device.encode(), rng.randbytes(_SECOND // 2), headers


def _with(name: str, text: bytes) -> Callable[..., Broken]:
    def make(_: random.Random, key: bytes, value: bytes, headers: Headers) -> Broken:
        return key, value, [(one, text if one == name else was) for one, was in headers]

    return make


def _without(name: str) -> Callable[..., Broken]:
    def make(_: random.Random, key: bytes, value: bytes, headers: Headers) -> Broken:
        return key, value, [(one, was) for one, was in headers if one != name]

    return make


def _noise(rng: random.Random, _: bytes, __: bytes, ___: Headers) -> Broken:
    return rng.randbytes(rng.randrange(40)), rng.randbytes(rng.randrange(1, 2_000)), []


def _tombstone(_: random.Random, key: bytes, __: bytes, headers: Headers) -> Broken:
    return key, None, headers


def _no_key(_: random.Random, __: bytes, value: bytes, headers: Headers) -> Broken:
    return None, value, headers


def _odd(_: random.Random, key: bytes, value: bytes, headers: Headers) -> Broken:
    return key, value[:-1], headers


def _large(rng: random.Random, key: bytes, _: bytes, headers: Headers) -> Broken:
    return key, rng.randbytes(560_000), headers


def _flood(_: random.Random, key: bytes, value: bytes, headers: Headers) -> Broken:
    return key, value, headers + [("x", b"1")] * 60


def _huge_header(rng: random.Random, key: bytes, value: bytes, headers: Headers) -> Broken:
    return key, value, [*headers, ("ce_note", rng.randbytes(rng.choice((1_025, 100_000, 500_000))))]


def _twice(_: random.Random, key: bytes, value: bytes, headers: Headers) -> Broken:
    return key, value, [*headers, ("ce_sequence", b"00000000000000000001")]


_KINDS: tuple[Callable[..., Broken], ...] = (
    _noise,
    _tombstone,
    _no_key,
    _odd,
    _large,
    _flood,
    _huge_header,
    _twice,
    *(_without(name) for name in ("ce_type", "ce_id", "ce_sessionid", "ce_time", "content-type")),
    _with("ce_type", b"tocsin.audio.v2"),
    _with("ce_specversion", b"2.0"),
    _with("ce_partitionkey", b"another"),
    _with("ce_sessionid", b"../../etc/passwd"),
    _with("ce_sessionid", b"\x1b[2J[/red]"),
    _with("ce_sequence", b"-1"),
    _with("ce_sequence", b"\xd9\xa1"),
    _with("ce_firstsample", b"99999999999999999999"),
    _with("ce_samplerate", b"999"),
    _with("ce_samplerate", b"1e4"),
    _with("ce_channels", b"9"),
    _with("ce_time", b"9999-12-31T23:59:59Z"),
    _with("ce_time", b"yesterday"),
    _with("ce_source", b"\xff\xfe"),
)
