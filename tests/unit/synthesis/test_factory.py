"""The demo's scenario: its fault, its screams, and that the sound matches the ground truth."""

from __future__ import annotations

import numpy as np
import pytest

from synthesis.device import SyntheticDevice
from synthesis.factory import FAULT_ONSET, demo_factory

SECOND = 16_000


@pytest.fixture(scope="module")
def factory() -> dict[str, SyntheticDevice]:
    return {device.device_id: device for device in demo_factory()}


def test_six_machines_and_two_rooms(factory: dict[str, SyntheticDevice]) -> None:
    assert [device.kind for device in factory.values()] == ["machine"] * 6 + ["room"] * 2
    assert len(factory) == 8


def test_one_machine_fails_and_one_room_has_two_screams(factory: dict[str, SyntheticDevice]) -> None:
    expected = {name for name, device in factory.items() if device.expects_alert}
    assert expected == {"motor-6", "hall-1"}
    screams = [event for event in factory["hall-1"].events if event[0] == "scream"]
    assert len(screams) == 2
    assert screams[-1][2] - screams[0][1] <= 6.0
    assert not any(event[0] == "scream" for event in factory["office-2"].events)


def test_no_event_happens_while_devices_warm_up(factory: dict[str, SyntheticDevice]) -> None:
    starts = [start for device in factory.values() for _, start, _ in device.events]
    assert min(starts) >= 12.0


def test_the_fault_changes_no_sample_before_its_onset(factory: dict[str, SyntheticDevice]) -> None:
    first = int(FAULT_ONSET * SECOND)
    motor = factory["motor-6"].render(0, first + 4 * SECOND).astype(np.float64)
    bright = np.abs(np.fft.rfft(motor[first - 2 * SECOND : first]))[2_000 * 2 :].std()
    faulty = np.abs(np.fft.rfft(motor[first + 2 * SECOND :]))[2_000 * 2 :].std()
    assert faulty > 2.0 * bright


def test_screams_are_louder_than_the_hall(factory: dict[str, SyntheticDevice]) -> None:
    hall = factory["hall-1"]
    _, start, end = next(event for event in hall.events if event[0] == "scream")
    inside = hall.render(int(start * SECOND), int((end - start) * SECOND)).std()
    before = hall.render(int((start - 2.0) * SECOND), 2 * SECOND).std()
    assert inside > 5.0 * before


def test_seeds_differ_and_repeat(factory: dict[str, SyntheticDevice]) -> None:
    other = {device.device_id: device for device in demo_factory(8)}
    again = {device.device_id: device for device in demo_factory(7)}
    for name in ("fan-2", "hall-1"):
        mine = factory[name].render(0, SECOND)
        assert np.array_equal(again[name].render(0, SECOND), mine)
        assert not np.allclose(other[name].render(0, SECOND), mine, atol=1e-4)
