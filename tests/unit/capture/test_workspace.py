"""The workspace of an unfinished capture, and which runs may resume it."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import OutputError, SettingsError, StackBusy
from tests.unit.capture.clips import clip, normal
from tocsin.capture.manifest import CaptureManifest, CaptureRequest, LeftOut
from tocsin.capture.workspace import CaptureJob, CaptureWorkspace, PartitionScan, Plan
from tocsin.client.audio_reader import OffsetRange

REQUEST = CaptureRequest(
    devices=("pump-*",), since="7d", until=None, clip_ms=1_000, guard_ms=1_000, device_minutes=60.0, max_bytes=10**9
)


def job(since_ms: int = 0, until_ms: int = 10) -> CaptureJob:
    return CaptureJob(request=REQUEST, since_ms=since_ms, until_ms=until_ms)


def test_the_first_run_determines_the_time_span(tmp_path: Path) -> None:
    first = CaptureWorkspace(tmp_path)
    assert first.resume_or_begin(job(), tmp_path) == job()
    first.release()

    assert CaptureWorkspace(tmp_path).resume_or_begin(job(5, 15), tmp_path) == job()


def test_a_complete_capture_determines_it_too(tmp_path: Path) -> None:
    manifest = CaptureManifest(
        topic="t", request=REQUEST, since_ms=3, until_ms=4, clips=(), left_out=LeftOut(near_alerts=2)
    )
    (tmp_path / "manifest.json").write_bytes(manifest.to_bytes())

    assert CaptureManifest.load(tmp_path) == manifest
    assert CaptureWorkspace(tmp_path).resume_or_begin(job(), tmp_path) == job(3, 4)


def test_another_request_is_refused_with_the_difference(tmp_path: Path) -> None:
    workspace = CaptureWorkspace(tmp_path)
    workspace.resume_or_begin(job(), tmp_path)
    other = job().model_copy(update={"request": REQUEST.model_copy(update={"clip_ms": 2_000})})

    with pytest.raises(SettingsError, match="clip_ms 1000, and now it is 2000"):
        workspace.resume_or_begin(other, tmp_path)


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").touch()

    with pytest.raises(SettingsError, match=r"diary\.txt"):
        CaptureWorkspace(tmp_path).resume_or_begin(job(), tmp_path)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    workspace = CaptureWorkspace(tmp_path)
    with pytest.raises(StackBusy):
        CaptureWorkspace(tmp_path)
    workspace.release()
    CaptureWorkspace(tmp_path).remove()


def test_a_scan_is_valid_for_the_same_range_only(tmp_path: Path) -> None:
    workspace = CaptureWorkspace(tmp_path)
    scan = PartitionScan(first_offset=10, end_offset=90, clips=(clip(),), devices=("pump-1",))
    workspace.save_scan(3, scan)

    assert workspace.scan_of(OffsetRange(3, 10, 90)) == scan
    # Retention has dropped the first records since.
    assert workspace.scan_of(OffsetRange(3, 40, 90)) == scan
    assert workspace.scan_of(OffsetRange(3, 10, 91)) is None
    assert workspace.scan_of(OffsetRange(3, 9, 90)) is None
    assert workspace.scan_of(OffsetRange(4, 10, 90)) is None


def test_the_plan_is_stored_until_the_capture_is_complete(tmp_path: Path) -> None:
    workspace = CaptureWorkspace(tmp_path / "out")
    plan = Plan(clips={"normal/a.flac": normal("pump-1", 0)}, left_out=LeftOut(beyond_bounds=1))
    workspace.save_plan(plan)
    workspace.release()

    again = CaptureWorkspace(tmp_path / "out")
    assert again.plan() == plan
    again.remove()
    assert not (tmp_path / "out").exists()


def test_a_truncated_plan_is_ignored(tmp_path: Path) -> None:
    workspace = CaptureWorkspace(tmp_path)
    (tmp_path / ".capture" / "plan.json").write_text('{"clips": {"normal/a')

    assert workspace.plan() is None


def test_a_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "out").touch()

    with pytest.raises(OutputError, match="out"):
        CaptureWorkspace(tmp_path / "out")
