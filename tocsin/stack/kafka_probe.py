"""A minimal Kafka metadata request: cheap enough for thirty probes a second, and without log output."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from schemas.errors import BrokerUnavailable, SettingsError

METADATA = 3
VERSION = 4
MAX_RESPONSE = 1 << 20


@dataclass(frozen=True, slots=True)
class Cluster:
    """Metadata of a cluster.

    Attributes:
        cluster_id: empty if the broker does not report it.
        brokers: addresses of the registered brokers, "host:port"; none while the first broker starts.
    """

    cluster_id: str
    brokers: tuple[str, ...]


def probe(host: str, port: int, timeout_s: float = 1.0) -> Cluster:
    """Request the cluster metadata of one broker over a plaintext connection.

    Raises:
        OSError: nothing listens there, or no response arrived in time.
        ValueError: the response is not Kafka's.
    """
    client = b"tocsin"
    body = struct.pack(">hhih", METADATA, VERSION, 1, len(client)) + client + struct.pack(">i?", 0, False)
    with socket.create_connection((host, port), timeout_s) as connection:
        connection.settimeout(timeout_s)
        connection.sendall(struct.pack(">i", len(body)) + body)
        (length,) = struct.unpack(">i", _exactly(connection, 4))
        if not 0 < length <= MAX_RESPONSE:
            raise ValueError(f"response of {length} bytes")
        return _parse(_exactly(connection, length))


def reach(bootstrap: str, timeout_s: float = 5.0) -> Cluster:
    """Probe the brokers of a bootstrap address ("host:port", several with commas) in turn until one answers.

    Raises:
        SettingsError: the address is not of that form.
        BrokerUnavailable: no broker answers.
    """
    failures = []
    for host, port in parse_bootstrap(bootstrap):
        try:
            return probe(host, port, timeout_s)
        except OSError as error:
            failures.append(f"{host}:{port} {error.strerror or error}")
        except (ValueError, struct.error):
            failures.append(f"{host}:{port} answers, but not as Kafka does over a plaintext connection")
    raise BrokerUnavailable(
        f"Kafka at {bootstrap} does not answer ({'; '.join(failures)}): check the address and that the broker runs, "
        "or omit the address to start one here"
    )


def parse_bootstrap(bootstrap: str) -> list[tuple[str, int]]:
    """Split ``"host:port,[::1]:port"``.

    Raises:
        SettingsError: an address has no host, or no port from 1 to 65535.
    """
    addresses = []
    for piece in bootstrap.split(","):
        host, _, port = piece.strip().rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        malformed = not host or any(mark in "/@ " for mark in host)
        if malformed or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
            raise SettingsError(f"Kafka address {piece.strip()!r} is not host:port, such as localhost:9092")
        addresses.append((host, int(port)))
    return addresses


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise ValueError("the connection was closed in the middle of the response")
        data += piece
    return bytes(data)


def _parse(response: bytes) -> Cluster:
    # correlation id, throttle time, brokers (id, host, port, rack), cluster id, and fields that are not needed.
    _, _, count = struct.unpack_from(">iii", response)
    at = 12
    brokers = []
    for _ in range(count):
        host, at = _string(response, at + 4)
        (port,) = struct.unpack_from(">i", response, at)
        _, at = _string(response, at + 4)
        brokers.append(f"{host}:{port}")
    cluster_id, _ = _string(response, at)
    return Cluster(cluster_id, tuple(brokers))


def _string(response: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">h", response, at)
    end = at + 2 + max(length, 0)
    return response[at + 2 : end].decode("utf-8", "replace"), end
