"""The block rule's memory of a device and detector, and what it says of one score."""

from __future__ import annotations

from bisect import bisect_left
from typing import Literal, NamedTuple

from pydantic import TypeAdapter

from processors.core.threshold.episode import EpisodeLog, Kind
from processors.core.threshold.limits import FAR, Limits
from processors.core.threshold.reference import Reference
from processors.core.threshold.warm_up import WarmUp
from schemas.score import ThresholdState

Step = Literal["none", "opens", "open", "closes"]
Suppression = Literal["", "budget", "cooldown"]


class BlockAccumulator(NamedTuple):
    """The block under way.

    Attributes:
        heard_ns: sound heard in all, ns.
        filled_ns: sound in this block, ns.
        total: sum of (score - location, cut at the ceiling) * ns.
        level: largest ``total`` so far, over a block's length.
        square: as ``total``, of the squares.
        peak: largest confirmed score, relative to the location.
        tainted: whether an episode or its guard time lies in it: it is not learned.
        recent: the latest scores, for confirmation.
    """

    heard_ns: int = 0
    filled_ns: int = 0
    total: float = 0.0
    level: float = -FAR
    square: float = 0.0
    peak: float = -FAR
    tainted: bool = False
    recent: tuple[float, ...] = ()


class Location(NamedTuple):
    """Where scores lay before an operator's "this is normal".

    Attributes:
        location, baseline, last_day: as in the reference.
    """

    location: float
    baseline: float
    last_day: float


class InactiveRegime(NamedTuple):
    """A regime that is not heard now.

    Attributes:
        regime: its name.
        early, reference: as in :class:`BlockState`.
        previous: as there.
    """

    regime: str
    early: WarmUp | None
    reference: Reference | None
    previous: Location | None


class BlockState(NamedTuple):
    """All the rule remembers; a value, stored as JSON.

    Attributes:
        version: of this form.
        run: the block under way.
        limits: what the next score is compared with; follows from the rest.
        early: the first hour's memory, None afterwards.
        reference: the normal sound, None in the first hour.
        book: episodes.
        regime: the regime heard now.
        shelf: the others.
        previous: the place before the operator's last "this is normal".
    """

    version: Literal[1] = 1
    run: BlockAccumulator = BlockAccumulator()
    limits: Limits = Limits()
    early: WarmUp | None = WarmUp()
    reference: Reference | None = None
    book: EpisodeLog = EpisodeLog()
    regime: str = ""
    shelf: tuple[InactiveRegime, ...] = ()
    previous: Location | None = None

    def packed(self) -> BlockState:
        """The same in less space, for a model that does not score now; see :meth:`Reference.packed`."""
        shelf = tuple(one._replace(reference=one.reference and one.reference.packed()) for one in self.shelf)
        return self._replace(reference=self.reference and self.reference.packed(), shelf=shelf)


class Decision(NamedTuple):
    """ScoreExplanation a score did, or did not, raise an alert.

    Attributes:
        score: the window's.
        confirmed: the m-th largest of the last n scores, which is compared.
        level: of the block so far.
        limits: what both were compared with.
        block: number of the block since the device was first heard.
        alert: what happens to the alert.
        kind: what exceeds: ``peak`` or ``level``; "" in quiet.
        episode: number of the episode under way; 0 in quiet. Verdicts name it.
        lasting: whether the episode lasts longer than chance does.
        suppressed: what kept an alert back.
        told: alerts kept back by the budget in the last hour or longer, to be told now; mostly 0.
        drift: whether a drift notice is due now.
    """

    score: float
    confirmed: float
    level: float
    limits: Limits
    block: int
    alert: Step = "none"
    kind: Kind | Literal[""] = ""
    episode: int = 0
    lasting: bool = False
    suppressed: Suppression = ""
    told: int = 0
    drift: bool = False

    @property
    def threshold(self) -> float | None:
        """What a score is compared with, in its own unit; None while there is none."""
        return None if self.limits.peak >= FAR else self.limits.location + self.limits.peak

    @property
    def margin(self) -> float:
        """How far the threshold lies above the usual score, > 0; 0 while there is none."""
        return 0.0 if self.limits.peak >= FAR else self.limits.peak

    @property
    def exceeds(self) -> bool:
        """Whether the score is above the threshold, or the block's level above its own."""
        return self.confirmed - self.limits.location > self.limits.peak or self.level > self.limits.level

    @property
    def state(self) -> ThresholdState:
        """``calibrating`` until a week of own sound decides."""
        return "ready" if self.limits.progress >= 1.0 else "calibrating"

    @property
    def p_value(self) -> float:
        """(1 + number of reference peaks >= this one) / (n + 1); a lower bound where all peaks kept are larger."""
        limits = self.limits
        at_least = len(limits.peaks) - bisect_left(limits.peaks, self.confirmed - limits.location)
        return (1 + at_least) / (limits.n + 1)


_STATE: TypeAdapter[BlockState] = TypeAdapter(BlockState)


def dump(state: BlockState) -> str:
    """A state as JSON: arrays in the order of the fields."""
    return _STATE.dump_json(state).decode()


def load(text: str | bytes) -> BlockState:
    """A state from :func:`dump`.

    Raises:
        pydantic.ValidationError: it is no state of this version.
    """
    return _STATE.validate_json(text)
