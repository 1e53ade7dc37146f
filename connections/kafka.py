"""The connection to Kafka that every role uses: address and security."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from connections.denials import report_denials
from connections.secret import Secret
from connections.tls import TlsFiles
from connections.tokens import EndpointTokens, FileTokens, TokenEndpoint
from schemas.errors import SettingsError

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "OAUTHBEARER"]

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+)(:(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Address of a Kafka cluster, and how a client identifies itself there. As text it is the address alone.

    Attributes:
        address: ``host:port``, several separated by commas.
        protocol: Kafka's ``security.protocol``.
        mechanism: for the two SASL protocols.
        username: for SCRAM and PLAIN.
        password: for SCRAM and PLAIN.
        token: a token's file or text, for OAUTHBEARER.
        endpoint: gives tokens, for OAUTHBEARER without ``token``.
        tls: PEM files for the two SSL protocols.

    Raises:
        SettingsError: ``address`` is not such a list, or credentials do not fit the protocol.
    """

    address: str
    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    username: str | None = None
    password: Secret | None = None
    token: Secret | None = None
    endpoint: TokenEndpoint | None = None
    tls: TlsFiles = field(default_factory=TlsFiles)

    def __post_init__(self) -> None:
        for host in self.address.split(","):
            match = _HOST.fullmatch(host.strip())
            if match is None or not 1 <= int(match["port"] or 9092) <= 65_535:
                shown = host.strip().rpartition("@")[2]  # what stands before may be a password
                raise SettingsError(f"Kafka address {shown!r} is not host:port, such as localhost:9092")
        if self.uses_sasl and self.mechanism == "OAUTHBEARER":
            if (self.token is None) == (self.endpoint is None):
                raise SettingsError("OAUTHBEARER needs either a token file or a token endpoint")
        elif self.uses_sasl and (not self.username or self.password is None):
            raise SettingsError(f"{self.mechanism} needs a username and a password")

    @classmethod
    def of(cls, kafka: KafkaConnection | str) -> KafkaConnection:
        """A connection as it is; a bare address as an unsecured connection to it."""
        return kafka if isinstance(kafka, cls) else cls(str(kafka))

    def __str__(self) -> str:
        return self.address

    @property
    def uses_sasl(self) -> bool:
        """Whether a client identifies itself by SASL."""
        return self.protocol.startswith("SASL_")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.protocol.endswith("SSL")

    @property
    def hosts(self) -> list[str]:
        """The addresses of the list."""
        return [host.strip() for host in self.address.split(",")]

    @property
    def principal(self) -> str:
        """Who connects, as Kafka's rules of access name it where that is known here."""
        if self.uses_sasl and self.mechanism != "OAUTHBEARER":
            return f"User:{self.username}"
        if self.uses_sasl:
            return f"client {self.endpoint.client_id!r}" if self.endpoint else "the token's subject"
        if self.uses_tls and self.tls.certificate is not None:
            return f"the certificate {self.tls.certificate}"
        return "User:ANONYMOUS"

    def client_options(self) -> Mapping[str, Any]:
        """Keyword arguments for aiokafka's clients; called in a running event loop for OAUTHBEARER.

        Secrets and certificates are read from their files now.

        Raises:
            SettingsError: a file cannot be read.
        """
        report_denials()
        options: dict[str, Any] = {"bootstrap_servers": self.hosts, "security_protocol": self.protocol}
        if self.uses_tls:
            options["ssl_context"] = self.tls.context()
        if not self.uses_sasl:
            return options
        options["sasl_mechanism"] = self.mechanism
        if self.endpoint is not None:
            return {**options, "sasl_oauth_token_provider": EndpointTokens(self.endpoint, self.tls)}
        if self.token is not None:
            return {**options, "sasl_oauth_token_provider": FileTokens(self.token)}
        secret = self.password.read() if self.password is not None else ""
        return {**options, "sasl_plain_username": self.username, "sasl_plain_password": secret}


def client_options(kafka: KafkaConnection | str) -> Mapping[str, Any]:
    """Keyword arguments for aiokafka's clients; see :meth:`KafkaConnection.client_options`."""
    return KafkaConnection.of(kafka).client_options()
