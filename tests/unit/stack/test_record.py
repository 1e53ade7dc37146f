"""The record of a stack in its data folder."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tocsin.stack import record as record_module
from tocsin.stack.record import Process, ServiceRecord, StackRecord


def record_of(process: Process) -> StackRecord:
    return StackRecord(mode="detached", services={"kafka": ServiceRecord(address="127.0.0.1:1", process=process)})


def test_saved_and_loaded(tmp_path: Path) -> None:
    me = Process.of(os.getpid())
    assert me is not None
    record = record_of(me)
    record.ports["kafka"] = 20001
    record.save(tmp_path)
    assert StackRecord.load(tmp_path) == record
    assert [path.name for path in tmp_path.iterdir()] == ["stack.json"]
    assert (tmp_path / "stack.json").stat().st_mode & 0o077 == 0


def test_a_malformed_file_is_an_empty_record(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text('{"mode": "up', encoding="utf-8")
    assert StackRecord.load(tmp_path) == StackRecord()


@pytest.mark.subprocess
def test_another_process_with_the_same_pid_is_not_stopped(tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as other:
        real = Process.of(other.pid)
        assert real is not None
        earlier = record_of(Process(pid=other.pid, created=real.created - 60))
        assert earlier.processes() == {}
        assert earlier.stop(tmp_path) == []
        assert other.poll() is None
        assert record_of(real).stop(tmp_path) == ["kafka"]
        assert other.wait(5) == -15


@pytest.mark.subprocess
def test_a_zombie_does_not_count_as_running() -> None:
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
def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    with subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        process = Process.of(child.pid)
        assert process is not None
        monkeypatch.setattr(record_module, "STOP_SECONDS", 0.2)
        assert record_of(process).stop(tmp_path) == ["kafka"]
        assert child.wait(5) == -9


def test_a_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text(
        '{"mode": "detached", "parts": {"redis": {"address": "redis://127.0.0.1:1/0", "given": true}}}',
        encoding="utf-8",
    )
    assert StackRecord.load(tmp_path).services["redis"].given
