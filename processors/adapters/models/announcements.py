"""Signed announcements: once a key is trusted, only records signed with it change anything, and none can be
replayed."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ValidationError

from processors.adapters.models.json_file import write_json
from processors.adapters.models.signing import is_signed_by, signature_of
from schemas.assignment import Assignment
from schemas.errors import ModelRefused, Replayed, Unsigned, WrongSignature
from schemas.record import Record

SIGNATURE = "ce_signature"
"""Header of an announcement's signature: ed25519 over :func:`_signed_bytes`, base64."""

_log = structlog.get_logger(__name__)


class _Stored(BaseModel):
    """The announcement that applies to a key, in the cache's folder.

    Attributes:
        value, signature: of its record, base64.
    """

    value: str
    signature: str


class Announcements:
    """Which announcement of each detector and scope applies.

    Without trusted keys every announcement applies. With them, one applies if it is signed and was made after the one
    that applied before: by its time, which only its signer can set, then by its revision. A record without a value,
    which cannot be signed, changes nothing then.

    Args:
        trusted: keys of which one must have signed an announcement; without any, nothing is checked.
        folder: remembers what applies across restarts; None remembers nothing. Workers may share it.
    """

    def __init__(self, trusted: Sequence[Ed25519PublicKey] = (), folder: Path | None = None) -> None:
        self._trusted = tuple(trusted)
        self._folder = folder
        self._newest: dict[str, tuple[int, int, bytes]] = {}

    @property
    def signed_only(self) -> bool:
        """Whether announcements must be signed."""
        return bool(self._trusted)

    def restored(self) -> list[Assignment]:
        """The announcements that applied when a worker last used the folder, as far as they are still trusted."""
        found = []
        for path in sorted(self._folder.glob("announced-*.json")) if self._trusted and self._folder else ():
            with contextlib.suppress(OSError, ValidationError, ValueError, ModelRefused):
                stored = _Stored.model_validate_json(path.read_bytes())
                value = base64.b64decode(stored.value, validate=True)
                assignment = Assignment.model_validate_json(value)
                key = assignment.key().encode()
                verify_record(Record(key, value, ((SIGNATURE, stored.signature.encode()),)), self._trusted)
                self._newest[assignment.key()] = (assignment.announced_ns, assignment.revision, value)
                found.append(assignment)
        return found

    def accept(self, assignment: Assignment, record: Record) -> None:
        """Notes that an announcement applies from now on; one that is repeated does so again.

        Args:
            assignment: in the record.
            record: as read.

        Raises:
            Unsigned, WrongSignature: it is not signed by a trusted key.
            Replayed: one that was made later has applied already.
        """
        if not self._trusted:
            return
        verify_record(record, self._trusted)
        key, value = assignment.key(), record.value or b""
        new = (assignment.announced_ns, assignment.revision, value)
        newest = self._newest.get(key)
        if newest == new:
            return
        if newest is not None and new[:2] <= newest[:2]:
            raise Replayed(
                f"revision {assignment.revision} of {key} was announced before revision {newest[1]}, which applies:"
                " announce what you want now; who sent this?"
            )
        self._newest[key] = new
        self._store(key, value, dict(record.headers)[SIGNATURE] or b"")

    def _store(self, key: str, value: bytes, signature: bytes) -> None:
        if self._folder is None:
            return
        stored = _Stored(value=base64.b64encode(value).decode(), signature=signature.decode())
        # A digest, because scopes hold characters that file names cannot.
        path = self._folder / f"announced-{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
        try:
            write_json(path, stored)
        except OSError as error:
            _log.warning(
                "an announcement cannot be remembered: after a restart an older one could be replayed",
                path=str(path),
                error=error.strerror,
            )


def sign_record(record: Record, key: Ed25519PrivateKey) -> Record:
    """The record with a signature over its key and its whole value."""
    signature = signature_of(_signed_bytes(record), key).encode()
    return Record(record.key, record.value, (*record.headers, (SIGNATURE, signature)))


def verify_record(record: Record, trusted: Sequence[Ed25519PublicKey]) -> None:
    """Checks that one of the trusted keys signed the record.

    Raises:
        Unsigned: it has no signature, or no value that one could cover.
        WrongSignature: none of these keys signed it.
    """
    signature = dict(record.headers).get(SIGNATURE)
    where = repr((record.key or b"")[:200].decode(errors="replace"))
    if signature is None or record.value is None:
        raise Unsigned(f"the announcement under {where} is not signed: announce it with TOCSIN_MODEL_KEY set")
    if not is_signed_by(trusted, signature.decode("ascii", errors="replace"), _signed_bytes(record)):
        raise WrongSignature(
            f"the signature of the announcement under {where} is by none of the {len(trusted)} trusted keys: sign it"
            " with one of them, or add the signer's public key to TOCSIN_MODEL_TRUSTED"
        )


def _signed_bytes(record: Record) -> bytes:
    """Everything that an announcement says: detector and scope in its key, stages, models, revision and time in its
    value."""
    return b"\n".join((b"tocsin.assignment.v1", record.key or b"", record.value or b""))
