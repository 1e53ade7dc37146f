"""Compacted topics: the newest event under each key, read once or followed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from connections.kafka import KafkaConnection
from processors.adapters.kafka.messages import key_of, record_of
from processors.adapters.kafka.topic_follower import TopicFollower
from schemas.event import Event
from schemas.topics import Topic

E = TypeVar("E", bound=Event)


class NewestByKey(Generic[E]):
    """The newest event under each key; a message without a value, a tombstone, removes its key.

    Args:
        event: the class of the topic's events.
    """

    def __init__(self, event: type[E]) -> None:
        self._event = event
        self._newest: dict[str, E] = {}

    @property
    def events(self) -> Mapping[str, E]:
        """By key; follows what is applied."""
        return MappingProxyType(self._newest)

    def apply(self, message: Any) -> None:
        """Takes the next message.

        Raises:
            ContractError: it breaks the contract; nothing has changed.
        """
        if message.value is None:
            self._newest.pop(key_of(message), None)
            return
        event = self._event.from_record(record_of(message))
        self._newest[event.key()] = event


class CompactedTopicFollower(TopicFollower, Generic[E]):
    """A compacted topic of one partition, followed; see :class:`NewestByKey`.

    Args:
        bootstrap: the connection to Kafka.
        topic: compacted, of one partition.
        event: the class of its events.
    """

    def __init__(self, bootstrap: KafkaConnection, topic: Topic, event: type[E]) -> None:
        newest = NewestByKey(event)
        super().__init__(bootstrap, topic, newest.apply)
        self.events = newest.events

    def get(self, key: str) -> E | None:
        """The newest event under a key, as far as the topic has been read."""
        return self.events.get(key)
