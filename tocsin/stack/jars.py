"""Kafka's jars: fetched by their coordinates, checked against a pinned list of digests, installed atomically."""

from __future__ import annotations

import errno
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from schemas.errors import ComponentMissing
from tocsin.stack.install_lock import Progress, digest, installing

KAFKA_VERSION = "4.3.0"
STAMP = "verified.json"
FETCH_SECONDS = 30
FOLDER_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)  # all else is the network's


@dataclass(frozen=True, slots=True)
class Pin:
    """One jar as it must be: Maven coordinates and the sha256 of the file (64 hex digits)."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.artifact}-{self.version}.jar"


def read_pins() -> list[Pin]:
    """The pinned jars in the order of the class path."""
    text = resources.files("tocsin.stack").joinpath(f"kafka-{KAFKA_VERSION}.sha256").read_text(encoding="ascii")
    rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
    pins = []
    for checksum, coordinates in rows:
        group, artifact, version = coordinates.split(":")
        pins.append(Pin(group, artifact, version, checksum))
    return pins


class Jars:
    """Kafka's jars in the components folder.

    A stamp of sizes and modification times, written after every digest was right, spares reading 44 MB at each start;
    a file that differs from the stamp is read in full.

    Args:
        parts: the components folder; made at install.
        pins: what must be there.
    """

    version = KAFKA_VERSION

    def __init__(self, parts: Path, pins: list[Pin] | None = None) -> None:
        self._parts = parts
        self._pins = read_pins() if pins is None else pins
        self.folder = parts / f"kafka-{KAFKA_VERSION}"

    def class_path(self) -> list[Path]:
        """The files for Java's class path: those pinned and no other that may lie in the folder."""
        return [self.folder / pin.name for pin in self._pins]

    def verify(self) -> list[Pin]:
        """The pinned jars that are missing or altered; empty when all is well."""
        stamps = self._stamps()
        try:
            if stamps is not None and json.loads((self.folder / STAMP).read_text(encoding="utf-8")) == stamps:
                return []
        except (OSError, ValueError):
            pass
        bad = [pin for pin in self._pins if not self._is_good(self.folder / pin.name, pin)]
        if not bad:
            with suppress(OSError):  # a folder that may only be read is as good, only slower
                self._write_stamp(self.folder)
        return bad

    def install(self, progress: Progress) -> None:
        """Fetch what is missing or altered; nothing is done, and nothing fetched, when all is well.

        Two installs at once wait for each other. A half-done one is taken up again: files lie aside in a folder of
        their own until all of them are right.

        Raises:
            ComponentMissing: a jar cannot be fetched, or is not the pinned one.
            OutputError: the components folder cannot be written.
            StackBusy: another install has held the folder for ten minutes.
        """
        if not self.verify():
            return
        with installing(self._parts):
            bad = self.verify()
            if bad:
                self._install(bad, progress)

    def _install(self, bad: list[Pin], progress: Progress) -> None:
        aside = self._parts / f"kafka-{KAFKA_VERSION}.partial"
        aside.mkdir(exist_ok=True)
        for pin in self._pins:
            if pin not in bad and not self._is_good(aside / pin.name, pin):
                shutil.copyfile(self.folder / pin.name, aside / pin.name)
        wanted = [pin for pin in self._pins if not self._is_good(aside / pin.name, pin)]
        progress(f"fetching {len(wanted)} of Kafka {KAFKA_VERSION}'s {len(self._pins)} jars")
        self._fetch(wanted, aside)
        self._write_stamp(aside)
        if self.folder.exists():
            shutil.rmtree(self.folder)
        aside.rename(self.folder)

    def _fetch(self, pins: list[Pin], aside: Path) -> None:
        from jgo.config import GlobalSettings
        from jgo.maven import MavenContext

        download = aside / "download"
        shutil.rmtree(download, ignore_errors=True)  # what an interrupted fetch left may be cut short
        # A user's own mirror, named "central" in jgo's settings, takes the place of the public repository.
        context = MavenContext(repo_cache=download, timeout=FETCH_SECONDS)
        context.remote_repos.update(GlobalSettings.load().repositories)

        def fetch(pin: Pin) -> None:
            try:
                component = context.project(pin.group, pin.artifact).at_version(pin.version)
                path = Path(component.artifact().resolve())
            except OSError as error:
                if error.errno in FOLDER_FAULTS:
                    raise
                raise _not_fetched(pin, error) from error
            except RuntimeError as error:
                raise _not_fetched(pin, error) from error
            found = digest(path)
            if found != pin.sha256:
                raise ComponentMissing(
                    f"{pin.name} was fetched but its sha256 is {found}, not the pinned {pin.sha256}: "
                    "the repository or a proxy on the way alters it; nothing was installed"
                )
            path.rename(aside / pin.name)

        pool = ThreadPoolExecutor(max_workers=4)
        try:
            for _ in pool.map(fetch, pins):
                pass
        finally:
            pool.shutdown(cancel_futures=True)
        shutil.rmtree(download, ignore_errors=True)

    def _stamps(self) -> dict[str, list[int]] | None:
        return self._stamps_of(self.folder)

    def _stamps_of(self, folder: Path) -> dict[str, list[int]] | None:
        stamps = {}
        for pin in self._pins:
            try:
                status = (folder / pin.name).stat()
            except OSError:
                return None
            # The digest stands in the stamp too: a new list of pins is checked in full.
            stamps[f"{pin.name} {pin.sha256}"] = [status.st_size, status.st_mtime_ns]
        return stamps

    def _write_stamp(self, folder: Path) -> None:
        passing = folder / f"{STAMP}.{os.getpid()}"
        passing.write_text(json.dumps(self._stamps_of(folder)), encoding="utf-8")
        passing.replace(folder / STAMP)

    def _is_good(self, path: Path, pin: Pin) -> bool:
        try:
            return digest(path) == pin.sha256
        except OSError:
            return False


def _not_fetched(pin: Pin, error: Exception) -> ComponentMissing:
    reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return ComponentMissing(
        f"{pin.name} of Kafka {KAFKA_VERSION} could not be fetched ({reason}): connect this machine to the network and "
        "run `tocsin fetch` again, or name a running Kafka with TOCSIN_KAFKA"
    )
