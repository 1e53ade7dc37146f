"""Folder locks: one holder at a time, no stale locks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.errors import OutputError, StackBusy
from tocsin.stack.locks import FolderLock

HOLD = """
import sys, time
from pathlib import Path
from tocsin.stack.locks import FolderLock
lock = FolderLock(Path(sys.argv[1]), "the test")
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


@pytest.mark.subprocess
def test_a_second_process_is_refused_with_the_holders_pid(tmp_path: Path) -> None:
    with FolderLock(tmp_path / "lock", "the folder"), pytest.raises(StackBusy, match=f"the folder.*{os.getpid()}"):
        FolderLock(tmp_path / "lock", "the folder").acquire(wait_s=0.1)


def test_a_released_lock_is_free(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "lock", "the folder")
    with lock:
        pass
    assert lock.try_acquire()
    lock.release()


@pytest.mark.subprocess
def test_a_killed_holder_releases_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StackBusy, match=str(holder.pid)):
            FolderLock(path, "the folder").acquire()
        holder.kill()
        holder.wait()
    with FolderLock(path, "the folder"):
        pass


@pytest.mark.subprocess
def test_a_child_keeps_an_inherited_lock(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "lock", "the folder")
    lock.acquire()
    with subprocess.Popen(["/bin/sleep", "60"], pass_fds=(lock.fd,)) as child:
        lock.leave()
        assert not FolderLock(tmp_path / "lock", "the folder").try_acquire()
        child.kill()
        child.wait()
    with FolderLock(tmp_path / "lock", "the folder"):
        pass


@pytest.mark.subprocess
def test_release_applies_to_children_too(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "lock", "the folder")
    lock.acquire()
    with subprocess.Popen(["/bin/sleep", "60"], pass_fds=(lock.fd,)) as child:
        lock.release()
        with FolderLock(tmp_path / "lock", "the folder"):
            pass
        child.kill()


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="gone"):
        FolderLock(tmp_path / "gone" / "lock", "the folder").acquire()
