"""Creating the topics on a cluster, and reporting where existing ones differ from the required settings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, cast

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from pydantic import BaseModel, ConfigDict

from connections.kafka import KafkaConnection, client_options
from schemas.errors import BrokerUnavailable, SettingsError
from schemas.topics import TOPICS, Topic
from tocsin.stack.kafka_probe import reach

ADVICE = "read the broker's log, or create them there by hand"


class TopicReport(BaseModel):
    """One topic after :func:`create_topics`.

    Attributes:
        name: the topic.
        partitions: present number of partitions.
        created: whether it was created now; an existing topic is left unchanged.
        differences: from the required settings, one phrase each.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    partitions: int
    created: bool
    differences: tuple[str, ...] = ()


def create_topics(
    bootstrap: KafkaConnection, partitions: int | None = None, topics: Sequence[Topic] = TOPICS, timeout_s: float = 30.0
) -> list[TopicReport]:
    """Create the missing topics and wait until each partition has a leader.

    Blocks, with its own event loop; from a coroutine call it in a thread.

    Args:
        bootstrap: address of the cluster; its default replication factor applies.
        partitions: number of partitions of the topics that are partitioned by device (all with more than one in
            :data:`schemas.topics.TOPICS`), at least 1; None uses the number there.
        topics: to create.
        timeout_s: for every request, and for the leader election.

    Returns:
        A report for each topic, in the order of ``topics``.

    Raises:
        SettingsError: ``partitions`` is not positive, or ``bootstrap`` is not host:port.
        BrokerUnavailable: the cluster does not answer, or refuses to create a topic.
    """
    if partitions is not None and partitions < 1:
        raise SettingsError(f"{partitions} partitions: a topic has at least 1")
    reach(bootstrap)  # the client would wait and log errors
    counts = {topic.name: partitions if partitions and topic.partitions > 1 else topic.partitions for topic in topics}
    try:
        found, configs = asyncio.run(_ensure(bootstrap, topics, counts, timeout_s))
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerUnavailable(f"Kafka at {bootstrap} did not create the topics ({error}): {ADVICE}") from error
    return [_report(topic, counts[topic.name], found[topic.name], configs.get(topic.name)) for topic in topics]


async def _ensure(
    bootstrap: KafkaConnection, topics: Sequence[Topic], counts: dict[str, int], timeout_s: float
) -> tuple[dict[str, int], dict[str, dict[str, str]]]:
    # Number of partitions of every topic, and the settings of those that existed before.
    admin = AIOKafkaAdminClient(**client_options(bootstrap), request_timeout_ms=int(timeout_s * 1000))
    try:
        await admin.start()
        created = await _create(admin, topics, counts)
        found = await _wait_for_leaders(admin, list(counts), timeout_s)
        return found, await _configs(admin, [topic for topic in topics if topic.name not in created])
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[Topic], counts: dict[str, int]) -> set[str]:
    new = [
        # -1: the cluster's default; the client accepts it only together with assignments, even empty ones.
        NewTopic(topic.name, counts[topic.name], -1, replica_assignments={}, topic_configs=topic.config())
        for topic in topics
    ]
    response = await admin.create_topics(new)
    created = set()
    for name, code, *message in response.topic_errors:
        kind = for_code(code)
        if code == 0:
            created.add(name)
        elif kind is not TopicAlreadyExistsError:
            raise kind(f"{name}: {message[0] if message and message[0] else kind.description}")
    return created


async def _wait_for_leaders(admin: AIOKafkaAdminClient, names: list[str], timeout_s: float) -> dict[str, int]:
    # Number of partitions of each topic, once all have leaders.
    deadline = time.monotonic() + timeout_s
    while True:
        answer = cast("list[dict[str, Any]]", await admin.describe_topics(names))
        ready = {
            topic["topic"]: len(topic["partitions"])
            for topic in answer
            if topic["error_code"] == 0 and all(partition["leader"] >= 0 for partition in topic["partitions"])
        }
        missing = [name for name in names if not ready.get(name)]
        if not missing:
            return ready
        if time.monotonic() > deadline:
            raise TimeoutError(f"no leader for {', '.join(missing)} in {timeout_s:g} s")
        await asyncio.sleep(0.05)


async def _configs(admin: AIOKafkaAdminClient, existing: list[Topic]) -> dict[str, dict[str, str]]:
    if not existing:
        return {}
    wanted = [
        ConfigResource(ConfigResourceType.TOPIC, topic.name, configs=dict.fromkeys(topic.config(), ""))
        for topic in existing
    ]
    configs = {}
    for response in await admin.describe_configs(wanted):
        for code, message, _, name, entries in response.resources:
            if code != 0:
                raise for_code(code)(f"{name}: {message}")
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return configs


def _report(topic: Topic, wanted: int, found: int, config: dict[str, str] | None) -> TopicReport:
    differences = []
    if config is not None:
        if found != wanted:
            differences.append(f"{found} partitions, not {wanted}")
        for key, value in topic.config().items():
            if config.get(key) != value:
                differences.append(f"{key} is {config.get(key)}, not {value}")
    return TopicReport(name=topic.name, partitions=found, created=config is None, differences=tuple(differences))
