"""A window has the reported regime of the chunk it begins in, wherever a worker began to read."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.core.windowing.device_stream import DeviceStream
from processors.core.windowing.extraction import Extractor
from processors.core.windowing.window import Window
from schemas.chunk import Chunk
from tests.properties.test_stream_windows import SPECS, chunks_of, recording
from tests.unit.core.models import model_set

RATE = 16_000
DETECTOR_SPECS = {name: SPECS[name] for name in ("machine", "scream")}


def stream(chunks: list[tuple[int, Chunk]]) -> dict[tuple[str, int], Window]:
    device, extractor, windows = DeviceStream("d", model_set(DETECTOR_SPECS)), Extractor(), list[Window]()
    for offset, chunk in chunks:
        device.admit(chunk)
        assert device.segment is not None
        windows += extractor.extract([(device.segment, chunk, offset)])
    return {(window.slot.detector, window.first_sample): window for window in windows}


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_window_takes_the_regime_of_its_first_chunk_also_after_a_restart(data: st.DataObject) -> None:
    samples = recording(RATE, 3.0, 1, 5)
    cuts = data.draw(st.lists(st.integers(1, len(samples) - 1), min_size=2, max_size=9))
    tags = st.sampled_from(["", "slow", "fast"])
    chunks = [(n, replace(one, regime=data.draw(tags))) for n, one in enumerate(chunks_of(samples, RATE, cuts))]
    windows = stream(chunks)
    assert windows
    for window in windows.values():
        begins_in = next(one for _, one in chunks if one.first_sample <= window.first_sample < one.end_sample)
        assert window.regime == begins_in.regime

    start = data.draw(st.integers(0, len(chunks) - 1))
    again = stream(chunks[start:])
    # What begins before the first chunk that is read again was whole before the restart.
    later = {place: one for place, one in again.items() if place[1] >= chunks[start][1].first_sample}
    assert {place: one.regime for place, one in later.items()} == {place: windows[place].regime for place in later}
