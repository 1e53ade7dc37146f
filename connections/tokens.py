"""OAUTHBEARER tokens: from a file that is read again, or from a token endpoint by client credentials (RFC 6749,
4.4)."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from aiokafka.abc import AbstractTokenProvider

from connections.secret import Secret
from connections.tls import TlsFiles
from schemas.errors import AccessDenied, SettingsError

_TIMEOUT_S = 10.0
_MAX_RESPONSE = 1 << 20
_DEFAULT_LIFE_S = 300.0
# A token is renewed after this share of its life: a broker's clock may be ahead of ours.
_USED_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Where an access token is requested, and as whom.

    Attributes:
        url: ``https://``; ``http://`` for this machine alone.
        client_id, client_secret: the client's credentials.
        scope: asked for; empty leaves it to the endpoint.

    Raises:
        SettingsError: the URL would send the secret in the clear, or is not one.
    """

    url: str
    client_id: str
    client_secret: Secret
    scope: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.username or parts.password or not parts.hostname:
            raise SettingsError(f"token URL with host {parts.hostname!r} must be https://HOST/PATH without a user")
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
            raise SettingsError(f"token URL {self.url!r} must begin with https://: the client's secret is sent there")


class FileTokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka publishes no types
    """Tokens that another program keeps fresh in a file, as Kubernetes does with those of a service account."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    async def token(self) -> str:
        """The file's present content."""
        return await asyncio.to_thread(self._secret.read)


class EndpointTokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka publishes no types
    """Tokens of an endpoint, each used until a fifth of its life is left.

    Args:
        endpoint: see there.
        tls: authorities that the endpoint's certificate is checked with.
    """

    def __init__(self, endpoint: TokenEndpoint, tls: TlsFiles) -> None:
        self._endpoint = endpoint
        self._context = TlsFiles(ca=tls.ca).context()
        # Of threads: Faust's consumer and producer run in loops of their own.
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = 0.0

    async def token(self) -> str:
        """An access token that has not expired.

        Raises:
            AccessDenied: the endpoint refuses the client.
            OSError: it does not answer.
        """
        return await asyncio.to_thread(self._current)

    def _current(self) -> str:
        with self._lock:
            if time.monotonic() >= self._renew_at:
                self._token, life_s = _read(_request(self._endpoint, self._context), self._endpoint)
                self._renew_at = time.monotonic() + _USED_SHARE * life_s
            return self._token


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: the client's secret goes to the configured address alone."""

    def redirect_request(self, *_: Any) -> None:
        """Never followed."""


def _request(endpoint: TokenEndpoint, context: ssl.SSLContext) -> bytes:
    form = {"grant_type": "client_credentials"} | ({"scope": endpoint.scope} if endpoint.scope else {})
    pair = f"{quote(endpoint.client_id, safe='')}:{quote(endpoint.client_secret.read(), safe='')}"
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked in TokenEndpoint
        endpoint.url,
        urlencode(form).encode(),
        {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}", "Accept": "application/json"},
    )
    # No proxy of the environment either.
    handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _NoRedirects()]
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT_S) as response:
            return bytes(response.read(_MAX_RESPONSE))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code >= 500 or error.code == 429:
            raise OSError(f"the token endpoint {endpoint.url} answers {error.code}") from None
        raise AccessDenied(
            f"the token endpoint {endpoint.url} refuses client {endpoint.client_id!r} ({error.code} {error.reason}):"
            " check its id, its secret and the scope"
        ) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise AccessDenied(
                f"the token endpoint {endpoint.url} has a certificate that is not trusted"
                f" ({error.reason.verify_message}): give its authority with TOCSIN_KAFKA_CA_FILE"
            ) from None
        raise OSError(f"the token endpoint {endpoint.url} does not answer: {error.reason}") from None


def _read(answer: bytes, endpoint: TokenEndpoint) -> tuple[str, float]:
    try:
        content = json.loads(answer)
        token, life = content["access_token"], content.get("expires_in", _DEFAULT_LIFE_S)
    except (ValueError, KeyError, TypeError):
        token, life = None, None
    if (
        not isinstance(token, str)
        or not token.isascii()
        or not token.isprintable()
        or not isinstance(life, (int, float))
    ):
        raise AccessDenied(f"the token endpoint {endpoint.url} answers without an access_token: is the address right?")
    return token, max(0.0, float(life))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
