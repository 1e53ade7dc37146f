"""Who may do what: the rights of every role on topics and consumer groups, in Kafka's terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.topics import (
    ALERT_STATE,
    ALERTS,
    AUDIO,
    DEADLETTER,
    DEVICES,
    FEEDBACK,
    MODEL_STATUS,
    MODELS,
    NOTICES,
    POLICIES,
    SCORES,
    UNFINISHED,
    Topic,
)

Operation = Literal[
    "Read", "Write", "Create", "Delete", "Alter", "Describe", "DescribeConfigs", "AlterConfigs", "IdempotentWrite"
]
Resource = Literal["Topic", "Group", "Cluster"]
Role = Literal["producer", "worker", "trainer", "consumer", "operator", "admin"]

CLUSTER = "kafka-cluster"
"""Kafka's name of the only resource of its kind."""
TOPIC_PREFIX = "tocsin."


@dataclass(frozen=True, slots=True)
class Right:
    """One operation on one resource.

    Attributes:
        operation: ``Read`` and ``Write`` include ``Describe``.
        resource: kind of the resource.
        name: of a topic or group.
        prefixed: whether it holds for all names that begin with ``name``.
    """

    operation: Operation
    resource: Resource
    name: str
    prefixed: bool = False

    def __str__(self) -> str:
        name = {"Topic": f"topic {self.name}", "Group": f"consumer group {self.name}", "Cluster": "the cluster"}
        return f"{self.operation} {name[self.resource]}"


def _rights(
    read: tuple[Topic, ...] = (), write: tuple[Topic, ...] = (), more: tuple[Right, ...] = ()
) -> tuple[Right, ...]:
    # Brokers before Kafka 3.0 demand IdempotentWrite of a producer that Write alone allows today.
    idempotent = (Right("IdempotentWrite", "Cluster", CLUSTER),) if write else ()
    return (
        *(Right("Read", "Topic", topic.name) for topic in read),
        *(Right("Write", "Topic", topic.name) for topic in write),
        *more,
        *idempotent,
    )


def rights_of(role: Role, group: str, *, prefixed: bool = False) -> tuple[Right, ...]:
    """The least rights that a role works with.

    Args:
        role: see :data:`Role`.
        group: the workers' consumer group.
        prefixed: whether all groups whose names begin so are meant.
    """
    describe_group = (Right("Describe", "Group", group, prefixed),)
    admin_topics: tuple[Operation, ...] = ("Create", "Delete", "Alter", "Describe", "DescribeConfigs", "AlterConfigs")
    return {
        "producer": _rights(write=(AUDIO, DEVICES)),
        "worker": _rights(
            read=(AUDIO, MODELS, DEVICES, POLICIES, FEEDBACK, SCORES, ALERTS, UNFINISHED),
            write=(SCORES, ALERTS, NOTICES, ALERT_STATE, MODEL_STATUS, DEADLETTER, UNFINISHED),
            more=(Right("Read", "Group", group, prefixed),),
        ),
        "trainer": _rights(
            read=(AUDIO, DEVICES, POLICIES, FEEDBACK, SCORES, ALERTS, MODELS, MODEL_STATUS),
            write=(MODELS,),
            more=describe_group,
        ),
        "consumer": _rights(read=(ALERTS, NOTICES, FEEDBACK)),
        "operator": _rights(
            read=(ALERTS, NOTICES, FEEDBACK, AUDIO, DEVICES, POLICIES, SCORES, MODELS, MODEL_STATUS),
            write=(FEEDBACK, POLICIES),
            more=describe_group,
        ),
        "admin": (
            *(Right(operation, "Topic", TOPIC_PREFIX, prefixed=True) for operation in admin_topics),
            Right("Describe", "Cluster", CLUSTER),
            Right("Alter", "Cluster", CLUSTER),
        ),
    }[role]
