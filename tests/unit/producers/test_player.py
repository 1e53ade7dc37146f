"""Playback: in real time or at full speed, sequential and concurrent, and with a failing source."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from structlog.testing import capture_logs

from producers.devices import check_regime, playback_jobs
from producers.kafka.sink import MemorySink
from producers.pcm import Block
from producers.player import MAX_CONCURRENT_FAST, MAX_CONCURRENT_REALTIME, play_all, play_session
from producers.session import Session
from producers.source import PlaybackJob
from producers.stats import ProducerStats
from schemas.chunk import Chunk
from schemas.device import Device
from schemas.errors import NotAudio, SettingsError


@dataclass(frozen=True)
class Ramp:
    """Counts up; fails after ``fails_at`` samples."""

    name: str = "ramp"
    sample_rate: int = 8_000
    n_samples: int | None = 6_000
    fails_at: int | None = None
    channels: int = 1
    unit: str = "full scale"
    full_scale: float = 1.0

    def blocks(self) -> Iterator[Block]:
        for at in range(0, self.n_samples or 0, 700):
            if self.fails_at is not None and at >= self.fails_at:
                raise NotAudio(f"{self.name} is broken")
            end = min(at + 700, self.n_samples or 0)
            yield Block(np.arange(at, end, dtype=np.int16)[:, None], clipped=1)


def job(device_id: str, *sources: Ramp, passes: int = 1) -> PlaybackJob:
    return PlaybackJob(Device(device_id=device_id, kind="room"), sources, passes)


def chunks_of(sink: MemorySink, device_id: str) -> list[Chunk]:
    return [chunk for chunk in sink.chunks if chunk.device_id == device_id]


async def test_a_device_is_announced_and_its_sources_are_sessions() -> None:
    sink, stats = MemorySink(), ProducerStats()
    before = time.time_ns()
    await play_all([job("d", Ramp(), Ramp(n_samples=1_000), passes=2)], sink, stats, realtime=False)

    assert [device.device_id for device in sink.devices] == ["d"]
    assert before <= sink.devices[0].announced_ns <= time.time_ns()
    sessions = list(dict.fromkeys(chunk.session_id for chunk in sink.chunks))
    assert len(sessions) == 4
    first = [chunk for chunk in sink.chunks if chunk.session_id == sessions[0]]
    assert np.concatenate([chunk.samples() for chunk in first])[:, 0].tolist() == list(range(6_000))
    assert (stats.devices, stats.sessions, stats.chunks, stats.samples) == ({"d"}, 4, 6, 14_000)
    assert (stats.bytes, stats.seconds, stats.clipped) == (28_000, 1.75, 2 * (9 + 2))


async def test_chunks_carry_the_operating_regime() -> None:
    sink = MemorySink()
    jobs = playback_jobs([Ramp(), Ramp()], kind="machine", device_id="d", regime="night")
    await play_all([*jobs, job("e", Ramp())], sink, ProducerStats(), realtime=False)

    assert {chunk.regime for chunk in chunks_of(sink, "d")} == {"night"}
    assert {chunk.regime for chunk in chunks_of(sink, "e")} == {""}


@pytest.mark.parametrize("regime", ["night shift", "r" * 33, "-"])
def test_an_invalid_regime_is_refused(regime: str) -> None:
    assert check_regime("night") == "night"
    with pytest.raises(SettingsError, match=f"--regime {regime!r}"):
        check_regime(regime)


async def test_at_full_speed_capture_times_are_in_the_past_and_do_not_overlap() -> None:
    sink = MemorySink()
    await play_all([job("d", Ramp(), Ramp(sample_rate=11_025), passes=2)], sink, ProducerStats(), realtime=False)

    spans = [
        (chunk.captured_ns, chunk.captured_ns + chunk.n_samples * 10**9 // chunk.sample_rate) for chunk in sink.chunks
    ]
    assert spans[-1][1] <= time.time_ns()
    for (_, end), (start, _) in pairwise(spans):
        assert abs(start - end) <= 2


async def test_in_real_time_a_chunk_is_sent_when_its_last_sample_is_captured() -> None:
    @dataclass
    class Clocked(MemorySink):
        at: list[float] = field(default_factory=list)

        async def send(self, chunk: Chunk) -> None:
            self.at.append(time.monotonic())
            await super().send(chunk)

    sink = Clocked()
    began = time.monotonic()
    await play_all([job("d", Ramp(n_samples=4_000))], sink, ProducerStats(), realtime=True, chunk_seconds=0.25)

    # The first does not wait for the second; the machine may be busy.
    assert 0.25 <= sink.at[0] - began < 0.5
    assert 0.5 <= sink.at[1] - began < 2.0


async def test_a_failing_source_is_recorded_its_sound_sent_and_the_others_played() -> None:
    sink, stats = MemorySink(), ProducerStats()
    jobs = [job("a", Ramp("one", fails_at=1_400), Ramp("two")), job("b", Ramp())]
    with capture_logs() as logs:
        await play_all(jobs, sink, stats, realtime=False)

    assert stats.failures == ["one is broken"]
    assert [entry["event"] for entry in logs] == ["one is broken"]
    assert sum(chunk.n_samples for chunk in chunks_of(sink, "a")) == 1_400 + 6_000
    assert sum(chunk.n_samples for chunk in chunks_of(sink, "b")) == 6_000


@pytest.mark.parametrize(("realtime", "limit"), [(True, MAX_CONCURRENT_REALTIME), (False, MAX_CONCURRENT_FAST)])
async def test_the_number_of_concurrent_devices_is_limited(realtime: bool, limit: int) -> None:
    playing: set[str] = set()
    peak = 0

    @dataclass
    class Watching(MemorySink):
        async def announce(self, device: Device) -> None:
            nonlocal peak
            playing.add(device.device_id)
            peak = max(peak, len(playing))
            await asyncio.sleep(0.001)

        async def send(self, chunk: Chunk) -> None:
            playing.discard(chunk.device_id)

    stats = ProducerStats()
    jobs = [job(f"d{number}", Ramp(n_samples=10)) for number in range(100)]
    await play_all(jobs, Watching(), stats, realtime=realtime)
    assert len(stats.devices) == 100
    assert peak == limit


async def test_devices_in_real_time_play_concurrently() -> None:
    began = time.monotonic()
    jobs = [job(f"d{number}", Ramp(n_samples=4_000)) for number in range(20)]
    await play_all(jobs, MemorySink(), ProducerStats(), realtime=True)
    assert 0.5 <= time.monotonic() - began < 5.0


async def test_an_error_of_the_sink_ends_the_playback() -> None:
    class Refusing(MemorySink):
        async def send(self, chunk: Chunk) -> None:
            raise SettingsError(f"no more than {chunk.sequence}")

    with pytest.raises(SettingsError, match="no more"):
        await play_all([job("a", Ramp()), job("b", Ramp())], Refusing(), ProducerStats(), realtime=False)


async def test_lost_samples_are_counted_and_leave_a_gap() -> None:
    async def blocks():  # type: ignore[no-untyped-def]
        yield Block(np.zeros((100, 1), dtype=np.int16))
        yield Block(np.zeros((100, 1), dtype=np.int16), lost=50)

    sink, stats = MemorySink(), ProducerStats()
    await play_session(blocks(), Session("d", 8_000, 1, started_ns=0), sink, stats, realtime=False)  # type: ignore[no-untyped-call]
    assert stats.lost == 50
    assert [(chunk.sequence, chunk.first_sample) for chunk in sink.chunks] == [(0, 0), (1, 150)]
