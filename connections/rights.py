"""What a client may do on a cluster, by Kafka's own answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiokafka import errors as kafka
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Bytes, Int16, Int32, Schema, String

from connections.denials import GRANT
from connections.kafka import KafkaConnection
from schemas.access import Operation, Right
from schemas.errors import AccessDenied

OPERATION_CODES: dict[Operation, int] = {
    "Read": 3,
    "Write": 4,
    "Create": 5,
    "Delete": 6,
    "Alter": 7,
    "Describe": 8,
    "DescribeConfigs": 10,
    "AlterConfigs": 11,
    "IdempotentWrite": 12,
}
"""Codes of Kafka's protocol."""
_NOT_SAID = -(1 << 31)
_DENIED = (kafka.TopicAuthorizationFailedError.errno, kafka.GroupAuthorizationFailedError.errno)
_UNKNOWN_TOPIC: int = kafka.UnknownTopicOrPartitionError.errno


@dataclass(frozen=True, slots=True)
class Findings:
    """What stands between a client and its work.

    Attributes:
        absent: topics that do not exist.
        lacking: rights that the client does not have.
    """

    absent: tuple[str, ...]
    lacking: tuple[Right, ...]


async def examine(connection: KafkaConnection, rights: Iterable[Right], timeout_s: float = 5.0) -> Findings:
    """Asks Kafka which topics exist, and which rights on topics and groups the client has.

    A cluster without rules of access grants all.

    Raises:
        AccessDenied: Kafka refuses the client.
        aiokafka.errors.KafkaError, OSError: no broker answers, or it is older than Kafka 2.3.
    """
    connection, rights = KafkaConnection.of(connection), tuple(rights)
    admin = AIOKafkaAdminClient(**connection.client_options(), request_timeout_ms=int(timeout_s * 1000))
    try:
        await admin.start()
        allowed: dict[tuple[str, str], int] = {}
        absent = []
        topics = sorted({right.name for right in rights if right.resource == "Topic"})
        answer = await _send(admin, _Metadata(topics))
        for code, name, _, _, operations in answer.topics:
            if code == _UNKNOWN_TOPIC:
                absent.append(name)
            allowed["Topic", name] = 0 if code in _DENIED else operations
        for group in sorted({right.name for right in rights if right.resource == "Group"}):
            allowed["Group", group] = await _group_operations(admin, group)
    finally:
        await admin.close()
    lacking = tuple(
        right
        for right in rights
        if right.resource != "Cluster" and not _includes(allowed[right.resource, right.name], right.operation)
    )
    return Findings(tuple(absent), lacking)


async def denied(connection: KafkaConnection, rights: Iterable[Right]) -> AccessDenied | None:
    """The rights that a client lacks, as one line; None where Kafka denies none or does not answer."""
    try:
        found = await examine(connection, rights)
    except AccessDenied as denial:
        return denial
    except (kafka.KafkaError, OSError, NotImplementedError):
        return None
    return lacking_line(connection, found.lacking)


def lacking_line(connection: KafkaConnection, lacking: Iterable[Right]) -> AccessDenied | None:
    """The line that names who lacks which rights; None if none is lacking."""
    text = "; to ".join(map(str, lacking))
    if not text:
        return None
    return AccessDenied(f"Kafka at {connection} denies {connection.principal} the right to {text}: {GRANT}")


async def _group_operations(admin: Any, group: str) -> int:
    try:
        coordinator = await admin.find_coordinator(group)
        answer = await _send(admin, _DescribeGroups([group]), coordinator)
    except kafka.GroupAuthorizationFailedError:
        return 0
    except kafka.CoordinatorNotAvailableError:
        return _NOT_SAID  # the first group of a new cluster
    code, *_, operations = answer.groups[0]
    return 0 if code in _DENIED else int(operations)


async def _send(admin: Any, request: Any, node: int | None = None) -> Any:
    client = admin._client  # noqa: SLF001 - the public methods ask without the operations
    return await client.send(client.get_random_node() if node is None else node, request)


def _includes(operations: int, operation: Operation) -> bool:
    return operations == _NOT_SAID or bool(operations >> OPERATION_CODES[operation] & 1)


class _MetadataResponse(Response):  # type: ignore[misc]  # aiokafka publishes no types
    API_KEY, API_VERSION = 3, 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(("id", Int32), ("host", String("utf-8")), ("port", Int32), ("rack", String("utf-8")))),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("name", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("index", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _MetadataStruct(RequestStruct):  # type: ignore[misc]
    API_KEY, API_VERSION, RESPONSE_TYPE = 3, 8, _MetadataResponse
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _Metadata(Request[_MetadataStruct]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataStruct]) -> Any:
        return request_struct_class(self._topics, False, False, True)


class _DescribeGroupsResponse(Response):  # type: ignore[misc]
    API_KEY, API_VERSION = 15, 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "groups",
            Array(
                ("error_code", Int16),
                ("group", String("utf-8")),
                ("state", String("utf-8")),
                ("protocol_type", String("utf-8")),
                ("protocol", String("utf-8")),
                (
                    "members",
                    Array(
                        ("member_id", String("utf-8")),
                        ("client_id", String("utf-8")),
                        ("client_host", String("utf-8")),
                        ("metadata", Bytes),
                        ("assignment", Bytes),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
    )


class _DescribeGroupsStruct(RequestStruct):  # type: ignore[misc]
    API_KEY, API_VERSION, RESPONSE_TYPE = 15, 3, _DescribeGroupsResponse
    SCHEMA = Schema(("groups", Array(String("utf-8"))), ("include_authorized_operations", Boolean))


class _DescribeGroups(Request[_DescribeGroupsStruct]):  # type: ignore[misc]
    API_KEY = 15

    def __init__(self, groups: list[str]) -> None:
        self._groups = groups

    def build(self, request_struct_class: type[_DescribeGroupsStruct]) -> Any:
        return request_struct_class(self._groups, True)
