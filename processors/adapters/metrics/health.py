"""Health: why a process is not ready, and whether it is alive."""

from __future__ import annotations

import time
from collections.abc import Callable

STALE_S = 30.0
"""A check that was not repeated for so long counts as failed."""


class Health:
    """The latest result of each check; written by the process's loop, read by the metrics server's threads.

    Args:
        checks: names of the checks that must pass; one that never ran has not passed.
        live_s: longest time between heartbeats while the process is alive, seconds; None where there are none.
        clock: seconds, monotonic.
    """

    def __init__(
        self, checks: tuple[str, ...] = (), live_s: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._live_s = live_s
        self._beat: float | None = None
        self._results: dict[str, tuple[str, float | None]] = dict.fromkeys(checks, ("not checked yet", None))

    def set(self, check: str, reason: str = "", *, lasting: bool = False) -> None:
        """Notes a check's result.

        Args:
            check: its name.
            reason: why it failed; "" where it passed.
            lasting: holds until it is set again, however long that takes.
        """
        self._results[check] = (reason, None if lasting else self._clock())

    def beat(self) -> None:
        """The process's loop runs."""
        self._beat = self._clock()

    def not_ready(self) -> list[str]:
        """Reasons why the process is not ready; empty when it is."""
        now, found = self._clock(), []
        for check, (reason, at) in list(self._results.items()):
            if reason:
                found.append(f"{check}: {reason}")
            elif at is not None and now - at > STALE_S:
                found.append(f"{check}: not checked for {now - at:.0f} s")
        return found

    def not_live(self) -> list[str]:
        """Reasons why the process should be ended; empty while it is alive."""
        if self._live_s is None or self._beat is None:
            return []
        silent = self._clock() - self._beat
        return [] if silent <= self._live_s else [f"its loop has not run for {silent:.0f} s"]
