"""Devices without a manifest take one of a bounded number of places, and leave it when they fall silent."""

from __future__ import annotations

from processors.core.offsets.unannounced import MAX_UNANNOUNCED, PLACE_MS, UnannouncedDevices


def test_places_are_bounded_and_those_in_them_stay() -> None:
    devices = UnannouncedDevices()

    assert all(devices.admit(f"d{number}", 0) for number in range(MAX_UNANNOUNCED))
    assert not devices.admit("one-more", 1)
    assert devices.admit("d0", PLACE_MS)
    assert not devices.admit("one-more", PLACE_MS)


def test_a_place_is_free_once_its_device_is_silent_for_long() -> None:
    devices = UnannouncedDevices()
    for number in range(MAX_UNANNOUNCED):
        devices.admit(f"d{number}", 0)
    devices.admit("d0", 1_000)

    assert devices.admit("one-more", PLACE_MS + 1)
    assert set(devices.last_ms) == {"d0", "one-more"}


def test_twenty_thousand_ids_occupy_no_more_than_the_places() -> None:
    devices = UnannouncedDevices()

    admitted = sum(devices.admit(f"d{number}", number // 20) for number in range(20_000))

    assert (admitted, len(devices.last_ms)) == (MAX_UNANNOUNCED, MAX_UNANNOUNCED)
