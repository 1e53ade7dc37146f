"""Keys as files, and what a signature covers."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from processors.adapters.models.signing import load_private_key, load_trusted_keys, sign, verify, write_keys
from schemas.artefact import Artefact
from schemas.errors import OutputError, SettingsError, Unsigned, WrongSignature

ARTEFACT = Artefact(
    detector="machine",
    model_id="crafted",
    version="1",
    sha256="a" * 64,
    size=10,
    url="file:///models/a.onnx",
    features_hash="b" * 64,
    published_ns=1,
)


def test_a_pair_signs_and_verifies(tmp_path: Path) -> None:
    private, public = write_keys(tmp_path / "keys")

    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    signed = sign(ARTEFACT, load_private_key(private))
    verify(signed, load_trusted_keys(public))
    verify(signed.model_copy(update={"url": "s3://moved/a.onnx"}), load_trusted_keys(public))


@pytest.mark.parametrize(
    "change", [{"sha256": "c" * 64}, {"size": 11}, {"version": "2"}, {"detector": "scream"}, {"model_id": "other"}]
)
def test_a_signature_covers_file_and_purpose(tmp_path: Path, change: dict[str, object]) -> None:
    private, public = write_keys(tmp_path)
    signed = sign(ARTEFACT, load_private_key(private)).model_copy(update=change)
    with pytest.raises(WrongSignature):
        verify(signed, load_trusted_keys(public))


def test_any_of_several_keys_suffices(tmp_path: Path) -> None:
    trusted = tmp_path / "trusted"
    trusted.mkdir()
    for name in ("a", "b"):
        _, public = write_keys(tmp_path / name)
        public.rename(trusted / f"{name}.pem")
    keys = load_trusted_keys(trusted)

    assert len(keys) == 2
    for name in ("a", "b"):
        verify(sign(ARTEFACT, load_private_key(tmp_path / name / "tocsin-model-key.pem")), keys)
    with pytest.raises(Unsigned):
        verify(ARTEFACT, keys)
    verify(ARTEFACT, ())


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    private, public = write_keys(tmp_path)
    before = private.read_bytes()
    with pytest.raises(OutputError, match="never overwritten"):
        write_keys(tmp_path)
    assert private.read_bytes() == before
    private.unlink()
    with pytest.raises(OutputError, match=public.name):
        write_keys(tmp_path)
    assert not private.exists()


def test_a_required_signature_is_never_silently_skipped(tmp_path: Path) -> None:
    private, public = write_keys(tmp_path / "keys")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.pem").write_text("no key")
    with pytest.raises(SettingsError, match="empty"):
        load_trusted_keys(tmp_path / "empty")
    for path in (tmp_path / "missing", tmp_path / "text.pem", private, tmp_path / "keys"):
        with pytest.raises(SettingsError):
            load_trusted_keys(path)
    assert len(load_trusted_keys(public)) == 1


def test_only_ed25519_without_a_password_signs(tmp_path: Path) -> None:
    private, public = write_keys(tmp_path)
    other = generate_private_key(SECP256R1())
    (tmp_path / "other.pem").write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "other.pub").write_bytes(
        other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    locked = load_private_key(private).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    (tmp_path / "locked.pem").write_bytes(locked)
    for path in (public, tmp_path / "other.pem", tmp_path / "locked.pem", tmp_path / "missing.pem"):
        with pytest.raises(SettingsError, match=path.name):
            load_private_key(path)
    with pytest.raises(SettingsError, match="ed25519"):
        load_trusted_keys(tmp_path / "other.pub")
