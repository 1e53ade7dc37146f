"""The microphone: its thread never waits, losses are counted, and it reconnects as a new session."""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import Generator, Iterator
from typing import Any, ClassVar

import miniaudio
import numpy as np
import pytest
from structlog.testing import capture_logs

from producers.kafka.sink import MemorySink
from producers.sources import alsa
from producers.sources.microphone import CaptureOptions, Microphone, capture, list_inputs
from producers.stats import ProducerStats
from schemas.device import Device
from schemas.errors import CaptureError, InputError

RATE = 8_000
OPTIONS = CaptureOptions(None, RATE, 1, 0.25)
DEVICE = Device(device_id="mic", kind="room", sample_rate=RATE)


class FakeDevice:
    """An input with scripted sound."""

    opened: ClassVar[list[FakeDevice]] = []
    script: ClassVar[list[int | None]] = []
    """Number of blocks that each opened input delivers before it stalls; None cannot be opened."""

    def __init__(self, **_: Any) -> None:
        blocks = self.script.pop(0) if self.script else 1_000_000
        if blocks is None:
            raise miniaudio.MiniaudioError("gone", -1)
        self.blocks = blocks
        self.closed = threading.Event()
        self.thread: threading.Thread | None = None
        self.opened.append(self)

    def start(self, receiver: Generator[None, bytearray, None]) -> None:
        def run() -> None:
            for number in range(self.blocks):
                if self.closed.wait(0.002):
                    return
                receiver.send(bytearray(np.full(800, number, dtype=np.int16).tobytes()))

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def close(self) -> None:
        self.closed.set()
        if self.thread is not None:
            self.thread.join()


class FakeDevices:
    names: ClassVar[list[str]] = ["Built-in", "USB desk", "USB ceiling"]

    def __init__(self, backends: list[miniaudio.Backend]) -> None:
        assert miniaudio.Backend.NULL not in backends

    def get_captures(self) -> list[dict[str, Any]]:
        return [{"name": name, "id": f"id of {name}"} for name in self.names]


@pytest.fixture(autouse=True)
def _fake_inputs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(miniaudio, "CaptureDevice", FakeDevice)
    monkeypatch.setattr(miniaudio, "Devices", FakeDevices)
    monkeypatch.setattr("producers.sources.microphone._STALLED_S", 0.2)
    monkeypatch.setattr("producers.sources.microphone._REOPEN_S", 0.01)
    yield
    assert all(device.closed.is_set() for device in FakeDevice.opened)
    FakeDevice.opened.clear()
    FakeDevice.script.clear()


async def test_all_captured_samples_are_sent() -> None:
    sink, stats = MemorySink(), ProducerStats()
    await capture(OPTIONS, DEVICE, sink, stats, seconds=0.9)

    assert [device.device_id for device in sink.devices] == ["mic"]
    sound = np.concatenate([chunk.samples() for chunk in sink.chunks])[:, 0]
    assert sound.tolist() == [number for number in range(9) for _ in range(800)]
    assert (stats.sessions, stats.lost) == (1, 0)


async def test_the_thread_does_not_wait_for_a_slow_reader_and_reports_the_gap() -> None:
    microphone = Microphone(OPTIONS)
    try:
        await microphone.start()
        await asyncio.sleep(0.3)  # 5 s of sound take 0.1 s here, and the queue holds no more
        blocks = microphone.blocks()
        first = [await anext(blocks) for _ in range(50)]
        after = await anext(blocks)
        await blocks.aclose()
    finally:
        microphone.close()

    assert [block.lost for block in first] == [0] * 50
    assert after.lost > 0
    assert after.lost % 800 == 0
    assert after.samples[0, 0] == 50 + after.lost // 800


async def test_a_lost_input_is_reopened_as_a_new_session() -> None:
    FakeDevice.script[:] = [4, None, None, 1_000]
    sink, stats = MemorySink(), ProducerStats()
    with capture_logs() as logs:
        await capture(OPTIONS, DEVICE, sink, stats, seconds=1.0)

    assert [entry["log_level"] for entry in logs] == ["warning", "info"]
    sessions = list(dict.fromkeys(chunk.session_id for chunk in sink.chunks))
    lengths = [sum(chunk.n_samples for chunk in sink.chunks if chunk.session_id == session) for session in sessions]
    assert lengths == [3_200, 4_800]
    assert stats.sessions == 2
    assert len(sink.devices) == 1


async def test_an_input_that_cannot_be_opened_is_refused() -> None:
    FakeDevice.script[:] = [None]
    with pytest.raises(CaptureError, match=r"cannot be opened \('?gone|cannot be opened"):
        await capture(OPTIONS, DEVICE, MemorySink(), ProducerStats())


async def test_an_input_that_delivers_nothing_is_refused() -> None:
    FakeDevice.script[:] = [0]
    with pytest.raises(CaptureError, match="delivered nothing"):
        await capture(OPTIONS, DEVICE, MemorySink(), ProducerStats())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("USB", "more than one.*2 'USB desk', 3 'USB ceiling'"),
        ("none", "is not an input.*1 'Built-in'"),
        ("0", "is not"),
    ],
)
async def test_an_unknown_or_ambiguous_input_is_refused_with_the_choices(name: str, words: str) -> None:
    with pytest.raises(CaptureError, match=words):
        Microphone(CaptureOptions(name, RATE, 1, 0.25))


@pytest.mark.parametrize(("name", "chosen"), [("2", "USB desk"), ("USB ceiling", "USB ceiling"), ("built", "Built-in")])
async def test_an_input_is_chosen_by_number_or_name(name: str, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def opened(**options: Any) -> FakeDevice:
        asked.append(options["device_id"])
        return FakeDevice()

    monkeypatch.setattr(miniaudio, "CaptureDevice", opened)
    Microphone(CaptureOptions(name, RATE, 1, 0.25)).close()
    assert asked == [f"id of {chosen}"]


async def test_no_microphone_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeDevices, "names", [])
    assert list_inputs() == []
    with pytest.raises(CaptureError, match="no microphone"):
        Microphone(OPTIONS)


async def test_no_sound_system(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise miniaudio.MiniaudioError("cannot init context", -1)

    monkeypatch.setattr(miniaudio, "Devices", fail)
    with pytest.raises(CaptureError, match="no sound system"):
        list_inputs()


async def test_an_unsupported_rate_is_refused_before_the_input_is_opened() -> None:
    with pytest.raises(InputError, match="500 Hz"):
        Microphone(CaptureOptions(None, 500, 1, 0.25))
    assert FakeDevice.opened == []


def test_the_null_input_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeDevices, "names", [f"Discard all samples (playback) or {alsa.ZEROS} (capture)", "USB desk"])
    assert list_inputs() == ["USB desk"]


def test_messages_of_alsa_are_suppressed(capfd: pytest.CaptureFixture[str]) -> None:
    try:
        library = ctypes.CDLL("libasound.so.2")
    except OSError:
        assert alsa.quieten() is None
        return
    alsa.quieten()
    pcm = ctypes.c_void_p()
    assert library.snd_pcm_open(ctypes.byref(pcm), b"no-such-card", 1, 0) < 0
    assert capfd.readouterr().err == ""
