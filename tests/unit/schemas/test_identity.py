"""Ids are UUIDs of version 5 over the position in the stream."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import alert_id, window_id

ROOT = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tocsin")


@given(device=st.text(max_size=30), first=st.integers(0, 2**48), length=st.integers(1, 10**6))
def test_ids_are_what_rfc_9562_says(device: str, first: int, length: int) -> None:
    position = f"{device}/machine/s/{first}+{length}"
    assert window_id(device, "machine", "s", first, length) == str(uuid.uuid5(ROOT, f"window/{position}"))
    assert window_id(device, "machine", "s", first, length, shadow=True) == str(uuid.uuid5(ROOT, f"shadow/{position}"))
    assert alert_id(device, "machine", "s", first, length) == str(uuid.uuid5(ROOT, f"alert/{position}"))
