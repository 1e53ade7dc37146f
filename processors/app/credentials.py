"""A Kafka connection in Faust's terms."""

from __future__ import annotations

import faust
from faust.auth import Credentials, OAuthCredentials

from connections.kafka import KafkaConnection


def broker_urls(connection: KafkaConnection) -> str:
    """Faust's ``broker``."""
    return ";".join(f"kafka://{host}" for host in connection.hosts)


def broker_credentials(connection: KafkaConnection) -> Credentials | None:
    """Faust's ``broker_credentials``; None for an unsecured connection.

    Raises:
        SettingsError: a secret or certificate cannot be read from its file.
    """
    options = connection.client_options()
    context = options.get("ssl_context")
    if not connection.uses_sasl:
        return faust.SSLCredentials(context) if connection.uses_tls else None
    if "sasl_oauth_token_provider" in options:
        return OAuthCredentials(oauth_cb=options["sasl_oauth_token_provider"], ssl_context=context)
    return faust.SASLCredentials(
        username=options["sasl_plain_username"],
        password=options["sasl_plain_password"],
        mechanism=options["sasl_mechanism"],
        ssl_context=context,
    )
