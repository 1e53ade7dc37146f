"""Connection settings for Kafka."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

from schemas.errors import SettingsError

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+)(:(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Connection:
    """Connection settings for Kafka.

    Attributes:
        bootstrap: ``host:port``, several separated by commas.
        security_protocol: ``PLAINTEXT``, ``SSL``, ``SASL_PLAINTEXT`` or ``SASL_SSL``.
        ssl_context: certificates, for the two SSL protocols.
        sasl_mechanism: for the two SASL protocols.
        sasl_username, sasl_password: for the two SASL protocols.
        client_id: name of this producer in the broker's logs.

    Raises:
        SettingsError: ``bootstrap`` is not such a list.
    """

    bootstrap: str
    security_protocol: str = "PLAINTEXT"
    ssl_context: SSLContext | None = None
    sasl_mechanism: str = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    client_id: str = "tocsin-producer"

    def __post_init__(self) -> None:
        for host in self.bootstrap.split(","):
            match = _HOST.fullmatch(host.strip())
            if match is None or not 1 <= int(match["port"] or 9092) <= 65_535:
                raise SettingsError(f"{host.strip()!r} is not a Kafka address: give host:port, several with commas")

    def options(self) -> dict[str, Any]:
        """Keyword arguments for aiokafka's clients."""
        return {
            "bootstrap_servers": [host.strip() for host in self.bootstrap.split(",")],
            "client_id": self.client_id,
            "security_protocol": self.security_protocol,
            "ssl_context": self.ssl_context,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": self.sasl_password,
        }
