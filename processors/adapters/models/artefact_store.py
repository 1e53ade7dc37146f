"""The store of model files: a folder, S3 or whatever else fsspec speaks; each file named by its digest."""

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

_PIECE = 1024 * 1024
_FETCH_S = 60.0
# What a process leaves that was killed while it fetched.
_STALE_S = 3_600.0
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_S3_OPTIONS = {"config_kwargs": {"connect_timeout": 5, "read_timeout": 20, "retries": {"max_attempts": 2}}}


class ArtefactStore:
    """Keeps model files under ``<url>/<sha256>.onnx``. Safe to use from several threads.

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
        place = rest.rstrip("/")
        if not _SCHEME.fullmatch(scheme) or not place or {"..", "."} & set(place.split("/")):
            raise SettingsError(f"{text!r} cannot be a store of models: name a folder, or s3://bucket/prefix")
        if "@" in place or "?" in place:
            raise SettingsError("a store's address may hold no credentials: leave them to the environment (AWS_...)")
        self.url = f"{scheme}://{place}"
        self._folder = Path(place) if scheme == "file" else None
        self._place = place
        self._stuck: threading.Thread | None = None
        try:
            self._files = fsspec.filesystem(scheme, **(_S3_OPTIONS if scheme == "s3" else {}))
        except (ImportError, ValueError) as error:
            extra = ": pip install 'tocsin[s3]'" if scheme == "s3" else ""
            raise SettingsError(f"no store can be kept at {text!r} ({error}){extra}") from None

    def url_of(self, sha256: str) -> str:
        """Where a file lies, or would."""
        return f"{self.url}/{sha256}.onnx"

    def put(self, path: Path) -> str:
        """Keeps a file; one that is there already is left as it is.

        Returns:
            Its url.

        Raises:
            UnreadableInput: there is no such file.
            TooLarge: it is larger than any artefact may be.
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
                self._keep(self._folder / f"{sha256}.onnx", data)
            elif not self._holds(sha256, len(data)):
                self._files.pipe_file(f"{self._place}/{sha256}.onnx", data)
        except Exception as error:
            # The libraries behind fsspec raise errors of their own kind.
            raise self._away(error) from None
        return self.url_of(sha256)

    def fetch(
        self, artefact: Artefact, into: Path, max_bytes: int = MAX_ARTEFACT_BYTES, timeout: float = _FETCH_S
    ) -> Path:
        """Copies an announced file to ``into/<sha256>.onnx``, whole or not at all; one that is there is not fetched.

        Nothing of it is parsed. No more than the announced size is ever written.

        Args:
            artefact: which file.
            into: a local folder, made if need be.
            max_bytes: what is larger is not fetched.
            timeout: seconds after which the store counts as away.

        Raises:
            UnsafePath: the announced address does not lie in this store, or is not a plain file there.
            TooLarge: it is announced as larger than ``max_bytes``.
            SizeMismatch, DigestMismatch: the store gives something else than was announced.
            StoreUnavailable: it does not answer in time, does not hold the file, or ``into`` cannot be written.
        """
        if artefact.url != self.url_of(artefact.sha256):
            raise UnsafePath(
                f"{artefact.url[:300]!r} does not lie in this worker's store {self.url!r}: publish into that store, or"
                " set TOCSIN_MODEL_STORE to the same on both sides"
            )
        if artefact.size > max_bytes:
            raise TooLarge(f"announced with {artefact.size} bytes; {max_bytes} are fetched at most")
        path = into / f"{artefact.sha256}.onnx"
        if _is_whole(path, artefact.sha256):
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

        # A thread, because a read of a network file system cannot be broken off; daemonic, so that it holds up no exit.
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
            _sweep(path.parent)
            with self._open(artefact.sha256) as source, _taking_place_of(path) as part:
                _stream(source, part, artefact, abandoned)
        except TocsinError:
            raise
        except Exception as error:
            raise self._away(error) from None

    def _open(self, sha256: str) -> IO[bytes]:
        if self._folder is None:
            opened: IO[bytes] = self._files.open(f"{self._place}/{sha256}.onnx", "rb", block_size=_PIECE)
            return opened
        return open_plain(self._folder / f"{sha256}.onnx")

    @staticmethod
    def _keep(path: Path, data: bytes) -> None:
        if not _is_whole(path, path.stem):
            path.parent.mkdir(parents=True, exist_ok=True)
            with _taking_place_of(path) as file:
                file.write(data)

    def _holds(self, sha256: str, size: int) -> bool:
        try:
            return int(self._files.info(f"{self._place}/{sha256}.onnx")["size"]) == size
        except FileNotFoundError:
            return False

    def _away(self, error: Exception) -> StoreUnavailable:
        if isinstance(error, FileNotFoundError):
            return StoreUnavailable(f"{self.url} does not hold the file: publish it again, or mend the store")
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return StoreUnavailable(f"{self.url}: {str(reason)[:300]}")


def open_plain(path: Path) -> BufferedReader:
    """Opens a regular file for reading; follows no link at its end and waits for no pipe.

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


def _stream(source: IO[bytes], part: IO[bytes], artefact: Artefact, abandoned: threading.Event) -> None:
    digest, size = hashlib.sha256(), 0
    while piece := source.read(_PIECE):
        size += len(piece)
        if abandoned.is_set():
            raise StoreUnavailable("the answer came too late")
        if size > artefact.size:
            raise SizeMismatch(f"the store gives more than the {artefact.size} bytes announced")
        digest.update(piece)
        part.write(piece)
    if size != artefact.size:
        raise SizeMismatch(f"the store gives {size} bytes; {artefact.size} were announced")
    if digest.hexdigest() != artefact.sha256:
        raise DigestMismatch(f"sha256 {digest.hexdigest()}, announced {artefact.sha256}: publish the file again")


@contextmanager
def _taking_place_of(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which is the path's when the block ends, or gone when the block fails."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp gives it to its owner alone; workers may run as somebody else.
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _is_whole(path: Path, sha256: str) -> bool:
    try:
        with open_plain(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except (OSError, UnsafePath):
        return False


def _sweep(folder: Path) -> None:
    for part in folder.glob(".*.part"):
        try:
            if time.time() - part.stat().st_mtime > _STALE_S:
                part.unlink()
        except OSError:
            continue
