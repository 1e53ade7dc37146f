"""The policies topic, followed by every worker for itself."""

from __future__ import annotations

from typing import Any

from processors.adapters.kafka.topic_follower import TopicFollower
from schemas.policy import Policy, keys_for
from schemas.record import Record
from schemas.topics import POLICIES


class Policies:
    """PolicySource by scope.

    Args:
        bootstrap: Kafka's address.
    """

    def __init__(self, bootstrap: str) -> None:
        self._policies: dict[str, Policy] = {}
        self._follower = TopicFollower(bootstrap, POLICIES, self._take)

    async def start(self) -> None:
        """Reads the topic to its end, then follows it."""
        await self._follower.start()

    async def stop(self) -> None:
        """Stops following."""
        await self._follower.stop()

    def policy(self, device_id: str, kind: str, detector: str) -> Policy | None:
        """The narrowest policy for a device's detector, None where the fleet's default holds."""
        if not self._policies:
            return None
        return next((self._policies[key] for key in keys_for(device_id, kind, detector) if key in self._policies), None)

    def _take(self, message: Any) -> None:
        if message.value is None:
            self._policies.pop((message.key or b"").decode(errors="replace"), None)
            return
        policy = Policy.from_record(Record(message.key, message.value, tuple(message.headers)))
        self._policies[policy.key()] = policy
