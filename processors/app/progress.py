"""Progress: whether a worker that has work gets on with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Progress:
    """Counts what is handled, and notices when nothing is although there is something to do.

    Consumers that fall silent without an error are a recurring report; only the end of the process cures them.

    Attributes:
        stall_s: how long work may wait without any being done, seconds.
        handled: batches so far; the caller counts up.
    """

    stall_s: float
    handled: int = 0
    _seen: int = -1
    _since: float = 0.0

    def stalled(self, *, behind: bool, now: float) -> bool:
        """Whether work has waited for longer than ``stall_s`` and nothing was handled meanwhile.

        Args:
            behind: whether there is work now.
            now: seconds, monotonic.
        """
        if not behind or self.handled != self._seen:
            self._seen, self._since = self.handled, now
        return now - self._since > self.stall_s
