"""Asking what is not Kafka."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from connections.kafka import KafkaConnection
from schemas.errors import BrokerUnavailable, SettingsError
from tocsin.stack import kafka_probe


@pytest.fixture
def serve() -> Iterator[Callable[[bytes], int]]:
    """Starts a server that sends the given bytes to the first connection; returns the port."""
    threads: list[threading.Thread] = []

    def start(response: bytes) -> int:
        server = socket.create_server(("127.0.0.1", 0))

        def run() -> None:
            with server, server.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(response)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return int(server.getsockname()[1])

    yield start
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    "response",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", struct.pack(">i", 8) + b"1234", struct.pack(">i", 4) + b"1234"],
)
def test_another_server_is_distinguished_from_kafka(serve: Callable[[bytes], int], response: bytes) -> None:
    port = serve(response)
    with pytest.raises(BrokerUnavailable, match=f"127.0.0.1:{port} does not answer"):
        kafka_probe.reach(KafkaConnection(f"127.0.0.1:{port}"), timeout_s=0.5)


def test_a_closed_port() -> None:
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1 .*refused"):
        kafka_probe.reach(KafkaConnection("127.0.0.1:1"))


@pytest.mark.parametrize(
    "address",
    ["", "localhost", "localhost:", ":9092", "a:b", "a:0", "a:65536", "a:9092,", "a:²", "http://a:9092", "a b:9092"],
)
def test_an_invalid_address_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="host:port"):
        kafka_probe.parse_bootstrap(address)


def test_valid_addresses() -> None:
    assert kafka_probe.parse_bootstrap("a:1, [::1]:2") == [("a", 1), ("::1", 2)]
