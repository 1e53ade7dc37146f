"""TLS from PEM files: whom to trust, and the client's own certificate."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from connections.secret import Secret
from schemas.errors import SettingsError


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of a TLS connection.

    Attributes:
        ca: certificates of the authorities to trust; None trusts those of the system.
        certificate: the client's own certificate with its chain, for mutual TLS; None sends none.
        key: its private key; None where it is in the same file.
        key_password: of an encrypted key.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    key_password: Secret | None = None

    def context(self) -> ssl.SSLContext:
        """A client's context: TLS 1.2 or newer, the server's certificate and name are checked.

        Raises:
            SettingsError: a file cannot be read, or does not hold what it must.
        """
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.ca is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            try:
                context.load_verify_locations(self.ca)
            except OSError as error:  # ssl.SSLError is one
                raise _unusable(self.ca, "certificates of authorities in PEM", error) from None
        if self.certificate is not None:
            self._load_own(context, self.certificate)
        return context

    def _load_own(self, context: ssl.SSLContext, certificate: Path) -> None:
        for path in (certificate, self.key or certificate):
            if not path.is_file():
                raise SettingsError(f"{path} does not exist or is not a file: mount the certificate and its key")
        # A callable: without one, OpenSSL would ask for the password of an encrypted key at the terminal.
        password = self.key_password.read if self.key_password is not None else str
        try:
            context.load_cert_chain(certificate, self.key, password=password)
        except (OSError, ValueError) as error:
            what = "a certificate in PEM with its private key, or the key's password is wrong"
            raise _unusable(certificate, what, error) from None


def _unusable(path: Path, wanted: str, error: Exception) -> SettingsError:
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        return SettingsError(f"{path}: {error.strerror or error}: mount the file and let this user read it")
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    return SettingsError(f"{path} does not hold {wanted} ({reason})")
