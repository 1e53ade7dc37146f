"""The alert of a device that falls silent is closed once, whoever owns its partition, and its device reported."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest

from processors.core.alerting.decision import decide
from processors.core.alerting.detector_state import DetectorState, Output
from processors.stream.silence import SilenceWatch
from schemas.alert import Alert
from tests.unit.core.scored_windows import context_of, window
from tests.unit.tocsin.alert_records import alert

LIMIT_S = 600.0


class World:
    """A clock, a broker and the topic of alerts."""

    def __init__(self) -> None:
        self.now, self.caught_up = 0.0, True
        self.alerts: dict[str, Alert] = {}

    def watch(self) -> SilenceWatch:
        return SilenceWatch(LIMIT_S, self.last_alerts, lambda: self.caught_up, lambda: self.now)

    async def last_alerts(self, partitions: Collection[int]) -> Sequence[Alert]:
        assert set(partitions) == {0}
        return list(self.alerts.values())

    def advance(self, watch: SilenceWatch, seconds: float) -> tuple[list[Alert], list[str]]:
        closing, missed = [], []
        for _ in range(round(seconds / 5)):
            self.now += 5
            found = watch.due()
            watch.confirm(found[0])
            closing += found[0]
            missed += found[1]
        for one in closing:
            self.alerts[one.dedup_key] = one
        return closing, missed


@pytest.fixture
def world() -> World:
    return World()


async def test_an_open_alert_is_closed_once_after_the_stated_time(world: World) -> None:
    opened = alert(state="opened")
    world.alerts[opened.dedup_key] = opened
    watch = world.watch()
    await watch.load([0])

    assert world.advance(watch, LIMIT_S - 10)[0] == []
    (closed,), _ = world.advance(watch, 20)
    assert (closed.state, closed.reason, closed.revision) == ("closed", "no_sound", opened.revision + 1)
    assert closed.alert_id == opened.alert_id
    assert world.advance(watch, 3 * LIMIT_S) == ([], [])
    other = world.watch()
    await other.load([0])
    assert world.advance(other, 3 * LIMIT_S) == ([], [])
    assert dict(other.closed) == {(closed.device_id, closed.detector): closed}


async def test_two_owners_make_the_same_record(world: World) -> None:
    opened = alert(state="opened")
    world.alerts[opened.dedup_key] = opened
    closings = []
    for _ in range(2):
        watch = world.watch()
        await watch.load([0])
        world.now += 1
        (closed,), _ = world.advance(watch, LIMIT_S + 10)
        world.alerts[opened.dedup_key] = opened
        closings.append(closed.to_record())
    assert closings[0] == closings[1]


async def test_sound_and_outages_are_no_silence(world: World) -> None:
    opened = alert(state="opened")
    world.alerts[opened.dedup_key] = opened
    watch = world.watch()
    await watch.load([0])
    for _ in range(10):
        assert watch.received([opened.device_id]) == []
        assert world.advance(watch, LIMIT_S - 10) == ([], [])
    world.caught_up = False
    assert world.advance(watch, 5 * LIMIT_S) == ([], [])
    world.caught_up = True
    watch.received([opened.device_id])
    assert world.advance(watch, LIMIT_S - 10) == ([], [])


async def test_a_device_is_reported_once_and_again_when_it_returns(world: World) -> None:
    watch = world.watch()
    for _ in range(20):
        watch.received(["pump", "fan"])
        world.advance(watch, 5)
    watch.received(["visitor"])

    assert world.advance(watch, LIMIT_S + 10) == ([], ["pump", "fan"])
    assert watch.received(["pump", "visitor"]) == ["pump"]
    assert watch.received(["pump"]) == []


async def test_the_next_window_passes_the_closing_on_to_the_state() -> None:
    state, outputs = DetectorState(), list[Output]()
    number = 0
    while not any(one.alert is not None for one in outputs):
        state, outputs = decide(state, context_of, [window(number, 1.0 if number < 20 else 50.0)])
        number += 1
        assert number < 40, "no alert was opened"
    opened = next(one.alert for one in outputs if one.alert is not None)
    watch = SilenceWatch(0.0)
    watch.sent(outputs)
    ((closed,), _) = watch.due()
    watch.confirm([closed])

    quiet, again = decide(state, context_of, [window(number, 1.0)], silenced=closed)
    assert [one.alert for one in again] == [closed]
    assert quiet.lifecycle.alert is None
    assert again[0].alert.to_record() == closed.to_record()
    assert closed.alert_id == opened.alert_id
    _, later = decide(quiet, context_of, [window(number + 1, 1.0)], silenced=closed)
    assert [one.alert for one in later] == [None]
