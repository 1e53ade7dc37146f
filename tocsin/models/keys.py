"""The keys that the settings name: to sign models and announcements with, and to trust."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from processors.adapters.models.signing import load_private_key, load_trusted_keys
from tocsin.settings import Settings


def signing_key(settings: Settings) -> Ed25519PrivateKey | None:
    """The key to sign with; None where none is set.

    Raises:
        SettingsError: it cannot be read.
    """
    return None if settings.model_key is None else load_private_key(settings.model_key)


def trusted_keys(settings: Settings) -> tuple[Ed25519PublicKey, ...]:
    """The keys of which one must have signed whatever applies; empty where none is set, and nothing need be signed.

    Raises:
        SettingsError: none is there, or one cannot be read.
    """
    return () if settings.model_trusted is None else load_trusted_keys(settings.model_trusted)
