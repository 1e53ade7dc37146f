"""Whether a Kafka answers, and which one it is: one metadata request over a connection of its own."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import client
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from connections.denials import unmet_demand
from connections.kafka import KafkaConnection
from schemas.addresses import without_password
from schemas.errors import BrokerUnavailable, SettingsError


@dataclass(frozen=True, slots=True)
class Cluster:
    """Metadata of a cluster.

    Attributes:
        cluster_id: empty if the broker does not report it.
        brokers: addresses of the registered brokers, "host:port"; none while the first broker starts.
    """

    cluster_id: str
    brokers: tuple[str, ...]


def reach(kafka: KafkaConnection, timeout_s: float = 5.0, *, explain: bool = True) -> Cluster:
    """Ask the brokers of a connection's address in turn until one answers; blocks.

    Args:
        kafka: the connection.
        timeout_s: for each broker.
        explain: whether a broker that cuts the connection off is asked what it demands.

    Raises:
        SettingsError: the address is not host:port, or a secret or certificate cannot be read.
        AccessDenied: a broker refuses the client.
        BrokerUnavailable: no broker answers.
    """
    return asyncio.run(_reach(kafka, timeout_s, explain=explain))


async def _reach(kafka: KafkaConnection, timeout_s: float, *, explain: bool) -> Cluster:
    options = {name: value for name, value in kafka.client_options().items() if name != "bootstrap_servers"}
    failures = []
    for host, port in parse_bootstrap(kafka.address):
        try:
            async with asyncio.timeout(timeout_s):
                return await _cluster(host, port, options)
        except TimeoutError:
            failures.append(f"{host}:{port} no answer in {timeout_s:g} s")
        except OSError as error:
            failures.append(f"{host}:{port} {os.strerror(error.errno) if error.errno else error}")
        except KafkaError as error:
            if explain and (denial := await unmet_demand(host, port, kafka.protocol, options.get("ssl_context"))):
                raise denial from None
            failures.append(f"{host}:{port} {error}")
        except (ValueError, struct.error):
            failures.append(f"{host}:{port} answers, but not as Kafka does")
    raise BrokerUnavailable(
        f"Kafka at {kafka} does not answer ({'; '.join(failures)}): check the address and that the broker runs, "
        "or omit the address to start one here"
    )


async def _cluster(host: str, port: int, options: Mapping[str, Any]) -> Cluster:
    connection = await client.create_conn(host, port, client_id="tocsin", **options)
    try:
        answer = await connection.send(MetadataRequest([]))
    finally:
        await connection.close()
    brokers = tuple(f"{broker[1]}:{broker[2]}" for broker in answer.brokers)
    return Cluster(getattr(answer, "cluster_id", None) or "", brokers)


def parse_bootstrap(bootstrap: str) -> list[tuple[str, int]]:
    """Split ``"host:port,[::1]:port"``.

    Raises:
        SettingsError: an address has no host, or no port from 1 to 65535, or comes with a user or password.
    """
    if "@" in bootstrap:
        raise SettingsError(
            f"Kafka address {without_password(bootstrap)!r} comes with a user or password: give host:port alone"
        )
    addresses = []
    for piece in bootstrap.split(","):
        host, _, port = piece.strip().rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        malformed = not host or any(mark in "/@ " for mark in host)
        if malformed or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
            raise SettingsError(
                f"Kafka address {without_password(piece.strip())!r} is not host:port, such as localhost:9092"
            )
        addresses.append((host, int(port)))
    return addresses
