"""`tocsin dataset capture` against a real Kafka: exactly the expected clips, even after an interruption."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from tests.integration.recorded_device import RecordedDevice, noise, send_alerts, send_devices
from tocsin.capture.manifest import CaptureManifest
from tocsin.capture.workspace import CaptureWorkspace

pytestmark = pytest.mark.integration


def arguments(kafka: str, *words: object) -> list[str]:
    return [sys.executable, "-m", "tocsin", *map(str, words), "--kafka", kafka]


async def tocsin(kafka: str, *words: object) -> subprocess.CompletedProcess[str]:
    wide = {**os.environ, "COLUMNS": "200"}
    return await asyncio.to_thread(
        subprocess.run, arguments(kafka, *words), capture_output=True, text=True, timeout=90, env=wide
    )


def capture(out: Path, pattern: str, *more: object) -> tuple[object, ...]:
    return ("dataset", "capture", "--devices", pattern, "--since", "1h", "--out", out, "--clip", "2s", *more)


async def captured(kafka: str, out: Path, pattern: str, *more: object) -> dict[str, Any]:
    done = await tocsin(kafka, *capture(out, pattern, "--json", *more))
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def manifest_of(out: Path) -> CaptureManifest:
    manifest = CaptureManifest.load(out)
    assert manifest is not None
    return manifest


def files_of(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def samples_of(path: Path) -> npt.NDArray[np.int16]:
    samples, _ = soundfile.read(path, dtype="int16", always_2d=True)
    return samples


@pytest.fixture
def tag() -> str:
    return uuid.uuid4().hex[:8]


async def test_exactly_the_expected_clips_sample_by_sample(kafka: str, tmp_path: Path, tag: str) -> None:
    steady, worn = RecordedDevice(f"pump-a-{tag}"), RecordedDevice(f"pump-b-{tag}", rate=12_000)
    stranger = RecordedDevice(f"fan-{tag}")
    chunks = steady.record("s1", noise(1, 21.0))
    # Lost: samples from 7.0 to 7.5 s. Repeated: what had come before; and the whole first session, after the second.
    broken = chunks[:14] + chunks[15:]
    steady.sent = [*broken[:6], *broken[3:6], *broken[6:], *steady.record("s2", noise(2, 5.0), 100.0), *broken]
    worn.sent = worn.record("s1", noise(3, 30.0, worn.rate, 2))
    stranger.sent = stranger.record("s1", noise(4, 10.0))
    await send_devices(kafka, steady, worn, stranger)

    out = tmp_path / "out"
    result = await captured(kafka, out, f"pump-*-{tag}")

    expected = {(steady.name, "s1", at) for at in (0, 2, 4, 8, 10, 12, 14, 16, 18)}
    expected |= {(steady.name, "s2", at) for at in (0, 2)} | {(worn.name, "s1", at) for at in range(0, 30, 2)}
    manifest = manifest_of(out)
    places = [one.clip.key for one in manifest.clips]
    rates = {steady.name: steady.rate, worn.name: worn.rate}
    assert sorted((name, session, first // rates[name]) for name, session, first in places) == sorted(expected)
    source = {one.name: one for one in (steady, worn)}
    for one in manifest.clips:
        clip, path = one.clip, out / one.file
        assert one.file.startswith(f"normal/{clip.device_id}/{clip.session_id}_")
        wanted = source[clip.device_id].pcm[clip.session_id][clip.first_sample : clip.first_sample + clip.n_samples]
        assert np.array_equal(samples_of(path), wanted)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == one.sha256
    assert files_of(out).keys() == {"manifest.json", *(one.file for one in manifest.clips)}
    assert (result["clips"], result["added"], result["normal"], result["abnormal"]) == (26, 26, 26, 0)


async def test_alerts_and_feedback_decide_the_labels(kafka: str, tmp_path: Path, tag: str) -> None:
    device = RecordedDevice(f"pump-{tag}")
    device.sent = device.record("s1", noise(5, 80.0))
    unjudged, false, real = device.alert(10.0, 13.0), device.alert(30.0, 33.0), device.alert(50.0, 53.0)
    await send_devices(kafka, device)
    await send_alerts(kafka, unjudged, false, real)
    for alert, judgement in ((false, "real"), (false, "false-alarm"), (real, "real")):
        given = await tocsin(kafka, "alerts", "feedback", alert[0].alert_id, judgement, "--note", f"by {tag}")
        assert given.returncode == 0, given.stderr

    out = tmp_path / "out"
    result = await captured(kafka, out, device.name, "--guard", "3s")

    at = {one.clip.first_sample // device.rate: one for one in manifest_of(out).clips}
    assert sorted(second for second, one in at.items() if one.label == "abnormal") == [50, 52]
    assert sorted(second for second, one in at.items() if one.hard_negative) == [30, 32]
    assert set(range(0, 80, 2)) - at.keys() == {6, 8, 10, 12, 14, 16, 46, 48, 54, 56}
    assert at[50].file.startswith(f"abnormal/{device.name}/")
    assert (at[50].alerts, at[30].alerts) == ((real[0].alert_id,), (false[0].alert_id,))
    assert (result["hard_negatives"], result["abnormal"], result["left_out"]["near_alerts"]) == (2, 2, 10)


async def test_a_capture_is_bounded_and_balanced_over_devices_and_hours(kafka: str, tmp_path: Path, tag: str) -> None:
    first, second = RecordedDevice(f"pump-a-{tag}"), RecordedDevice(f"pump-b-{tag}")
    first.sent = first.record("s1", noise(6, 60.0)) + first.record("s2", noise(7, 20.0), 7_200.0)
    second.sent = second.record("s1", noise(8, 20.0))
    await send_devices(kafka, first, second)

    result = await captured(kafka, tmp_path / "short", f"pump-*-{tag}", "--minutes-per-device", 0.5)
    small = await captured(kafka, tmp_path / "small", f"pump-*-{tag}", "--max-gb", 0.001)

    assert result["devices"] == {first.name: {"normal": 15}, second.name: {"normal": 10}}
    sessions = [
        one.clip.session_id for one in manifest_of(tmp_path / "short").clips if one.clip.device_id == first.name
    ]
    assert {sessions.count("s1"), sessions.count("s2")} == {7, 8}
    # Fifteen files of 64 kB at most go into a megabyte.
    assert small["devices"] == {first.name: {"normal": 8}, second.name: {"normal": 7}}
    assert small["bytes"] <= 1_000_000
    assert small["left_out"]["beyond_bounds"] == 35


async def test_a_killed_capture_is_resumed(kafka: str, tmp_path: Path, tag: str) -> None:
    device = RecordedDevice(f"pump-{tag}")
    device.sent = device.record("s1", noise(9, 900.0))
    await send_devices(kafka, device)
    words = capture(tmp_path / "killed", device.name, "--clip", "1s", "--json")

    process = await asyncio.create_subprocess_exec(
        *arguments(kafka, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    folder = tmp_path / "killed" / "normal" / device.name
    async with asyncio.timeout(60):
        while not folder.is_dir() or len(list(folder.glob("*.flac"))) < 20:
            await asyncio.sleep(0.005)
    process.kill()
    await process.wait()
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.flac")}
    assert not (tmp_path / "killed" / "manifest.json").exists()
    assert all(len(samples_of(path)) == device.rate for path in before)

    resumed = await captured(kafka, tmp_path / "killed", device.name, "--clip", "1s")
    again = await captured(kafka, tmp_path / "killed", device.name, "--clip", "1s")
    undisturbed = await captured(kafka, tmp_path / "whole", device.name, "--clip", "1s")

    assert all(path.stat().st_mtime_ns == at for path, at in before.items())
    assert (resumed["clips"], resumed["added"]) == (900, 900 - len(before))
    assert (again["clips"], again["added"], undisturbed["added"]) == (900, 0, 900)
    found, wanted = files_of(tmp_path / "killed"), files_of(tmp_path / "whole")
    assert {name: data for name, data in found.items() if name != "manifest.json"} == {
        name: data for name, data in wanted.items() if name != "manifest.json"
    }
    assert manifest_of(tmp_path / "killed").clips == manifest_of(tmp_path / "whole").clips


async def test_an_impossible_capture_is_refused_in_one_line(kafka: str, tmp_path: Path, tag: str) -> None:
    device, doubtful = RecordedDevice(f"pump-{tag}"), RecordedDevice(f"press-{tag}")
    device.sent, doubtful.sent = device.record("s1", noise(10, 5.0)), doubtful.record("s1", noise(11, 5.0))
    await send_devices(kafka, device, doubtful)
    await send_alerts(kafka, doubtful.alert(1.0, 4.0))
    await captured(kafka, tmp_path / "good", device.name)
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "diary.txt").touch()
    mistakes = [
        (capture(tmp_path / "a", f"pmup-{tag}"), device.name),
        (capture(tmp_path / "b", device.name, "--until", "30m"), "holds no continuous 2 s"),
        (capture(tmp_path / "c", doubtful.name), "tocsin alerts feedback"),
        (capture(tmp_path / "d", device.name, "--clip", "0.2s"), "0.2s"),
        (capture(tmp_path / "e", device.name, "--until", "2h"), "2h"),
        (capture(tmp_path / "f", device.name, "--clip", "1m"), "shorter clips"),
        (capture(tmp_path / "good", device.name, "--minutes-per-device", 3), "device_minutes"),
        (capture(strange, device.name), "diary.txt"),
        (capture(strange / "diary.txt", device.name), "diary.txt"),
    ]

    for words, named in mistakes:
        done = await tocsin(kafka, *words)
        lines = done.stderr.strip().splitlines()
        assert done.returncode == 2, done.stderr
        assert named in lines[-1]
        assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good", "strange"]


async def test_two_captures_into_one_folder_do_not_overlap(kafka: str, tmp_path: Path, tag: str) -> None:
    device = RecordedDevice(f"pump-{tag}")
    device.sent = device.record("s1", noise(12, 5.0))
    await send_devices(kafka, device)
    workspace = CaptureWorkspace(tmp_path)
    try:
        refused = await tocsin(kafka, *capture(tmp_path, device.name))
    finally:
        workspace.remove()

    assert refused.returncode == 2
    assert str(os.getpid()) in refused.stderr


async def test_feedback_is_shown_with_its_alert(kafka: str, tag: str) -> None:
    device = RecordedDevice(f"pump-{tag}")
    alert = device.alert(1.0, 2.0)
    await send_alerts(kafka, alert)
    alert_id = alert[0].alert_id

    unknown = await tocsin(kafka, "alerts", "feedback", alert_id[:-1] + "x", "real")
    first = await tocsin(kafka, "alerts", "feedback", alert_id, "real", "--note", "a rag in the fan")
    # The former name of the command.
    second = await tocsin(kafka, "alerts", "verdict", alert_id[:13], "false-alarm", "--by", "nina", "--json")

    assert unknown.returncode == 2
    assert alert_id in unknown.stderr
    assert first.stdout == f"{alert_id} at {device.name}: real: a rag in the fan\n"
    assert json.loads(second.stdout)["judgement"] == "false-alarm"
    shown = await tocsin(kafka, "alerts", "--json")
    mine = [one for one in map(json.loads, shown.stdout.splitlines()) if one["alert_id"] == alert_id]
    assert [one["feedback"]["by"] for one in mine] == ["nina", "nina"]
    assert [{name: one[name] for name in one if name != "feedback"} for one in mine] == [
        one.model_dump(mode="json") for one in alert
    ]
    plain = await tocsin(kafka, "alerts")
    assert [line.endswith("false-alarm") for line in plain.stdout.splitlines() if alert_id in line] == [True, True]
    whole = await tocsin(kafka, "alerts", "show", alert_id[:13], "--json")
    result = json.loads(whole.stdout)
    assert [one["revision"] for one in result["revisions"]] == [0, 1]
    assert [one["judgement"] for one in result["feedback"]] == ["real", "false-alarm"]
    assert result["audio"] == {
        "topic": "tocsin.audio.v1",
        "partition": 0,
        "first_offset": 0,
        "last_offset": 1,
        "held": "all",
    }
    people = await tocsin(kafka, "alerts", "show", alert_id)
    assert "a rag in the fan" in people.stdout
    assert "still stored" in people.stdout


async def test_following_alerts_prints_new_feedback(kafka: str, tag: str) -> None:
    alert = RecordedDevice(f"pump-{tag}").alert(1.0, 2.0)
    alert_id = alert[0].alert_id
    process = await asyncio.create_subprocess_exec(
        *arguments(kafka, "alerts", "--follow"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None

    async def line_with(*parts: str) -> str:
        async with asyncio.timeout(60):
            async for raw in process.stdout:
                if all(part in raw.decode() for part in parts):
                    return raw.decode()
        raise AssertionError(f"the command ended before it printed {parts}")

    try:
        await send_alerts(kafka, alert)
        await line_with(alert_id, "closed")
        await tocsin(kafka, "alerts", "feedback", alert_id, "real", "--note", "worn")
        assert "feedback  real: worn" in await line_with(alert_id, "worn")
    finally:
        process.kill()
        await process.wait()
