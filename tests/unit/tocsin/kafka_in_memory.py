"""Topics in memory, behind the function that every command opens its consumers with."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from schemas.record import Record
from schemas.topics import Topic


@dataclass
class Message:
    """As the Kafka client gives one."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    offset: int
    partition: int = 0
    timestamp: int = 0


class _Consumer:
    def __init__(self, messages: Sequence[Message], topics: Iterable[str]) -> None:
        self._messages = messages
        self._at = {TopicPartition(name, 0): 0 for name in topics}

    def assignment(self) -> list[TopicPartition]:
        return list(self._at)

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        counts = Counter(message.topic for message in self._messages)
        return {tp: counts[tp.topic] for tp in partitions}

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def offsets_for_times(self, times: dict[TopicPartition, int]) -> dict[TopicPartition, Any]:
        return {tp: SimpleNamespace(offset=0) for tp in times}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._at[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        return self._at[tp]

    async def getmany(self, **_: int) -> dict[TopicPartition, list[Message]]:
        found = {}
        for tp, at in self._at.items():
            mine = [message for message in self._messages if message.topic == tp.topic]
            found[tp], self._at[tp] = mine[at:], len(mine)
        return found


class TopicsInMemory:
    """What all commands of this process read in place of Kafka.

    Args:
        patch: replaces the consumers, in every module that opens one.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._messages: list[Message] = []
        for name, module in list(sys.modules.items()):
            if name.startswith("tocsin.") and hasattr(module, "consumer_of"):
                patch.setattr(module, "consumer_of", self._consumer_of)

    def clear(self) -> None:
        """Empties all topics."""
        self._messages.clear()

    def add(self, topic: Topic, record: Record) -> None:
        """Appends a record to a topic."""
        offset = sum(message.topic == topic.name for message in self._messages)
        self._messages.append(Message(topic.name, record.key, record.value, list(record.headers), offset))

    @asynccontextmanager
    async def _consumer_of(self, _bootstrap: str, topics: Sequence[Topic]) -> AsyncIterator[_Consumer]:
        yield _Consumer(self._messages, [topic.name for topic in topics])
