"""A tone through a real sound server's microphone into a real Kafka."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.chunk import decode_chunk
from schemas.device import Device
from schemas.topics import AUDIO, DEVICES
from tests.integration.oracle import read_all
from tocsin.client.topic_reader import record_of

PULSEAUDIO, PACAT, PACTL = (shutil.which(name) or "" for name in ("pulseaudio", "pacat", "pactl"))

pytestmark = [
    pytest.mark.integration,
    pytest.mark.microphone,
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        not (PULSEAUDIO and PACAT and PACTL),
        reason="left out: the microphone is tested with a PulseAudio of the test's own; install the packages"
        " pulseaudio and pulseaudio-utils",
    ),
]

RATE = 16_000


class SoundServer:
    """A PulseAudio of the test's own: a null sink whose monitor is the only microphone.

    Args:
        folder: a short path that is empty; sockets' paths are limited to 107 bytes.
    """

    def __init__(self, folder: Path) -> None:
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PULSE_")}
        self.environment |= {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "PULSE_RUNTIME_PATH": str(folder),
            "PULSE_SERVER": f"unix:{folder}/socket",
            "PULSE_COOKIE": str(folder / "cookie"),
        }
        self._socket = folder / "socket"
        self._process: subprocess.Popen[bytes] | None = None
        self._player: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it answers."""
        modules = (
            f"module-native-protocol-unix socket={self._socket} auth-anonymous=1",
            f"module-null-sink sink_name=room rate={RATE} channels=1",
        )
        loads = [word for module in modules for word in ("-L", module)]
        options = ["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes", *loads]
        self._process = subprocess.Popen(
            [PULSEAUDIO, *options], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while subprocess.run([PACTL, "info"], env=self.environment, capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, "pulseaudio does not answer"
            time.sleep(0.1)

    def play(self, sound: Path) -> None:
        """Plays raw 16-bit mono sound into the room, without waiting for its end."""
        command = [
            str(PACAT),
            "--playback",
            "--device=room",
            "--format=s16le",
            f"--rate={RATE}",
            "--channels=1",
            str(sound),
        ]
        self._player = subprocess.Popen(command, env=self.environment)

    def stop(self) -> None:
        """Ends it at once, as when a microphone is unplugged."""
        for process in (self._player, self._process):
            if process is not None:
                process.kill()
                process.wait(10)
        self._player = self._process = None
        self._socket.unlink(missing_ok=True)


@pytest.fixture
def sound_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundServer]:
    folder = tmp_path_factory.mktemp("pa")
    folder.chmod(0o700)
    server = SoundServer(folder)
    server.start()
    yield server
    server.stop()


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tocsin", "produce", "microphone", *map(str, arguments)]


def tone_file(folder: Path, hertz: int, seconds: int) -> Path:
    samples = 0.4 * 32_768 * np.sin(2 * np.pi * hertz * np.arange(seconds * RATE) / RATE)
    path = folder / f"{hertz}.raw"
    path.write_bytes(samples.astype("<i2").tobytes())
    return path


def peak_hertz(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples * np.hanning(len(samples))))) * RATE / len(samples))


def test_the_inputs_are_listed(sound_server: SoundServer) -> None:
    ended = subprocess.run(
        command("--list", "--json"), env=sound_server.environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert any("Monitor" in name for name in json.loads(ended.stdout)["inputs"])


@pytest.mark.parametrize("hertz", [440, 1_000])
async def test_a_tone_arrives_unchanged(kafka: str, sound_server: SoundServer, tmp_path: Path, hertz: int) -> None:
    device_id = f"mic-{uuid.uuid4().hex[:8]}"
    sound_server.play(tone_file(tmp_path, hertz, 30))
    before = time.time_ns()
    ended = await asyncio.to_thread(
        subprocess.run,
        command("--device", device_id, "--seconds", 4, "--kafka", kafka, "--json"),
        env=sound_server.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr

    (manifest,) = await read_all(kafka, DEVICES.name, {device_id})
    device = Device.from_record(record_of(manifest))
    assert (device.kind, device.sample_rate) == ("room", RATE)
    messages = await read_all(kafka, AUDIO.name, {device_id})
    chunks = [decode_chunk(record_of(message)) for message in messages]
    assert [chunk.n_samples for chunk in chunks] == [8_000] * 8
    assert all(a.end_sample == b.first_sample for a, b in pairwise(chunks))
    assert before <= chunks[0].captured_ns <= time.time_ns()
    for chunk in chunks[2:]:
        samples = chunk.samples()[:, 0].astype(float)
        assert abs(peak_hertz(samples) - hertz) <= 2 * RATE / len(samples)
        assert 0.3 * 32_768 < np.abs(samples).max() < 0.5 * 32_768


async def test_a_lost_input_is_reopened_as_a_new_session(kafka: str, sound_server: SoundServer) -> None:
    device_id = f"mic-{uuid.uuid4().hex[:8]}"
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    arguments = command("--device", device_id, "--seconds", 5, "--kafka", kafka, "--json")
    with subprocess.Popen(arguments, env=sound_server.environment, **pipes) as running:
        while not await read_all(kafka, AUDIO.name, {device_id}):
            await asyncio.sleep(0.2)
        sound_server.stop()
        await asyncio.sleep(4)
        await asyncio.to_thread(sound_server.start)
        out, errors = await asyncio.to_thread(running.communicate, timeout=60)

    assert running.returncode == 0, errors
    assert json.loads(out)["sessions"] == 2
    assert "A new session begins when it is back" in errors
    messages = await read_all(kafka, AUDIO.name, {device_id})
    sessions = dict.fromkeys(decode_chunk(record_of(message)).session_id for message in messages)
    assert len(sessions) == 2


def test_a_missing_sound_server_is_reported(sound_server: SoundServer) -> None:
    sound_server.stop()
    arguments = command("--kafka", "127.0.0.1:9")
    ended = subprocess.run(
        arguments, env=sound_server.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert "--list" in ended.stderr.splitlines()[-1]
