"""Whether a model file may be loaded: examined in a process that may crash, hang or run out of memory alone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from processors.adapters.models.artefact_store import open_plain
from processors.adapters.models.check.limits import SANDBOXED, CheckLimits
from processors.adapters.models.check.sandbox import run_check
from processors.adapters.models.signing import verify
from schemas.artefact import Artefact
from schemas.errors import (
    DigestMismatch,
    LoadCrashed,
    ManifestInvalid,
    SizeMismatch,
    TooLarge,
    UnreadableInput,
    Unsigned,
)
from schemas.manifest import Manifest

__all__ = [
    "ANNOUNCED",
    "CHECKS",
    "SIGNATURE",
    "CheckLimits",
    "CheckReport",
    "check_artefact",
    "examine",
    "read_manifest",
]

SIZE, DIGEST, SIGNATURE, ANNOUNCED = "size", "digest", "signature", "as announced"
CHECKS = (SIZE, DIGEST, SIGNATURE, *SANDBOXED, ANNOUNCED)
"""The checks in their order; those in the middle run in a process of their own."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The findings of a check.

    Attributes:
        manifest: of the file.
        sha256: of the file, hexadecimal.
        size: of the file, bytes.
        nodes: of the graph.
        operators: their names, sorted.
        golden_off: largest deviation of a golden score.
        window_s: processor time of one window, seconds.
        resident_bytes: how far resident memory grew.
    """

    manifest: Manifest
    sha256: str
    size: int
    nodes: int
    operators: tuple[str, ...]
    golden_off: float
    window_s: float
    resident_bytes: int


def check_artefact(
    path: Path,
    artefact: Artefact | None,
    limits: CheckLimits | None = None,
    trusted_keys: Sequence[Ed25519PublicKey] = (),
) -> Manifest:
    """As :func:`examine`; returns the file's manifest."""
    return examine(path, artefact, limits, trusted_keys).manifest


def examine(
    path: Path,
    artefact: Artefact | None,
    limits: CheckLimits | None = None,
    trusted_keys: Sequence[Ed25519PublicKey] = (),
    on_passed: Callable[[str], None] = lambda _: None,
) -> CheckReport:
    """Checks a file: size, digest and signature before anything is parsed, the rest in a process of its own.

    Blocks until the check ends, at most ``limits.wall_s`` and two seconds.

    Args:
        path: the file.
        artefact: as announced; None accepts any file.
        limits: see :class:`CheckLimits`.
        trusted_keys: keys of which one must have signed it; without any, signatures are not checked.
        on_passed: called with each check of :data:`CHECKS` that it passed, in their order.

    Raises:
        UnreadableInput: the file cannot be read.
        ModelRefused: the class names why.
    """
    limits = limits or CheckLimits()
    with _opened(path) as file:
        sha256, size = _digest(file, path, artefact, limits)
        on_passed(SIZE)
        on_passed(DIGEST)
        if artefact is not None:
            verify(artefact, trusted_keys)
        elif trusted_keys:
            raise Unsigned(f"{path}: a file without an announcement has no signature")
        on_passed(SIGNATURE)
        answer = run_check(file, "check", sha256, limits, on_passed)
    try:
        manifest = Manifest.model_validate(answer.pop("manifest"))
        report = CheckReport(manifest, sha256, size, **{**answer, "operators": tuple(answer["operators"])})
    except (ValidationError, TypeError, KeyError) as error:
        raise LoadCrashed(f"{path}: the check returned an invalid answer: {error}") from None
    if artefact is not None:
        _check_announced(manifest, artefact)
    on_passed(ANNOUNCED)
    return report


def read_manifest(path: Path, limits: CheckLimits | None = None) -> tuple[Manifest, str, int]:
    """A file's manifest, without running the model: only the outermost structure is parsed, in a process of its own.

    Returns:
        The manifest, the file's sha256 and its size in bytes.

    Raises:
        UnreadableInput: the file cannot be read.
        ModelRefused: the class names why.
    """
    limits = limits or CheckLimits()
    with _opened(path) as file:
        sha256, size = _digest(file, path, None, limits)
        answer = run_check(file, "read", sha256, limits)
    try:
        return Manifest.model_validate(answer["manifest"]), sha256, size
    except (ValidationError, KeyError) as error:
        raise LoadCrashed(f"{path}: the check returned an invalid answer: {error}") from None


def _opened(path: Path) -> BufferedReader:
    try:
        return open_plain(path)
    except OSError as error:
        raise UnreadableInput(f"{path}: {error.strerror}: name a model file that can be read") from None


def _digest(file: BufferedReader, path: Path, artefact: Artefact | None, limits: CheckLimits) -> tuple[str, int]:
    size = os.fstat(file.fileno()).st_size
    if size > limits.file_bytes:
        raise TooLarge(f"{path} has {size} bytes; at most {limits.file_bytes} are loaded")
    if artefact is not None and size != artefact.size:
        raise SizeMismatch(f"{path} has {size} bytes; {artefact.size} were announced")
    sha256 = hashlib.sha256(file.read(limits.file_bytes + 1)).hexdigest()
    if artefact is not None and sha256 != artefact.sha256:
        raise DigestMismatch(f"{path}: sha256 {sha256}, announced {artefact.sha256}: fetch the file again")
    return sha256, size


def _check_announced(manifest: Manifest, artefact: Artefact) -> None:
    for name in ("detector", "model_id", "version", "features_hash"):
        actual, announced = getattr(manifest, name), getattr(artefact, name)
        if actual != announced:
            raise ManifestInvalid(f"the file's {name} is {actual!r}, announced was {announced!r}: publish it again")
