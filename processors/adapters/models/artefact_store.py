"""The store of model files: a folder, S3 or any other that fsspec supports; each file is named by its digest."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import IO

import fsspec

from schemas.addresses import without_password
from schemas.artefact import MAX_ARTEFACT_BYTES, Artefact
from schemas.errors import (
    DigestMismatch,
    SettingsError,
    SizeMismatch,
    StoreUnavailable,
    TocsinError,
    TooLarge,
    UnreadableInput,
    UnsafePath,
)

_BLOCK_BYTES = 1024 * 1024
_FETCH_S = 60.0
# Age of a partial file that a killed process has left.
_STALE_S = 3_600.0
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_S3_OPTIONS = {"config_kwargs": {"connect_timeout": 5, "read_timeout": 20, "retries": {"max_attempts": 2}}}
_REDIRECTING = frozenset({"http", "https", "webhdfs"})
"""Servers that may send a reader to any other address."""


class ArtefactStore:
    """Stores model files as ``<url>/<sha256>.onnx``. Safe to use from several threads.

    Args:
        url: a folder, as a path or ``file://``, or ``s3://bucket/prefix`` and the like.

    Raises:
        SettingsError: the address cannot be a store, or a library for it is missing.
    """

    def __init__(self, url: str | Path) -> None:
        text = str(url)
        scheme, separator, rest = text.partition("://")
        if not separator:
            scheme, rest = "file", os.path.abspath(Path(text).expanduser())  # noqa: PTH100 - resolve() follows links
        location = rest.rstrip("/")
        if (
            not _SCHEME.fullmatch(scheme)
            or scheme in _REDIRECTING
            or not location
            or {"..", "."} & set(location.split("/"))
        ):
            shown = without_password(text)
            raise SettingsError(f"{shown!r} cannot be a store of models: name a folder, or s3://bucket/prefix")
        if scheme != "file" and set("@?#") & set(location):
            raise SettingsError("a store's address may hold no credentials: leave them to the environment (AWS_...)")
        self.url = f"{scheme}://{location}"
        self._folder = Path(location) if scheme == "file" else None
        self._location = location
        self._stuck: threading.Thread | None = None
        try:
            self._files = fsspec.filesystem(scheme, **(_S3_OPTIONS if scheme == "s3" else {}))
        except (ImportError, ValueError) as error:
            extra = ": pip install 'tocsin[s3]'" if scheme == "s3" else ""
            raise SettingsError(f"no store can be opened at {self.url!r} ({error}){extra}") from None

    def url_of(self, sha256: str) -> str:
        """The address of a file, stored or not."""
        return f"{self.url}/{sha256}.onnx"

    def put(self, path: Path) -> str:
        """Stores a file; one that is stored already is left unchanged.

        Returns:
            Its url.

        Raises:
            UnreadableInput: the file cannot be read.
            TooLarge: it is larger than an artefact may be.
            StoreUnavailable: the store does not answer or cannot be written.
        """
        try:
            with path.open("rb") as file:
                data = file.read(MAX_ARTEFACT_BYTES + 1)
        except OSError as error:
            raise UnreadableInput(f"{path}: {error.strerror}: name a model file that can be read") from None
        if len(data) > MAX_ARTEFACT_BYTES:
            raise TooLarge(f"{path} is larger than {MAX_ARTEFACT_BYTES} bytes, the most an artefact may be")
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            if self._folder is not None:
                self._write(self._folder / f"{sha256}.onnx", data)
            elif not self._is_stored(sha256, len(data)):
                self._files.pipe_file(f"{self._location}/{sha256}.onnx", data)
        except Exception as error:
            # The libraries behind fsspec raise errors of their own kind.
            raise self._unavailable(error) from None
        return self.url_of(sha256)

    def fetch(
        self, artefact: Artefact, into: Path, max_bytes: int = MAX_ARTEFACT_BYTES, timeout: float = _FETCH_S
    ) -> Path:
        """Copies an announced file atomically to ``into/<sha256>.onnx``, unless it is there already.

        It is not parsed. No more than the announced size is ever written.

        Args:
            artefact: the file.
            into: a local folder, created where needed.
            max_bytes: larger files are not fetched.
            timeout: seconds after which the store counts as unavailable.

        Raises:
            UnsafePath: the announced address is not in this store, or is not a plain file there.
            TooLarge: it is announced as larger than ``max_bytes``.
            SizeMismatch, DigestMismatch: the store's file is not the announced one.
            StoreUnavailable: it does not answer in time, does not hold the file, or ``into`` cannot be written.
        """
        if artefact.url != self.url_of(artefact.sha256):
            raise UnsafePath(
                f"{artefact.url[:300]!r} is not in this worker's store {self.url!r}: publish into that store, or"
                " set TOCSIN_MODEL_STORE to the same on both sides"
            )
        if artefact.size > max_bytes:
            raise TooLarge(f"announced with {artefact.size} bytes; {max_bytes} are fetched at most")
        path = into / f"{artefact.sha256}.onnx"
        if _has_digest(path, artefact.sha256):
            return path
        if self._stuck is not None and self._stuck.is_alive():
            raise StoreUnavailable(f"{self.url}: an earlier read still hangs")
        done: Future[None] = Future()
        abandoned = threading.Event()

        def work() -> None:
            try:
                self._copy(artefact, path, abandoned)
            except BaseException as error:
                done.set_exception(error)
            else:
                done.set_result(None)

        # A thread, because a read of a network file system cannot be cancelled; a daemon, so that it delays no exit.
        thread = threading.Thread(target=work, name="artefact-fetch", daemon=True)
        thread.start()
        try:
            done.result(timeout)
        except TimeoutError:
            abandoned.set()
            self._stuck = thread
            raise StoreUnavailable(f"{self.url}: no answer within {timeout:g} s") from None
        return path

    def _copy(self, artefact: Artefact, path: Path, abandoned: threading.Event) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _delete_stale_parts(path.parent)
            with self._open(artefact.sha256) as source, _atomic_write(path) as part:
                _copy_stream(source, part, artefact, abandoned)
        except TocsinError:
            raise
        except Exception as error:
            raise self._unavailable(error) from None

    def _open(self, sha256: str) -> IO[bytes]:
        if self._folder is None:
            opened: IO[bytes] = self._files.open(f"{self._location}/{sha256}.onnx", "rb", block_size=_BLOCK_BYTES)
            return opened
        return open_plain(self._folder / f"{sha256}.onnx")

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        if not _has_digest(path, path.stem):
            path.parent.mkdir(parents=True, exist_ok=True)
            with _atomic_write(path) as file:
                file.write(data)

    def _is_stored(self, sha256: str, size: int) -> bool:
        try:
            return int(self._files.info(f"{self._location}/{sha256}.onnx")["size"]) == size
        except FileNotFoundError:
            return False

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        if isinstance(error, FileNotFoundError):
            return StoreUnavailable(f"{self.url} does not hold the file: publish it again, or repair the store")
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return StoreUnavailable(f"{self.url}: {str(reason)[:300]}")


def open_plain(path: Path) -> BufferedReader:
    """Opens a regular file for reading; does not follow a symbolic link and does not wait for a pipe.

    Raises:
        UnsafePath: it is a link, a folder, a pipe or a device.
        OSError: it cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        if path.is_symlink():
            raise UnsafePath(f"{path} is a symbolic link; only plain files are read") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnsafePath(f"{path} is not a plain file")
    return os.fdopen(descriptor, "rb")


def _copy_stream(source: IO[bytes], part: IO[bytes], artefact: Artefact, abandoned: threading.Event) -> None:
    digest, size = hashlib.sha256(), 0
    while block := source.read(_BLOCK_BYTES):
        size += len(block)
        if abandoned.is_set():
            raise StoreUnavailable("the answer came too late")
        if size > artefact.size:
            raise SizeMismatch(f"the store gives more than the {artefact.size} bytes announced")
        digest.update(block)
        part.write(block)
    if size != artefact.size:
        raise SizeMismatch(f"the store gives {size} bytes; {artefact.size} were announced")
    if digest.hexdigest() != artefact.sha256:
        raise DigestMismatch(f"sha256 {digest.hexdigest()}, announced {artefact.sha256}: publish the file again")


@contextmanager
def _atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """A temporary file to write, renamed to the path when the block ends, deleted when it fails."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp lets its owner alone read it; workers may run as another user.
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _has_digest(path: Path, sha256: str) -> bool:
    try:
        with open_plain(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except (OSError, UnsafePath):
        return False


def _delete_stale_parts(folder: Path) -> None:
    for part in folder.glob(".*.part"):
        try:
            if time.time() - part.stat().st_mtime > _STALE_S:
                part.unlink()
        except OSError:
            continue
