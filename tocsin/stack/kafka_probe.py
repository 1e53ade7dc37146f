"""A metadata round trip to a Kafka broker, by hand: cheap enough to ask thirty times a second, and silent."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from schemas.errors import BrokerUnavailable, SettingsError

METADATA = 3
VERSION = 4
MAX_ANSWER = 1 << 20


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a broker says of its cluster.

    Attributes:
        cluster_id: empty where the broker does not tell.
        brokers: addresses of the brokers that serve, "host:port"; none while a starting broker is not registered.
    """

    cluster_id: str
    brokers: tuple[str, ...]


def ask(host: str, port: int, timeout_s: float = 1.0) -> Cluster:
    """Ask one broker, over a plain connection, for its cluster and no topic.

    Raises:
        OSError: nobody listens, or no answer came in time.
        ValueError: the answer is not Kafka's.
    """
    client = b"tocsin"
    body = struct.pack(">hhih", METADATA, VERSION, 1, len(client)) + client + struct.pack(">i?", 0, False)
    with socket.create_connection((host, port), timeout_s) as connection:
        connection.settimeout(timeout_s)
        connection.sendall(struct.pack(">i", len(body)) + body)
        (length,) = struct.unpack(">i", _exactly(connection, 4))
        if not 0 < length <= MAX_ANSWER:
            raise ValueError(f"answer of {length} bytes")
        return _parse(_exactly(connection, length))


def reach(bootstrap: str, timeout_s: float = 5.0) -> Cluster:
    """Ask the brokers of a bootstrap address ("host:port", several with commas) in turn until one answers.

    Raises:
        SettingsError: the address is not of that form.
        BrokerUnavailable: none answers.
    """
    failures = []
    for host, port in parse_bootstrap(bootstrap):
        try:
            return ask(host, port, timeout_s)
        except OSError as error:
            failures.append(f"{host}:{port} {error.strerror or error}")
        except (ValueError, struct.error):
            failures.append(f"{host}:{port} answers, but not as Kafka does over a plain connection")
    raise BrokerUnavailable(
        f"Kafka at {bootstrap} does not answer ({'; '.join(failures)}): check the address and that the broker runs, "
        "or leave the address out to start one here"
    )


def parse_bootstrap(bootstrap: str) -> list[tuple[str, int]]:
    """Split ``"host:port,[::1]:port"``.

    Raises:
        SettingsError: a piece has no host, or no port from 1 to 65535.
    """
    addresses = []
    for piece in bootstrap.split(","):
        host, _, port = piece.strip().rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        foreign = not host or any(mark in "/@ " for mark in host)
        if foreign or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
            raise SettingsError(f"Kafka address {piece.strip()!r} is not host:port, such as localhost:9092")
        addresses.append((host, int(port)))
    return addresses


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        piece = connection.recv(count - len(parts))
        if not piece:
            raise ValueError("the connection was closed in the middle of the answer")
        parts += piece
    return bytes(parts)


def _parse(answer: bytes) -> Cluster:
    # correlation id, throttle time, brokers (id, host, port, rack), cluster id, and what we do not need.
    _, _, count = struct.unpack_from(">iii", answer)
    at = 12
    brokers = []
    for _ in range(count):
        host, at = _string(answer, at + 4)
        (port,) = struct.unpack_from(">i", answer, at)
        _, at = _string(answer, at + 4)
        brokers.append(f"{host}:{port}")
    cluster_id, _ = _string(answer, at)
    return Cluster(cluster_id, tuple(brokers))


def _string(answer: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">h", answer, at)
    end = at + 2 + max(length, 0)
    return answer[at + 2 : end].decode("utf-8", "replace"), end
