"""A worker whose scorer raises once, at its tenth batch; the file named in the environment says that it did."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from processors import worker
from processors.app import Worker
from processors.core.decision import ScoredWindow
from processors.core.segment import Segment
from processors.pipeline import Ears
from schemas.chunk import Chunk
from tocsin.__main__ import main

MARK = "FAILING_WORKER_MARK"


class FailingOnce:
    """Raises at the tenth batch unless it has done so in an earlier life."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        self._mark = Path(os.environ[MARK])
        self._batches = 0

    def hear(self, arrivals: Sequence[tuple[Segment, Chunk, int]], partitions: Mapping[str, int]) -> list[ScoredWindow]:
        self._batches += 1
        scored = self._ears.hear(arrivals, partitions)
        if self._batches == 10 and not self._mark.exists():
            self._mark.touch()
            raise RuntimeError("the scorer fails, as the test wants it")
        return scored


if __name__ == "__main__":
    worker.Worker = lambda options: Worker(options, FailingOnce)  # type: ignore[assignment,misc]
    main()
