"""`tocsin produce` against a real Kafka: delivery, user errors and outages."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
import uuid
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from connections.kafka import KafkaConnection
from producers.kafka.publisher import Publisher
from schemas.chunk import Chunk, decode_chunk
from schemas.device import Device
from schemas.topics import AUDIO, DEVICES
from synthesis.factory import demo_factory
from tests.integration.oracle import read_all
from tocsin.client.topic_reader import record_of
from tocsin.stack.stack import Stack

pytestmark = pytest.mark.integration


def command(kafka: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "tocsin", "produce", *map(str, arguments), "--kafka", kafka, "--json"]


def produce(kafka: str, *arguments: object) -> tuple[int, dict[str, Any], str]:
    """Exit code, summary and standard error of one run."""
    ended = subprocess.run(command(kafka, *arguments), capture_output=True, text=True, timeout=120, check=False)
    return ended.returncode, json.loads(ended.stdout or "{}"), ended.stderr


def fresh(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


async def chunks_of(kafka: str, device_id: str) -> list[Chunk]:
    return [decode_chunk(record_of(message)) for message in await read_all(kafka, AUDIO.name, {device_id})]


async def manifest_of(kafka: str, device_id: str) -> Device:
    messages = await read_all(kafka, DEVICES.name, {device_id})
    return Device.from_record(record_of(messages[-1]))


def sound_of(chunks: list[Chunk]) -> np.ndarray:
    """The samples, after a check that none is missing and none came twice."""
    assert [chunk.sequence for chunk in chunks] == list(range(len(chunks)))
    assert all(a.end_sample == b.first_sample for a, b in pairwise(chunks))
    return np.concatenate([chunk.samples() for chunk in chunks])


async def test_each_file_is_a_device_and_a_bad_file_does_not_stop_the_others(kafka: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    sounds = {
        fresh("press"): (rng.integers(-9_000, 9_000, (20_000, 1)).astype(np.int16), 16_000, ".wav"),
        fresh("fan"): (rng.integers(-9_000, 9_000, (70_001, 2)).astype(np.int16), 44_100, ".flac"),
    }
    for name, (samples, rate, suffix) in sounds.items():
        soundfile.write(tmp_path / f"{name}{suffix}", samples, rate, subtype="PCM_16")
    (tmp_path / "broken.wav").write_bytes(b"RIFF and no more")

    code, summary, errors = produce(kafka, "file", tmp_path, "--kind", "machine")

    assert code == 2
    assert "broken.wav cannot be decoded" in errors
    assert (summary["devices"], summary["sessions"], summary["samples"]) == (2, 2, 90_001)
    assert summary["chunks"] == 3 + 4
    assert summary["bytes"] == 2 * 20_000 + 4 * 70_001
    assert (summary["clipped_samples"], summary["undelivered_chunks"]) == (0, 0)
    for name, (samples, rate, _) in sounds.items():
        chunks = await chunks_of(kafka, name)
        assert np.array_equal(sound_of(chunks), samples)
        assert {chunk.sample_rate for chunk in chunks} == {rate}
        device = await manifest_of(kafka, name)
        assert (device.kind, device.sample_rate, device.unit) == ("machine", rate, "full scale")


async def test_one_device_plays_files_as_sessions(kafka: str, tmp_path: Path) -> None:
    device_id = fresh("room")
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, np.zeros(12_000), 16_000)
    code, summary, _ = produce(kafka, "file", tmp_path, "--device", device_id, "--loop", 2)

    chunks = await chunks_of(kafka, device_id)
    assert (code, summary["devices"], summary["sessions"]) == (0, 1, 4)
    assert len({chunk.session_id for chunk in chunks}) == 4
    assert [chunk.sequence for chunk in chunks] == [0, 1] * 4
    times = [chunk.captured_ns for chunk in chunks]
    assert times == sorted(times)


async def test_sensor_values_follow_from_the_manifest(kafka: str, tmp_path: Path) -> None:
    device_id = fresh("bearing")
    values = np.random.default_rng(2).normal(0, 0.7, 30_000).clip(-3.5, 3.5).astype(np.float32)
    np.savez(tmp_path / "a.npz", acceleration_g=values, sample_rate_hz=12_000)
    code, summary, errors = produce(kafka, "sensor", tmp_path / "a.npz", "--device", device_id)

    device = await manifest_of(kafka, device_id)
    steps = sound_of(await chunks_of(kafka, device_id))[:, 0]
    assert (code, device.kind, device.unit) == (0, "machine", "g")
    assert f"full scale {device.full_scale:g} g" in errors
    assert summary["clipped_samples"] == 0
    assert np.abs(steps / 32_768 * device.full_scale - values).max() <= device.full_scale / 32_768


async def test_the_partition_is_that_of_any_murmur2_client(kafka: str) -> None:
    async with Publisher(KafkaConnection(kafka)) as publisher:
        await publisher.send(Chunk("foobar", fresh("s"), 0, 0, 16_000, 1, 0, bytes(8_000)))
    messages = await read_all(kafka, AUDIO.name, {"foobar"})
    # murmur2(b"foobar") is -790332482 in the tests of Kafka's own Java client.
    assert {message.partition for message in messages} == {(-790332482 & 0x7FFFFFFF) % AUDIO.partitions}


async def test_the_largest_chunk_fits_the_topic(kafka: str, tmp_path: Path) -> None:
    device_id = fresh("large")
    samples = np.random.default_rng(1).integers(-32_768, 32_768, (100_000, 8)).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 192_000, subtype="PCM_16")
    code, _, errors = produce(kafka, "file", tmp_path / "a.wav", "--device", device_id, "--chunk-seconds", 2)

    assert code == 0, errors
    chunks = await chunks_of(kafka, device_id)
    assert len(chunks[0].pcm) == 512 * 1024
    assert np.array_equal(sound_of(chunks), samples)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["file", "nowhere.wav"], "nowhere.wav cannot be read"),
        (["file", "."], "no audio file"),
        (["file", "a.wav", "--kind", "robot"], "'robot' is not one of 'machine', 'room'"),
        (["file", "a.wav", "--device", "a b"], "device id 'a b'"),
        (["file", "a.wav", "--chunk-seconds", "3"], "chunks of 3.0 s"),
        (["file", "a.wav", "--loop", "0"], "--loop 0"),
        (["synthetic", "--fast"], "--seconds"),
        (["synthetic", "--device", "x-1", "--seconds", "1"], "'x-1'"),
        (["sensor", "table.csv"], "--rate"),
        (["microphone", "--rate", "100"], "100 Hz"),
        (["microphone", "--seconds", "-1"], "--seconds -1"),
    ],
)
def test_a_user_error_is_one_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    audio = tmp_path / "audio"
    audio.mkdir()
    (tmp_path / "table.csv").write_text("1\n2\n")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    if arguments[1:2] == ["a.wav"]:
        soundfile.write(tmp_path / "a.wav", np.zeros(8_000), 16_000)
    ended = subprocess.run(
        command("127.0.0.1:9", *arguments), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("tocsin: ")
    assert words in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_an_unavailable_broker_is_logged_once_and_an_interruption_ends_soon(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(8_000), 16_000)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with subprocess.Popen(
            command(address, "file", tmp_path / "a.wav"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            assert running.stderr is not None
            first = running.stderr.readline()
            time.sleep(3)
            running.send_signal(signal.SIGINT)
            began = time.monotonic()
            out, rest = running.communicate(timeout=20)
    assert time.monotonic() - began < 10.0  # two seconds of grace, and a busy machine
    assert f"Kafka at {address} does not answer" in first
    assert rest == ""
    assert json.loads(out)["chunks"] == 0
    assert running.returncode == 130


async def test_an_outage_loses_nothing_and_an_interruption_reports_undelivered_chunks(
    kafka: str, stack: Stack, tmp_path: Path
) -> None:
    device_id = fresh("steady")
    samples = np.random.default_rng(4).integers(-9_000, 9_000, (12 * 16_000, 1)).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="PCM_16")
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    finite = command(kafka, "file", tmp_path / "a.wav", "--device", device_id, "--realtime")
    endless = command(kafka, "synthetic", "--device", demo_factory()[0].device_id)
    before = len(await chunks_of(kafka, demo_factory()[0].device_id))
    with subprocess.Popen(finite, **pipes) as one, subprocess.Popen(endless, **pipes) as two:
        try:
            while not await chunks_of(kafka, device_id):
                await asyncio.sleep(0.2)
            while len(await chunks_of(kafka, demo_factory()[0].device_id)) <= before:
                await asyncio.sleep(0.2)
            stack.kafka.kill()
            await asyncio.sleep(5)
            two.send_signal(signal.SIGINT)
            began = time.monotonic()
            two_out, two_err = await asyncio.to_thread(two.communicate, timeout=20)
            ended_after = time.monotonic() - began
        finally:
            await asyncio.to_thread(stack.kafka.start)
        one_out, one_err = await asyncio.to_thread(one.communicate, timeout=120)

    assert ended_after < 10.0
    assert two.returncode == 2
    undelivered = json.loads(two_out)["undelivered_chunks"]
    assert undelivered > 0
    assert f"{undelivered} chunks were not delivered" in two_err
    assert two_err.count("does not answer") == 1
    assert one.returncode == 0, one_err
    assert json.loads(one_out)["undelivered_chunks"] == 0
    assert one_err.count("does not answer") == 1
    assert one_err.count("answers again") == 1
    assert len(one_err.splitlines()) <= 4
    assert np.array_equal(sound_of(await chunks_of(kafka, device_id)), samples)
