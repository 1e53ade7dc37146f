"""Coverage: which samples of a segment its windows hold, settled once no later window can hold them."""

from __future__ import annotations

from typing import NamedTuple


class Settled(NamedTuple):
    """Samples whose outcome is final.

    Attributes:
        scored: in at least one window.
        unscored: in none.
    """

    scored: int
    unscored: int


class Coverage:
    """The samples of a segment from ``start`` on.

    Args:
        start: the segment's first sample, as a session index.
    """

    def __init__(self, start: int) -> None:
        self._settled_to = start
        self._spans: list[tuple[int, int]] = []

    def cover(self, first: int, end: int) -> None:
        """Notes a window, ``end`` excluded. Spans stay few: those that touch are joined."""
        first = max(first, self._settled_to)
        if end <= first:
            return
        spans = []
        for other_first, other_end in self._spans:
            if other_end < first or other_first > end:
                spans.append((other_first, other_end))
            else:
                first, end = min(first, other_first), max(end, other_end)
        spans.append((first, end))
        spans.sort()
        self._spans = spans

    def settle(self, until: int) -> Settled:
        """The samples before ``until`` that were not settled before; no later window holds any of them."""
        if until <= self._settled_to:
            return Settled(0, 0)
        scored = sum(max(0, min(end, until) - first) for first, end in self._spans)
        unscored = until - self._settled_to - scored
        self._settled_to = until
        self._spans = [(max(first, until), end) for first, end in self._spans if end > until]
        return Settled(scored, unscored)
