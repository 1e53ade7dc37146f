"""What a capture under way keeps beside its clips, so that a run that was killed goes on where it was."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import OutputError, SettingsError
from tocsin.capture.clip import Clip, LabelledClip
from tocsin.capture.manifest import CaptureManifest, CaptureRequest, LeftOut
from tocsin.client.audio import OffsetRange
from tocsin.stack.locks import FolderLock
from trainers.files import write_atomically

_FOLDER = ".capture"
Kept = TypeVar("Kept", bound=BaseModel)


class CaptureJob(BaseModel):
    """What was asked for, and which time it means: settled once, by the first run.

    Attributes:
        request: see :class:`tocsin.capture.manifest.CaptureRequest`.
        since_ms, until_ms: milliseconds since 1970, by the broker's clock.
    """

    model_config = ConfigDict(frozen=True)

    request: CaptureRequest
    since_ms: int
    until_ms: int


class PartitionScan(BaseModel):
    """What one partition holds.

    Attributes:
        first_offset, end_offset: what was read of it.
        clips: of the devices asked for.
        devices: all that were heard there.
    """

    model_config = ConfigDict(frozen=True)

    first_offset: int
    end_offset: int
    clips: tuple[Clip, ...]
    devices: tuple[str, ...]


class Plan(BaseModel):
    """What is to be written.

    Attributes:
        clips: by file, the path below the folder.
        left_out: see :class:`tocsin.capture.manifest.LeftOut`.
    """

    model_config = ConfigDict(frozen=True)

    clips: dict[str, LabelledClip]
    left_out: LeftOut


class Workbench:
    """The hidden folder of a capture under way; held by one process at a time.

    Args:
        out: the capture's folder, made if need be.

    Raises:
        OutputError: it cannot be made.
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

    def settle(self, asked: CaptureJob, out: Path) -> CaptureJob:
        """What this folder's first run settled, which is ``asked`` where this is the first.

        Raises:
            SettingsError: the folder holds a capture of something else, or files of another origin.
        """
        whole = CaptureManifest.load(out)
        begun = self._load("undertaking", CaptureJob)
        if whole is not None:
            begun = CaptureJob(request=whole.request, since_ms=whole.since_ms, until_ms=whole.until_ms)
        if begun is None:
            strangers = sorted(path.name for path in out.iterdir() if not path.name.startswith("."))
            if strangers:
                raise SettingsError(f"{out} holds {strangers[0]!r}, and no capture: name an empty or new folder")
            self._keep("undertaking", asked)
            return asked
        if begun.request != asked.request:
            then, now = begun.request.model_dump(), asked.request.model_dump()
            name = next(name for name in then if then[name] != now[name])
            raise SettingsError(
                f"{out} holds a capture with {name} {then[name]!r}, and now it is {now[name]!r}: name a new folder, or"
                " go on with what it was"
            )
        return begun

    def surveyed(self, stretch: OffsetRange) -> PartitionScan | None:
        """What an earlier run found in this very stretch."""
        found = self._load(f"partition-{stretch.partition}", PartitionScan)
        here = (stretch.first_offset, stretch.end_offset)
        # Retention moves the beginning on; what was found before stays true.
        return found if found is not None and found.end_offset == here[1] and found.first_offset <= here[0] else None

    def keep_surveyed(self, partition: int, found: PartitionScan) -> None:
        """For a later run."""
        self._keep(f"partition-{partition}", found)

    def plan(self) -> Plan | None:
        """What an earlier run settled on."""
        return self._load("plan", Plan)

    def keep_plan(self, plan: Plan) -> None:
        """For a later run."""
        self._keep("plan", plan)

    def clear(self) -> None:
        """Nothing is left of it: the capture is whole, or nothing came of it."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.release()
        with contextlib.suppress(OSError):
            self._folder.parent.rmdir()  # only where nothing else is in it

    def release(self) -> None:
        """Leaves it for a later run."""
        self._lock.release()

    def _load(self, name: str, kind: type[Kept]) -> Kept | None:
        try:
            return kind.model_validate_json((self._folder / f"{name}.json").read_bytes())
        except (OSError, ValidationError):
            return None

    def _keep(self, name: str, what: BaseModel) -> None:
        write_atomically(self._folder / f"{name}.json", what.model_dump_json().encode())
