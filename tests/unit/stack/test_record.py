"""What a data folder remembers."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tocsin.stack import record as record_module
from tocsin.stack.record import Process, ServiceRecord, StackRecord


def record_of(process: Process) -> StackRecord:
    return StackRecord(mode="detached", parts={"kafka": ServiceRecord(address="127.0.0.1:1", process=process)})


def test_saved_and_loaded(tmp_path: Path) -> None:
    me = Process.of(os.getpid())
    assert me is not None
    record = record_of(me)
    record.ports["kafka"] = 20001
    record.save(tmp_path)
    assert StackRecord.load(tmp_path) == record
    assert [path.name for path in tmp_path.iterdir()] == ["stack.json"]
    assert (tmp_path / "stack.json").stat().st_mode & 0o077 == 0


def test_a_broken_file_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text('{"mode": "up', encoding="utf-8")
    assert StackRecord.load(tmp_path) == StackRecord()


@pytest.mark.subprocess
def test_a_pid_given_to_another_is_not_stopped(tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as stranger:
        real = Process.of(stranger.pid)
        assert real is not None
        earlier = record_of(Process(pid=stranger.pid, created=real.created - 60))
        assert earlier.processes() == {}
        assert earlier.stop(tmp_path) == []
        assert stranger.poll() is None
        assert record_of(real).stop(tmp_path) == ["kafka"]
        assert stranger.wait(5) == -15


@pytest.mark.subprocess
def test_a_process_that_waits_to_be_reaped_runs_no_more() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as child:
        process = Process.of(child.pid)
        assert process is not None
        assert process.running() is not None
        os.kill(child.pid, 9)
        deadline = time.monotonic() + 5
        while process.running() is not None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process.running() is None  # and nobody has waited for it yet


@pytest.mark.subprocess
def test_what_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    with subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True) as stubborn:
        assert stubborn.stdout is not None
        assert stubborn.stdout.readline() == b"ready\n"
        process = Process.of(stubborn.pid)
        assert process is not None
        monkeypatch.setattr(record_module, "STOP_SECONDS", 0.2)
        assert record_of(process).stop(tmp_path) == ["kafka"]
        assert stubborn.wait(5) == -9
