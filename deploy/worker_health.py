"""Health of a worker's container: exit code 0 while a worker that runs here is a member of its consumer group."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from typing import Any

import psutil
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tocsin.settings import load_settings

_TIMEOUT_S = 10.0


def is_member(groups: Iterable[Any], addresses: Iterable[str]) -> bool:
    """Whether a member of one of the groups connects from one of the addresses.

    Args:
        groups: as Kafka describes them; the sixth field holds the members, whose third is ``/address``.
        addresses: of this machine.
    """
    ours = {f"/{address}" for address in addresses}
    return any(member[2] in ours for group in groups for member in group[5])


async def _is_member(bootstrap: str, group: str) -> bool:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="health")
    await client.start()
    try:
        responses = await client.describe_consumer_groups([group])
    finally:
        await client.close()
    interfaces = psutil.net_if_addrs().values()
    addresses = [address.address for interface in interfaces for address in interface]
    return is_member([group for response in responses for group in response.groups], addresses)


def main() -> int:
    """The exit code; the reason for 1 goes to standard output, where the container's inspection shows it."""
    settings = load_settings()
    if settings.kafka is None:
        print("TOCSIN_KAFKA is not set")
        return 1
    try:
        member = asyncio.run(asyncio.wait_for(_is_member(settings.kafka, settings.group), _TIMEOUT_S))
    except (KafkaError, OSError, TimeoutError) as error:
        print(f"Kafka at {settings.kafka}: {error or 'no answer'}")
        return 1
    if not member:
        print(f"no worker of this container is a member of the group {settings.group!r}")
    return 0 if member else 1


if __name__ == "__main__":
    sys.exit(main())
