"""What a capture under way keeps, and whom it lets go on with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import OutputError, SettingsError, StackBusy
from tests.unit.capture.clips import clip, normal
from tocsin.capture.manifest import CaptureManifest, CaptureRequest, LeftOut
from tocsin.capture.workbench import CaptureJob, PartitionScan, Plan, Workbench
from tocsin.client.audio import OffsetRange

REQUEST = CaptureRequest(
    devices=("pump-*",), since="7d", until=None, clip_ms=1_000, guard_ms=1_000, device_minutes=60.0, max_bytes=10**9
)


def asked(since_ms: int = 0, until_ms: int = 10) -> CaptureJob:
    return CaptureJob(request=REQUEST, since_ms=since_ms, until_ms=until_ms)


def test_the_first_run_settles_which_time_is_meant(tmp_path: Path) -> None:
    first = Workbench(tmp_path)
    assert first.settle(asked(), tmp_path) == asked()
    first.release()

    assert Workbench(tmp_path).settle(asked(5, 15), tmp_path) == asked()


def test_a_whole_capture_settles_it_too(tmp_path: Path) -> None:
    manifest = CaptureManifest(
        topic="t", request=REQUEST, since_ms=3, until_ms=4, clips=(), left_out=LeftOut(near_alerts=2)
    )
    (tmp_path / "manifest.json").write_bytes(manifest.to_bytes())

    assert CaptureManifest.load(tmp_path) == manifest
    assert Workbench(tmp_path).settle(asked(), tmp_path) == asked(3, 4)


def test_another_request_is_refused_by_what_differs(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    bench.settle(asked(), tmp_path)
    other = asked().model_copy(update={"request": REQUEST.model_copy(update={"clip_ms": 2_000})})

    with pytest.raises(SettingsError, match="clip_ms 1000, and now it is 2000"):
        bench.settle(other, tmp_path)


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").touch()

    with pytest.raises(SettingsError, match=r"diary\.txt"):
        Workbench(tmp_path).settle(asked(), tmp_path)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    with pytest.raises(StackBusy):
        Workbench(tmp_path)
    bench.release()
    Workbench(tmp_path).clear()


def test_what_was_found_counts_for_the_same_stretch_alone(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    found = PartitionScan(first_offset=10, end_offset=90, clips=(clip(),), devices=("pump-1",))
    bench.keep_surveyed(3, found)

    assert bench.surveyed(OffsetRange(3, 10, 90)) == found
    # Retention has dropped the first records since.
    assert bench.surveyed(OffsetRange(3, 40, 90)) == found
    assert bench.surveyed(OffsetRange(3, 10, 91)) is None
    assert bench.surveyed(OffsetRange(3, 9, 90)) is None
    assert bench.surveyed(OffsetRange(4, 10, 90)) is None


def test_the_plan_is_kept_until_the_capture_is_whole(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "out")
    plan = Plan(clips={"normal/a.flac": normal("pump-1", 0)}, left_out=LeftOut(beyond_bounds=1))
    bench.keep_plan(plan)
    bench.release()

    again = Workbench(tmp_path / "out")
    assert again.plan() == plan
    again.clear()
    assert not (tmp_path / "out").exists()


def test_a_half_written_note_is_as_good_as_none(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    (tmp_path / ".capture" / "plan.json").write_text('{"clips": {"normal/a')

    assert bench.plan() is None


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").touch()

    with pytest.raises(OutputError, match="out"):
        Workbench(tmp_path / "out")
