"""Refusals by Redis told apart from outages."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from redis.exceptions import AuthenticationError, NoPermissionError

from schemas.addresses import without_password
from schemas.errors import AccessDenied

_DENIED = ("NOPERM", "NOAUTH", "WRONGPASS")
_EXPIRED = 10


def redis_denial(error: BaseException, url: str) -> AccessDenied | None:
    """A refusal as one line that names the user and what is denied; None for an outage.

    Args:
        error: of a redis call.
        url: of the connection; its password is not shown.
    """
    at, user = without_password(url), unquote(urlsplit(url).username or "default")
    text = " ".join(str(error).split())
    if isinstance(error, NoPermissionError) or (text.startswith(_DENIED[0]) or " NOPERM " in text):
        reason = text.rpartition("NOPERM ")[2]
        return AccessDenied(f"Redis at {at} denies user {user!r} a right ({reason}): grant it with ACL SETUSER")
    if isinstance(error, AuthenticationError) or text.startswith(_DENIED):
        return AccessDenied(
            f"Redis at {at} does not authenticate user {user!r} ({text}): give user and password in the address, or"
            " with TOCSIN_REDIS_USERNAME and TOCSIN_REDIS_PASSWORD_FILE"
        )
    tls = next((cause for cause in _causes(error) if isinstance(cause, ssl.SSLError)), None)
    if isinstance(tls, ssl.SSLCertVerificationError):
        if tls.verify_code == _EXPIRED:
            return AccessDenied(f"the certificate of Redis at {at} has expired: its operator must renew it")
        return AccessDenied(
            f"the certificate of Redis at {at} is not trusted ({tls.verify_message}): give the authority that signed it"
            " with TOCSIN_REDIS_CA_FILE, and use a name that the certificate holds"
        )
    reason = getattr(tls, "reason", None) or ""
    if "ALERT" in reason:
        return AccessDenied(
            f"Redis at {at} refuses the client's certificate ({reason}): check TOCSIN_REDIS_CERTIFICATE_FILE"
        )
    if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}:
        return AccessDenied(f"Redis at {at} does not speak TLS: choose its TLS port, or redis:// in the address")
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
