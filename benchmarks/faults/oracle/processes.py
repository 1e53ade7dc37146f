"""Processes: no worker ends by itself, and none takes more memory than stated."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.faults.oracle.evidence import Finding, Sample, Told

MAX_RSS_MIB = 600.0


def judge_processes(samples: Sequence[Sample], told: Told) -> list[Finding]:
    """Memory by the samples; ends as those who watched the workers say."""
    worst: dict[str, float] = {}
    for sample in samples:
        for worker, rss in sample.rss_mib.items():
            worst[worker] = max(rss, worst.get(worker, 0.0))
    over = tuple(f"{worker} held {rss:.0f} MiB" for worker, rss in worst.items() if rss > MAX_RSS_MIB)
    figure = f"{max(worst.values(), default=0.0):.0f} MiB at most"
    return [
        Finding("no worker ends by itself", len(worst), told.ended),
        Finding(f"a worker holds at most {MAX_RSS_MIB:g} MiB", len(worst), over, figure),
    ]
