"""A worker that fails once, at its fifth batch: in the scorer, after storing and before sending, or between scores and
alerts.

The environment says where, and names a file that says that it did.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from processors.app import worker
from processors.app.faust_app import Worker
from processors.core.alerting.decision import ScoredWindow
from processors.core.windowing.segment import Segment
from processors.stream.batch_scorer import BatchScorer
from processors.stream.ports import WindowScorer
from schemas.chunk import Chunk
from schemas.record import Record
from schemas.topics import ALERTS, Topic
from tocsin.cli.main import main

MARK = "FAILING_WORKER_MARK"
WHERE = "FAILING_WORKER_WHERE"
_BATCH = 5


class WorkerFailingToSend(Worker):
    """Raises instead of sending the scores of its fifth batch, or its first alerts, unless it did in an earlier
    life."""

    sent = 0

    async def _send_scores(self, scores: Sequence[tuple[int, Record]]) -> Mapping[int, int]:
        self.sent += 1
        if os.environ[WHERE] == "sending":
            _fail_once(self.sent == _BATCH)
        return await super()._send_scores(scores)

    async def _send(self, messages: Sequence[tuple[Topic, Record]]) -> None:
        if os.environ[WHERE] == "alerts":
            _fail_once(any(topic == ALERTS for topic, _ in messages))
        await super()._send(messages)


def _fail_once(condition: bool) -> None:
    mark = Path(os.environ[MARK])
    if condition and not mark.exists():
        mark.touch()
        raise RuntimeError("sending fails, as the test wants it")


class FailingOnce:
    """Raises at the fifth batch unless it has done so in an earlier life."""

    def __init__(self, scorer: WindowScorer) -> None:
        self._scorer = scorer
        self._mark = Path(os.environ[MARK])
        self._batches = 0

    def score(
        self, arrivals: Sequence[tuple[Segment, Chunk, int]], partition_by_device: Mapping[str, int]
    ) -> list[ScoredWindow]:
        self._batches += 1
        scored = self._scorer.score(arrivals, partition_by_device)
        if self._batches == _BATCH and not self._mark.exists():
            self._mark.touch()
            raise RuntimeError("the scorer fails, as the test wants it")
        return scored


if __name__ == "__main__":
    if os.environ[WHERE] == "scorer":
        worker.Worker = lambda options, **others: Worker(options, FailingOnce(BatchScorer()), **others)  # type: ignore[assignment,attr-defined]
    else:
        worker.Worker = WorkerFailingToSend  # type: ignore[attr-defined]
    main()
