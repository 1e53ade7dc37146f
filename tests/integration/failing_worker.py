"""A worker that fails once, at its fifth batch: in the scorer, or after storing and before sending.

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
from schemas.topics import SCORES, Topic
from tocsin.cli.main import main

MARK = "FAILING_WORKER_MARK"
WHERE = "FAILING_WORKER_WHERE"
_BATCH = 5


class WorkerFailingToSend(Worker):
    """Raises instead of sending its fifth batch unless it has done so in an earlier life."""

    sent = 0

    async def _send(self, messages: Sequence[tuple[Topic, Record]]) -> None:
        # What it says of models is no batch, and there may be much of it: announcements of other tests stand there yet.
        is_batch = any(topic == SCORES for topic, _ in messages)
        self.sent += is_batch
        mark = Path(os.environ[MARK])
        if is_batch and self.sent == _BATCH and not mark.exists():
            mark.touch()
            raise RuntimeError("sending fails, as the test wants it")
        await super()._send(messages)


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
        worker.Worker = lambda options: Worker(options, FailingOnce(BatchScorer()))  # type: ignore[assignment,misc,attr-defined]
    else:
        worker.Worker = WorkerFailingToSend  # type: ignore[attr-defined]
    main()
