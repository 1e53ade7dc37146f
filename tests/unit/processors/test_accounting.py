"""Sound in = scored + refused + skipped + pending, exactly, whatever is received."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processors.core.accounting.coverage import Coverage, Settled
from processors.core.accounting.sound_counts import MAX_DEVICES, OTHER_DEVICES, SoundCounts
from processors.core.accounting.stream_counts import StreamCounts
from schemas.alert import Alert
from schemas.device import Device
from schemas.topics import ALERTS
from tests.unit.processors.test_pipeline import SAMPLES, Bench, chunk

WINDOW, HOP = 23 * 320 + 1024, 12 * 320


@pytest.fixture
def bench() -> Bench:
    return Bench()


def counts_of(bench: Bench) -> StreamCounts:
    return bench.pipeline._accounting.counts


def pending_in(bench: Bench, device_id: str) -> int:
    """What the device's segments hold and no window has settled."""
    devices = [part.devices.get(device_id) for part in bench.pipeline._partitions.values()]
    segments = [device.stream.segment for device in devices if device is not None]
    return sum(one._end - one._coverage._settled_to for one in segments if one is not None)


def assert_balanced(bench: Bench, device_id: str) -> None:
    sound = counts_of(bench).sound
    assert sound.pending(device_id) == pending_in(bench, device_id)


def by_reason(bench: Bench, outcome: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for _, key, samples in counts_of(bench).sound.items():
        if key.outcome == outcome:
            found[key.reason] = found.get(key.reason, 0) + samples
    return found


async def test_sound_that_windows_hold_is_scored_and_the_rest_waits(bench: Bench) -> None:
    for number in range(8):
        await bench.handle(chunk("a", number))
    sound = counts_of(bench).sound

    assert sound.samples("a", "received") == 8 * SAMPLES
    next_window = ((8 * SAMPLES - WINDOW) // HOP + 1) * HOP
    assert sound.samples("a", "scored") == next_window
    assert_balanced(bench, "a")


async def test_duplicates_gaps_and_contradictions_are_counted_by_reason(bench: Bench) -> None:
    await bench.handle(*(chunk("a", number) for number in range(3)))
    await bench.handle(chunk("a", 2), chunk("a", 3, channels=2), chunk("a", 5))
    await bench.handle(chunk("a", 6, session_id="t"))

    assert by_reason(bench, "refused") == {"WrongChannelCount": SAMPLES // 2}
    assert by_reason(bench, "missing") == {"": 2 * SAMPLES}
    skipped = by_reason(bench, "skipped")
    assert skipped["duplicate"] == SAMPLES
    assert set(skipped) == {"duplicate", "gap", "session_end", "off_grid"}
    assert counts_of(bench).dead_letters == {"WrongChannelCount": 1}
    assert_balanced(bench, "a")


async def test_sound_without_a_model_is_skipped_and_said_so(bench: Bench) -> None:
    bench.models._shipped.clear()
    await bench.handle(*(chunk("a", number) for number in range(4)))

    assert by_reason(bench, "skipped") == {"no_model": 4 * SAMPLES}


async def test_what_a_rebalance_leaves_is_read_again(bench: Bench) -> None:
    await bench.handle(*(chunk("a", number) for number in range(4)))
    windows = (4 * SAMPLES - WINDOW) // HOP + 1
    bench.pipeline.forget()
    await bench.handle(chunk("b", 0))

    assert by_reason(bench, "skipped") == {"read_again": 4 * SAMPLES - ((windows - 1) * HOP + WINDOW)}
    assert counts_of(bench).sound.pending("a") == 0


@pytest.mark.parametrize("rate", [8_000, 16_000])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arrivals=st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 12), st.integers(1, 3), st.booleans()), min_size=1, max_size=30
    )
)
async def test_the_sum_holds_for_any_arrivals(rate: int, arrivals: Sequence[tuple[str, int, int, bool]]) -> None:
    bench = Bench()
    bench.manifests.devices["b"] = Device(device_id="b", kind="room")
    for device_id, number, session, forgets in arrivals:
        await bench.handle(chunk(device_id, number, session_id=f"s{session}", sample_rate=rate))
        if forgets and number == 0:
            bench.pipeline.forget()
            await bench.handle(chunk("c", 0))
        assert_balanced(bench, device_id)
    bench.pipeline.forget()
    await bench.handle(chunk("c", 0))
    sound = counts_of(bench).sound
    for device_id in "ab":
        settled = [sound.samples(device_id, outcome) for outcome in ("scored", "refused", "skipped")]
        assert sound.samples(device_id, "received") == sum(settled)


async def test_windows_alerts_and_acknowledgements_are_counted(bench: Bench) -> None:
    for number in range(8):
        await bench.handle(chunk("a", number))
    counts = counts_of(bench)

    assert counts.windows == {("machine", "champion"): len(bench.scores())}
    assert counts.acknowledged == len(bench.acknowledged)
    sent = [Alert.from_record(record) for topic, record in bench.sent if topic is ALERTS]
    assert sum(counts.alerts.values()) == len(sent)
    opened = counts.alerts["machine", "opened"]
    assert sum(counts.capture_to_alert.counts) == opened


def test_devices_beyond_the_bound_are_counted_together() -> None:
    sound = SoundCounts()
    for number in range(MAX_DEVICES + 5):
        sound.add(f"d{number}", "received", 16_000, 10)

    assert len({device for device, _, _ in sound.items()}) == MAX_DEVICES + 1
    assert sound.samples(OTHER_DEVICES, "received") == 50


@given(
    windows=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=12),
    cuts=st.lists(st.integers(0, 80), max_size=4),
)
def test_coverage_counts_each_sample_once(windows: list[tuple[int, int]], cuts: list[int]) -> None:
    coverage, covered = Coverage(0), set[int]()
    for first, length in windows:
        coverage.cover(first, first + length)
        covered |= set(range(first, first + length))
    settled = [coverage.settle(cut) for cut in [*sorted(cuts), 80]]

    assert sum(one.scored for one in settled) == len(covered)
    assert sum(one.scored + one.unscored for one in settled) == 80
    assert coverage.settle(80) == Settled(0, 0)
