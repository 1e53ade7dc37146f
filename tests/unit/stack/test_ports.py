"""Ports: asked for, remembered, chosen."""

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


def test_a_port_in_use_is_named(taken: int) -> None:
    with pytest.raises(PortInUse, match=f"port {taken} for Kafka is in use"):
        ports.require(taken, "Kafka")


def test_a_remembered_port_is_taken_again() -> None:
    port = ports.choose(None, ())
    assert ports.choose(port, ()) == port


def test_a_remembered_port_in_use_is_given_up(taken: int) -> None:
    assert ports.choose(taken, ()) != taken


def test_a_port_of_another_part_is_not_chosen() -> None:
    port = ports.choose(None, ())
    assert ports.choose(port, {port}) != port


def test_choices_lie_below_the_ports_of_outgoing_connections() -> None:
    assert max(ports.CHOICE) < 32768
    assert ports.choose(None, ()) in ports.CHOICE


def test_a_port_just_closed_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # reuses addresses, as Kafka and Redis do
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client, server.accept()[0] as accepted:
            accepted.close()
            assert client.recv(1) == b""
    assert ports.is_free(port)
