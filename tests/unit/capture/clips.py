"""Clips for tests: one second each, at 1,000 Hz."""

from __future__ import annotations

from schemas.chunk import Chunk
from tests.unit.tocsin.alert_records import SECOND_NS, START_NS
from tocsin.capture.clip import Clip, LabelledClip
from tocsin.client.audio_reader import ReplayedChunk

RATE = 1_000


def clip(device: str = "pump-1", at_s: int = 0, session: str = "s1", seconds: int = 1) -> Clip:
    return Clip(
        device_id=device,
        session_id=session,
        first_sample=at_s * RATE,
        n_samples=seconds * RATE,
        sample_rate=RATE,
        channels=1,
        captured_ns=START_NS + at_s * SECOND_NS,
        partition=0,
        first_offset=at_s,
        last_offset=at_s + seconds - 1,
    )


def normal(device: str, at_s: int, *, hard: bool = False) -> LabelledClip:
    return LabelledClip(clip=clip(device, at_s), label="normal", hard_negative=hard)


def abnormal(device: str, at_s: int) -> LabelledClip:
    return LabelledClip(clip=clip(device, at_s), label="abnormal", alerts=("a",))


def replayed(
    first: int,
    n: int,
    *,
    starts_segment: bool = False,
    offset: int = 0,
    session: str = "s1",
    rate: int = RATE,
    channels: int = 1,
) -> ReplayedChunk:
    """A chunk of ``n`` samples from ``first`` on, captured when its samples say."""
    at_ns = START_NS + first * SECOND_NS // rate
    chunk = Chunk("pump-1", session, offset, first, rate, channels, at_ns, bytes(2 * n * channels))
    return ReplayedChunk(chunk, starts_segment, 3, offset, offset)
