"""The log of scores: the port, and an implementation in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, Protocol

from schemas.alert import Alert
from schemas.score import Score


class LoggedScores(NamedTuple):
    """A part of the log.

    Attributes:
        scores: in order.
        end: the offset after them.
    """

    scores: Sequence[Score]
    end: int


class ScoreLog(Protocol):
    """The scores that were sent, by partition of the audio topic."""

    def read(self, partition: int, since: int | None) -> AsyncIterator[LoggedScores]:
        """The scores of a partition's devices from an offset to the present end, in parts; at least one part.

        Args:
            partition: of the audio topic.
            since: None: as far back as thresholds need.

        Raises:
            aiokafka.errors.KafkaError: Kafka does not answer.
        """
        ...

    async def open_alerts(self, partition: int) -> Sequence[Alert]:
        """The last revisions of the alerts that are open on a partition's devices.

        Raises:
            aiokafka.errors.KafkaError: Kafka does not answer.
        """
        ...


class MemoryScoreLog:
    """A log in memory, for tests."""

    def __init__(self) -> None:
        self.scores: dict[int, list[Score]] = {}
        self.alerts: dict[str, Alert] = {}
        self.reads: list[tuple[int, int | None]] = []

    def append(self, partition: int, score: Score) -> int:
        """Appends a score; returns the offset after it."""
        log = self.scores.setdefault(partition, [])
        log.append(Score.from_record(score.to_record()))
        if score.alert is not None:
            self.alerts[score.alert.dedup_key] = score.alert
        return len(log)

    async def read(self, partition: int, since: int | None) -> AsyncIterator[LoggedScores]:
        """See :class:`ScoreLog`."""
        self.reads.append((partition, since))
        log = self.scores.get(partition, [])
        yield LoggedScores(log[since or 0 :], len(log))

    async def open_alerts(self, partition: int) -> Sequence[Alert]:  # noqa: ARG002
        """See :class:`ScoreLog`."""
        return [alert for alert in self.alerts.values() if alert.state != "closed"]
