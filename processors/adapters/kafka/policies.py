"""The policies topic, followed by every worker for itself."""

from __future__ import annotations

from connections.kafka import KafkaConnection
from processors.adapters.kafka.compacted_topic import CompactedTopicFollower
from schemas.policy import Policy, applicable
from schemas.topics import POLICIES


class Policies(CompactedTopicFollower[Policy]):
    """The false-alarm budgets of all devices.

    Args:
        bootstrap: the connection to Kafka.
    """

    def __init__(self, bootstrap: KafkaConnection) -> None:
        super().__init__(bootstrap, POLICIES, Policy)

    def policy(self, device_id: str, kind: str, detector: str) -> Policy | None:
        """The narrowest policy for a device's detector; None where the default applies."""
        return applicable(self.events, device_id, kind, detector)
