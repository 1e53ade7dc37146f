"""Signatures of artefacts: ed25519 (RFC 8032), keys as PEM files."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from schemas.artefact import Artefact
from schemas.errors import OutputError, SettingsError, Unsigned, WrongSignature

PRIVATE_NAME = "tocsin-model-key.pem"
PUBLIC_NAME = "tocsin-model-key.pub.pem"
_MAX_KEY_BYTES = 16 * 1024


def write_keys(folder: Path) -> tuple[Path, Path]:
    """Creates a pair of keys; the private one is readable by its owner alone.

    Args:
        folder: created where needed; existing keys are never overwritten.

    Returns:
        The private key's file and the public key's.

    Raises:
        OutputError: a key exists already, or the folder cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    private, public = folder / PRIVATE_NAME, folder / PUBLIC_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_new(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
        try:
            _write_new(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
        except OSError:
            private.unlink()
            raise
    except FileExistsError as error:
        raise OutputError(f"{error.filename} exists already: a key is never overwritten") from None
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}") from None
    return private, public


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """The key to sign with.

    Raises:
        SettingsError: the file cannot be read or is not an ed25519 private key without a password.
    """
    try:
        key = load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(
            f"{path} is not an ed25519 private key as PEM without a password: see `tocsin models keygen`"
        )
    return key


def load_trusted_keys(path: Path) -> tuple[Ed25519PublicKey, ...]:
    """The public keys that models may be signed with.

    Args:
        path: a public key as PEM, or a folder of ``*.pem``.

    Raises:
        SettingsError: there is no key, or a file is not a key: a required signature is never silently skipped.
    """
    files = sorted(path.glob("*.pem")) if path.is_dir() else [path]
    if not files:
        raise SettingsError(f"{path} holds no *.pem: put the public keys there that models may be signed with")
    return tuple(_public_key(file) for file in files)


def sign(artefact: Artefact, key: Ed25519PrivateKey) -> Artefact:
    """The artefact with its signature."""
    return artefact.model_copy(update={"signature": signature_of(artefact.signed_bytes(), key)})


def signature_of(data: bytes, key: Ed25519PrivateKey) -> str:
    """The signature of bytes, base64."""
    return base64.b64encode(key.sign(data)).decode()


def is_signed_by(trusted: Sequence[Ed25519PublicKey], signature: str, data: bytes) -> bool:
    """Whether one of the keys made a signature, base64, of bytes."""
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    for key in trusted:
        with contextlib.suppress(InvalidSignature):
            key.verify(raw, data)
            return True
    return False


def verify(artefact: Artefact, trusted: Sequence[Ed25519PublicKey]) -> None:
    """Checks that one of the trusted keys signed the artefact; without trusted keys everything passes.

    Raises:
        Unsigned: it has no signature.
        WrongSignature: none of these keys signed it.
    """
    if not trusted:
        return
    if artefact.signature is None:
        raise Unsigned(f"{artefact.sha256[:12]} is not signed: publish it with TOCSIN_MODEL_KEY set")
    if not is_signed_by(trusted, artefact.signature, artefact.signed_bytes()):
        raise WrongSignature(
            f"the signature of {artefact.sha256[:12]} is by none of the {len(trusted)} trusted keys: sign it with one"
            " of them, or add the signer's public key to TOCSIN_MODEL_TRUSTED"
        )


def _public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(
            f"{path} is not an ed25519 public key as PEM: trust the *.pub.pem of `tocsin models keygen`"
        )
    return key


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_KEY_BYTES)
    except OSError as error:
        raise SettingsError(f"the key {path} cannot be read: {error.strerror}") from None


def _write_new(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
