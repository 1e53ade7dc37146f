"""Child processes: tied to the process and not to a thread, in their own session, without other programs' options."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from tocsin.stack.spawn import spawn, tied

pytestmark = pytest.mark.subprocess

OWNER = """
import os, sys, time
from pathlib import Path
from tocsin.stack.spawn import spawn, tied
folder = Path(sys.argv[1])
fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
spawn(tied(["/bin/sleep", "60"]), folder, folder / "console.log", fd, lambda child: print(child.pid, flush=True))
time.sleep(60)
"""


@pytest.fixture
def lock_fd(tmp_path: Path) -> int:
    return os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)


def start(command: list[str], folder: Path, lock_fd: int) -> subprocess.Popen[bytes]:
    started: list[subprocess.Popen[bytes]] = []
    spawn(command, folder, folder / "console.log", lock_fd, started.append)
    os.close(lock_fd)
    return started[0]


def test_a_tied_child_outlives_the_thread_that_started_it(tmp_path: Path, lock_fd: int) -> None:
    children: list[subprocess.Popen[bytes]] = []
    thread = threading.Thread(target=lambda: children.append(start(tied(["/bin/sleep", "60"]), tmp_path, lock_fd)))
    thread.start()
    thread.join()
    with children[0] as child:
        time.sleep(0.3)
        assert child.poll() is None
        child.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_tied_child_ends_with_a_killed_owner(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        child = psutil.Process(int(owner.stdout.readline()))
        deadline = time.monotonic() + 10
        while child.name() != "sleep" and time.monotonic() < deadline:
            time.sleep(0.02)
        assert child.name() == "sleep"
        owner.kill()
        owner.wait()
    gone, _ = psutil.wait_procs([child], timeout=5)
    assert gone or child.status() == psutil.STATUS_ZOMBIE


def test_a_child_has_a_session_of_its_own(tmp_path: Path, lock_fd: int) -> None:
    with start(["/bin/sleep", "60"], tmp_path, lock_fd) as child:
        assert os.getsid(child.pid) == child.pid
        child.kill()


def test_options_of_other_java_programs_are_removed(
    tmp_path: Path, lock_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"):
        monkeypatch.setenv(name, "-Xmx1m")
    monkeypatch.setenv("STAYS", "1")
    with start(["/usr/bin/env"], tmp_path, lock_fd) as child:
        assert child.wait(5) == 0
    printed = (tmp_path / "console.log").read_text(encoding="utf-8")
    assert "STAYS=1" in printed
    assert "JAVA" not in printed


def test_a_missing_program(tmp_path: Path, lock_fd: int) -> None:
    with pytest.raises(FileNotFoundError):
        start([str(tmp_path / "none")], tmp_path, lock_fd)
    os.close(lock_fd)
