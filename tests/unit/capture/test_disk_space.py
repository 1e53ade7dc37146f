"""A capture that cannot start leaves nothing behind that would disturb a later one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from schemas.errors import OutputError
from tests.unit.capture.clips import normal
from tocsin.capture.capture import _check_free_space
from tocsin.capture.manifest import LeftOut
from tocsin.capture.workspace import Plan

Usage = namedtuple("Usage", "total used free")
ONE = normal("pump-1", 0)


def plan(count: int) -> Plan:
    return Plan(clips={f"normal/{number}.flac": ONE for number in range(count)}, left_out=LeftOut())


def test_too_little_disk_space_is_reported_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 3 * ONE.clip.max_bytes))

    _check_free_space(tmp_path, plan(3))
    with pytest.raises(OutputError, match="--max-gb"):
        _check_free_space(tmp_path, plan(4))


def test_existing_clips_need_no_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 3 * ONE.clip.max_bytes))
    (tmp_path / "normal").mkdir()
    (tmp_path / "normal" / "0.flac").touch()

    _check_free_space(tmp_path, plan(4))


@pytest.mark.subprocess
def test_an_unavailable_kafka_is_one_line_and_leaves_no_folder(tmp_path: Path) -> None:
    words = ["dataset", "capture", "--devices", "*", "--since", "1h", "--out", "out", "--kafka", "127.0.0.1:1"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    root = str(Path(__file__).parents[3])

    done = subprocess.run(
        [sys.executable, "-m", "tocsin", *words],
        capture_output=True, text=True, timeout=60, cwd=tmp_path, env={**clean, "PYTHONPATH": root},
    )  # fmt: skip

    assert done.returncode == 2
    assert "127.0.0.1:1" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
