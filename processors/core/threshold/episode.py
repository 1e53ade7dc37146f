"""Episodes: from the first exceedance to quiet, whether chance may have brought them, and the alert budget."""

from __future__ import annotations

from typing import Literal, NamedTuple

from processors.core.threshold.budget import BLOCK_NS, BLOCKS_PER_DAY

Kind = Literal["peak", "level"]
Judgement = Literal["real", "false-alarm"]

DAY_NS = BLOCKS_PER_DAY * BLOCK_NS
HOUR_NS = 60 * BLOCK_NS

_REMEMBERED = 16


class Episode(NamedTuple):
    """The episode under way.

    Attributes:
        number: 1, 2, ... on this device and detector.
        kind: ``peak`` while only scores exceed, ``level`` once a block's level does.
        opened_ns, last_ns: heard time of the first and of the last exceedance.
        peak, level: largest so far, relative to the location.
        silent: whether no alert was raised, the budget being spent.
        judgement: the operator's, or "".
        shift: how far off the location its latest scores lay, a running mean over a block.
    """

    number: int
    kind: Kind
    opened_ns: int
    last_ns: int
    peak: float
    level: float
    silent: bool
    judgement: Literal["real", "false-alarm", ""] = ""
    shift: float = 0.0

    @property
    def lasting(self) -> bool:
        """Whether it lasted longer than chance does: a quarter of a block for peaks, a block for levels."""
        return self.last_ns - self.opened_ns >= (BLOCK_NS if self.kind == "level" else BLOCK_NS // 4)


class ClosedEpisode(NamedTuple):
    """An episode that is over.

    Attributes:
        number, opened_ns: of the episode.
        peak, level: its largest, relative to the location of its time; None where that did not exceed.
        entered_peak, entered_level: what the reference was given, or None.
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
        numbers: episodes so far.
        open: the one under way.
        past: the latest that are over, the newest last.
        hold_ns: heard time until which nothing is learned.
        cool_ns: heard time until which a peak opens no episode.
        spent_ns: heard time at which the budget would be whole again (generic cell rate algorithm, ITU-T I.371).
        suppressed: alerts kept back by the budget and not yet told.
        told_ns: heard time at which they may be told next.
    """

    numbers: int = 0
    open: Episode | None = None
    past: tuple[ClosedEpisode, ...] = ()
    hold_ns: int = 0
    cool_ns: int = 0
    spent_ns: int = 0
    suppressed: int = 0
    told_ns: int = 0

    def repeated(self, opened_ns: int, most: int) -> bool:
        """Whether more episodes began within a day than chance brings."""
        return sum(past.opened_ns > opened_ns - DAY_NS for past in self.past) >= most

    def begun(self, kind: Kind, now_ns: int, peak: float, level: float, budget: int) -> tuple[EpisodeLog, Episode]:
        """With a new episode; a silent one where ``budget`` alerts were raised within a day."""
        interval = DAY_NS // budget
        spent = max(self.spent_ns, now_ns)
        silent = spent - now_ns > (budget - 1) * interval
        episode = Episode(self.numbers + 1, kind, now_ns, now_ns, peak, level, silent)
        book = self._replace(
            numbers=episode.number,
            open=episode,
            spent_ns=self.spent_ns if silent else spent + interval,
            suppressed=self.suppressed + silent,
        )
        return book, episode

    def closed(self, past: ClosedEpisode, hold_ns: int, cool_ns: int) -> EpisodeLog:
        """With the open episode over."""
        return self._replace(open=None, past=(*self.past, past)[-_REMEMBERED:], hold_ns=hold_ns, cool_ns=cool_ns)
