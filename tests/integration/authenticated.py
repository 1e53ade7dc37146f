"""Lets tests name a stack by its bare address: its credentials reach their own clients and the programs they start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiokafka import client

from connections.denials import report_denials
from connections.kafka import KafkaConnection
from tocsin.addresses import environment_of


@contextmanager
def authenticated(connection: KafkaConnection, programs: KafkaConnection | None = None) -> Iterator[None]:
    """Meanwhile, clients of this process that connect without security, and programs, authenticate.

    Args:
        connection: of this process's clients.
        programs: of those it starts; None is the same.
    """
    ports = {int(host.rpartition(":")[2]) for host in connection.hosts}
    report_denials()
    with pytest.MonkeyPatch.context() as patch:
        original = client.create_conn

        async def create_conn(host: str, port: int, **options: Any) -> Any:
            if port in ports and options.get("security_protocol") == "PLAINTEXT":
                options |= {name: value for name, value in connection.client_options().items() if name in _SECURITY}
            return await original(host, port, **options)

        _keep_patched(patch, create_conn)
        for name, value in environment_of(programs or connection).items():
            if name != "TOCSIN_KAFKA":
                patch.setenv(name, value)
        yield


_SECURITY = ("security_protocol", "ssl_context", "sasl_mechanism", "sasl_plain_username", "sasl_plain_password")


def _keep_patched(patch: pytest.MonkeyPatch, create_conn: Any) -> None:
    patch.setattr(client, "create_conn", create_conn)
    # Whoever asks for reports again would take it away.
    patch.setattr("connections.denials._create_conn", create_conn)
