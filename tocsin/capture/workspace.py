"""Workspace of an unfinished capture: what a later run needs to resume it."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import OutputError, SettingsError
from tocsin.capture.clip import Clip, LabelledClip
from tocsin.capture.manifest import CaptureManifest, CaptureRequest, LeftOut
from tocsin.client.audio_reader import OffsetRange
from tocsin.stack.locks import FolderLock
from trainers.files import write_atomically

_FOLDER = ".capture"
Stored = TypeVar("Stored", bound=BaseModel)


class CaptureJob(BaseModel):
    """A request and its time span, which the first run determines.

    Attributes:
        request: see :class:`tocsin.capture.manifest.CaptureRequest`.
        since_ms, until_ms: milliseconds since 1970, by the broker's clock.
    """

    model_config = ConfigDict(frozen=True)

    request: CaptureRequest
    since_ms: int
    until_ms: int


class PartitionScan(BaseModel):
    """Result of scanning one partition.

    Attributes:
        first_offset, end_offset: the range that was scanned.
        clips: of the requested devices.
        devices: all devices found there.
    """

    model_config = ConfigDict(frozen=True)

    first_offset: int
    end_offset: int
    clips: tuple[Clip, ...]
    devices: tuple[str, ...]


class Plan(BaseModel):
    """The clips to write.

    Attributes:
        clips: by file, as path below the folder.
        left_out: see :class:`tocsin.capture.manifest.LeftOut`.
    """

    model_config = ConfigDict(frozen=True)

    clips: dict[str, LabelledClip]
    left_out: LeftOut


class CaptureWorkspace:
    """The hidden folder of an unfinished capture; locked by one process at a time.

    Args:
        out: the capture's folder; created if missing.

    Raises:
        OutputError: it cannot be created.
        StackBusy: another process captures into it.
    """

    def __init__(self, out: Path) -> None:
        self._folder = out / _FOLDER
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{out}: {error.strerror}: name another folder with --out") from None
        self._lock = FolderLock(self._folder / "lock", f"the folder {out}")
        self._lock.acquire()

    def resume_or_begin(self, job: CaptureJob, out: Path) -> CaptureJob:
        """The job of this folder's first run, which is ``job`` if this is the first.

        Raises:
            SettingsError: the folder has a capture of another request, or other files.
        """
        complete = CaptureManifest.load(out)
        begun = self._load("job", CaptureJob)
        if complete is not None:
            begun = CaptureJob(request=complete.request, since_ms=complete.since_ms, until_ms=complete.until_ms)
        if begun is None:
            others = sorted(path.name for path in out.iterdir() if not path.name.startswith("."))
            if others:
                raise SettingsError(f"{out} contains {others[0]!r} and no capture: name an empty or new folder")
            self._save("job", job)
            return job
        if begun.request != job.request:
            then, now = begun.request.model_dump(), job.request.model_dump()
            name = next(name for name in then if then[name] != now[name])
            raise SettingsError(
                f"{out} contains a capture with {name} {then[name]!r}, and now it is {now[name]!r}: name a new folder,"
                " or repeat the former options"
            )
        return begun

    def scan_of(self, offsets: OffsetRange) -> PartitionScan | None:
        """The scan of this range by an earlier run; None if there is none."""
        scan = self._load(f"partition-{offsets.partition}", PartitionScan)
        # Retention may have moved the first offset since; the scan is still valid.
        valid = scan is not None and scan.end_offset == offsets.end_offset and scan.first_offset <= offsets.first_offset
        return scan if valid else None

    def save_scan(self, partition: int, scan: PartitionScan) -> None:
        """Saves a scan for a later run."""
        self._save(f"partition-{partition}", scan)

    def plan(self) -> Plan | None:
        """The plan of an earlier run; None if there is none."""
        return self._load("plan", Plan)

    def save_plan(self, plan: Plan) -> None:
        """Saves the plan for a later run."""
        self._save("plan", plan)

    def remove(self) -> None:
        """Removes the workspace: the capture is complete, or there was nothing to capture."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.release()
        with contextlib.suppress(OSError):
            self._folder.parent.rmdir()  # only if it is empty

    def release(self) -> None:
        """Unlocks the workspace and leaves it for a later run."""
        self._lock.release()

    def _load(self, name: str, kind: type[Stored]) -> Stored | None:
        try:
            return kind.model_validate_json((self._folder / f"{name}.json").read_bytes())
        except (OSError, ValidationError):
            return None

    def _save(self, name: str, content: BaseModel) -> None:
        write_atomically(self._folder / f"{name}.json", content.model_dump_json().encode())
