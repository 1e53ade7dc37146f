"""Episodes of exceedances: how long they last, whether chance may have caused them, and the alert limit."""

from __future__ import annotations

from typing import Literal, NamedTuple

from processors.core.threshold.budget import BLOCK_NS, BLOCKS_PER_DAY

EpisodeKind = Literal["peak", "level"]
Judgement = Literal["real", "false-alarm"]

DAY_NS = BLOCKS_PER_DAY * BLOCK_NS
HOUR_NS = 60 * BLOCK_NS

_MAX_CLOSED = 16


class Episode(NamedTuple):
    """The current episode.

    Attributes:
        number: 1, 2, ... on this device and detector.
        kind: ``peak`` while only scores exceed, ``level`` once a block's level does.
        opened_ns, last_exceedance_ns: observed time of the first and of the latest exceedance.
        peak, level: largest so far, relative to the location.
        over_limit: whether its alert is suppressed because the day's alerts are used up.
        judgement: the operator's, or "".
        location_shift: distance of its latest scores from the location, a running mean over a block.
    """

    number: int
    kind: EpisodeKind
    opened_ns: int
    last_exceedance_ns: int
    peak: float
    level: float
    over_limit: bool
    judgement: Literal["real", "false-alarm", ""] = ""
    location_shift: float = 0.0

    @property
    def lasting(self) -> bool:
        """Whether it lasts longer than chance explains: a quarter of a block for peaks, a block for levels."""
        return self.last_exceedance_ns - self.opened_ns >= (BLOCK_NS if self.kind == "level" else BLOCK_NS // 4)


class ClosedEpisode(NamedTuple):
    """An episode that is over.

    Attributes:
        number, opened_ns: of the episode.
        peak, level: its largest, relative to the location at its time; None where that did not exceed.
        entered_peak, entered_level: the values added to the reference, or None.
    """

    number: int
    opened_ns: int
    peak: float | None
    level: float | None
    entered_peak: float | None = None
    entered_level: float | None = None


class EpisodeLog(NamedTuple):
    """Episodes and alerts of one device and detector.

    Attributes:
        last_number: number of the latest episode; 0 before the first.
        current: the open episode, or None.
        closed: the latest closed episodes, the newest last.
        guard_until_ns: observed time until which nothing enters the reference.
        cooldown_until_ns: observed time until which a peak opens no episode.
        theoretical_arrival_ns: of the alert limit (generic cell rate algorithm, ITU-T I.371), in observed time.
        suppressed: alerts suppressed by the limit and not yet reported.
        next_report_ns: observed time from which they may be reported.
    """

    last_number: int = 0
    current: Episode | None = None
    closed: tuple[ClosedEpisode, ...] = ()
    guard_until_ns: int = 0
    cooldown_until_ns: int = 0
    theoretical_arrival_ns: int = 0
    suppressed: int = 0
    next_report_ns: int = 0

    def is_repeated(self, opened_ns: int, max_daily: int) -> bool:
        """Whether ``max_daily`` or more episodes opened in the day before ``opened_ns``."""
        return sum(closed.opened_ns > opened_ns - DAY_NS for closed in self.closed) >= max_daily

    def open_episode(
        self, kind: EpisodeKind, now_ns: int, peak: float, level: float, max_daily_alerts: int
    ) -> tuple[EpisodeLog, Episode]:
        """The log with a new episode; one over the limit where ``max_daily_alerts`` were raised within a day."""
        interval = DAY_NS // max_daily_alerts
        arrival = max(self.theoretical_arrival_ns, now_ns)
        over_limit = arrival - now_ns > (max_daily_alerts - 1) * interval
        episode = Episode(self.last_number + 1, kind, now_ns, now_ns, peak, level, over_limit)
        log = self._replace(
            last_number=episode.number,
            current=episode,
            theoretical_arrival_ns=self.theoretical_arrival_ns if over_limit else arrival + interval,
            suppressed=self.suppressed + over_limit,
        )
        return log, episode

    def close_episode(self, closed: ClosedEpisode, guard_until_ns: int, cooldown_until_ns: int) -> EpisodeLog:
        """The log with the current episode closed."""
        return self._replace(
            current=None,
            closed=(*self.closed, closed)[-_MAX_CLOSED:],
            guard_until_ns=guard_until_ns,
            cooldown_until_ns=cooldown_until_ns,
        )
