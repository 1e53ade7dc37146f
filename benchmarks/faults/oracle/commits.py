"""Commits: never past a window that is not scored yet, and never far behind the head."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from benchmarks.faults.oracle.evidence import Commit, Finding, Message, Sample
from benchmarks.faults.oracle.windows import Expected

MAX_LAG_S = 30.0
"""Seconds in which the broker answered and a ready worker ran."""


def judge_commits(
    audio: Sequence[Message],
    commits: Sequence[Commit],
    samples: Sequence[Sample],
    expected: Sequence[Expected],
    exceptional: frozenset[str],
) -> list[Finding]:
    """Holds every commit against the broker's time of the scores, and every sample's lag against the bound."""
    return [_none_too_far(commits, expected, exceptional), _none_behind(audio, samples)]


def _none_too_far(commits: Sequence[Commit], expected: Sequence[Expected], exceptional: frozenset[str]) -> Finding:
    by_partition: dict[int, list[tuple[int, float, Expected]]] = defaultdict(list)
    for one in expected:
        if one.stretch.device in exceptional:
            continue
        chunk = one.stretch.holding(one.window.needs_last)
        scored = float("inf") if one.scored_ms is None else one.scored_ms
        by_partition[chunk.partition].append((chunk.offset, scored, one))
    for windows in by_partition.values():
        windows.sort(key=lambda window: window[0])
    broken: list[str] = []
    for commit in commits:
        windows = by_partition[commit.partition]
        # Whole windows alone: their last chunk is committed. What an unfinished one needs may be kept elsewhere.
        for offset, scored, one in windows[: bisect_left(windows, commit.offset, key=lambda window: window[0])]:
            if scored > commit.at_ms and len(broken) < 100:
                broken.append(
                    f"partition {commit.partition}: {commit.offset} committed at {commit.at_ms}; {one.text()} ends in"
                    f" {offset} and was scored at {scored:.0f}"
                )
    return Finding("no commit is past a window that is not scored", len(commits), tuple(broken))


def _none_behind(audio: Sequence[Message], samples: Sequence[Sample]) -> Finding:
    """The age of the oldest record that is not committed, on a clock that stands still while nobody can work."""
    at: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for message in audio:
        at[message.partition].append((message.offset, message.at_ms))
    for places in at.values():
        places.sort()
    times, able_ms = [sample.at_ms for sample in samples], [0]
    for before, sample in pairwise(samples):
        able_ms.append(able_ms[-1] + (sample.at_ms - before.at_ms if before.able and sample.able else 0))
    judged, worst, broken = 0, 0.0, []
    # A broker that has just come back may not have read its commits yet, and says that there are none.
    newest: dict[int, int] = defaultdict(int)
    for number, sample in enumerate(samples):
        for partition, offset in sample.committed.items():
            newest[partition] = max(newest[partition], offset)
        if not sample.able:
            continue
        judged += 1
        for partition, end in sample.ends.items():
            committed = newest[partition]
            places = at[partition]
            oldest = bisect_left(places, (committed, 0))
            if committed >= end or oldest >= len(places):
                continue
            since = bisect_left(times, places[oldest][1])
            lag = (able_ms[number] - able_ms[min(since, number)]) / 1_000
            worst = max(worst, lag)
            if lag > MAX_LAG_S:
                broken.append(f"partition {partition} at {sample.at_ms}: {lag:.1f} s behind, {end - committed} records")
    figure = f"{worst:.1f} s at most"
    return Finding(f"commits are within {MAX_LAG_S:g} s of the head", judged, tuple(broken), figure)
