"""Ports: requested, remembered, chosen."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from schemas.errors import PortInUse
from tocsin.stack import ports


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_in_use_is_refused(taken: int) -> None:
    with pytest.raises(PortInUse, match=f"port {taken} for Kafka is in use"):
        ports.require(taken, "Kafka")


def test_a_remembered_port_is_used_again() -> None:
    port = ports.choose(None, ())
    assert ports.choose(port, ()) == port


def test_a_remembered_port_in_use_is_replaced(taken: int) -> None:
    assert ports.choose(taken, ()) != taken


def test_a_port_of_another_service_is_not_chosen() -> None:
    port = ports.choose(None, ())
    assert ports.choose(port, {port}) != port


def test_the_range_is_below_the_ephemeral_ports() -> None:
    assert max(ports.PORT_RANGE) < 32768
    assert ports.choose(None, ()) in ports.PORT_RANGE


def test_a_recently_closed_port_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # reuses addresses, as Kafka and Redis do
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client, server.accept()[0] as accepted:
            accepted.close()
            assert client.recv(1) == b""
    assert ports.is_free(port)
