"""The block rule's state of a device and detector, and its decision on one score."""

from __future__ import annotations

from bisect import bisect_left
from typing import Literal, NamedTuple

from pydantic import TypeAdapter

from processors.core.threshold.episode import EpisodeKind, EpisodeLog
from processors.core.threshold.limits import UNREACHABLE, Limits
from processors.core.threshold.reference import Reference
from processors.core.threshold.warm_up import WarmUp
from schemas.score import ThresholdState

AlertStep = Literal["none", "opens", "open", "closes"]
Suppression = Literal["", "budget", "cooldown"]


class BlockAccumulator(NamedTuple):
    """The current block.

    Attributes:
        observed_ns: audio observed in all, ns.
        block_ns: audio in this block, ns.
        clipped_sum: sum of (score - location, clipped at the ceiling) * ns.
        level: largest ``clipped_sum`` so far, over a block's length.
        square_sum: as ``clipped_sum``, of the squares.
        peak: largest confirmed score, relative to the location.
        excluded: whether it overlaps an episode or its guard time: it does not enter the reference.
        recent_scores: the latest scores, for confirmation.
        carried: with a model of the device's own, the cumulative sum of scores over this and earlier blocks.
    """

    observed_ns: int = 0
    block_ns: int = 0
    clipped_sum: float = 0.0
    level: float = -UNREACHABLE
    square_sum: float = 0.0
    peak: float = -UNREACHABLE
    excluded: bool = False
    recent_scores: tuple[float, ...] = ()
    carried: float = 0.0


class Location(NamedTuple):
    """The location before an operator's "this is normal".

    Attributes:
        location, baseline, last_day_location: as in the reference.
    """

    location: float
    baseline: float
    last_day_location: float


class InactiveRegime(NamedTuple):
    """The thresholds of a regime that the device is not in.

    Attributes:
        regime: its name.
        warm_up, reference, previous_location: as in :class:`BlockState`.
    """

    regime: str
    warm_up: WarmUp | None
    reference: Reference | None
    previous_location: Location | None


class BlockState(NamedTuple):
    """The whole state of the rule; an immutable value, stored as JSON.

    Attributes:
        version: of this form.
        block: the current block.
        limits: of the next score; they follow from the other fields.
        warm_up: during the first hour, None afterwards.
        reference: the normal sound, None during the first hour.
        episodes: current and closed ones.
        regime: the current operating regime.
        inactive_regimes: the other regimes.
        previous_location: before the operator's last "this is normal".
    """

    version: Literal[1] = 1
    block: BlockAccumulator = BlockAccumulator()
    limits: Limits = Limits()
    warm_up: WarmUp | None = WarmUp()
    reference: Reference | None = None
    episodes: EpisodeLog = EpisodeLog()
    regime: str = ""
    inactive_regimes: tuple[InactiveRegime, ...] = ()
    previous_location: Location | None = None

    def compacted(self) -> BlockState:
        """The same in less space, for a model that does not score at present; see :meth:`Reference.compacted`."""
        inactive = tuple(
            one._replace(reference=one.reference and one.reference.compacted()) for one in self.inactive_regimes
        )
        return self._replace(reference=self.reference and self.reference.compacted(), inactive_regimes=inactive)


class Decision(NamedTuple):
    """The decision on one score, and its reasons.

    Attributes:
        score: the window's.
        confirmed: the m-th largest of the last n scores, which is compared.
        level: of the block so far.
        limits: what both were compared with.
        block: number of the block since the device was first observed.
        alert: what happens to the alert.
        kind: what exceeds: ``peak`` or ``level``; "" outside of episodes.
        episode: number of the current episode; 0 outside of episodes. Feedback refers to it.
        lasting: whether the episode lasts longer than chance explains.
        suppressed: why an alert was suppressed; "" where none was.
        suppressed_to_report: suppressed alerts to be reported now, those of an hour or more; mostly 0.
        drift_to_report: whether a drift notice is due now.
    """

    score: float
    confirmed: float
    level: float
    limits: Limits
    block: int
    alert: AlertStep = "none"
    kind: EpisodeKind | Literal[""] = ""
    episode: int = 0
    lasting: bool = False
    suppressed: Suppression = ""
    suppressed_to_report: int = 0
    drift_to_report: bool = False

    @property
    def threshold(self) -> float | None:
        """The score's threshold, in the score's unit; None during the first scores."""
        return None if self.limits.peak >= UNREACHABLE else self.limits.location + self.limits.peak

    @property
    def margin(self) -> float:
        """Distance of the threshold from the location, > 0; 0 without a threshold."""
        return 0.0 if self.limits.peak >= UNREACHABLE else self.limits.peak

    @property
    def exceeds(self) -> bool:
        """Whether the score is above the threshold, or the block's level above its own."""
        return self.confirmed - self.limits.location > self.limits.peak or self.level > self.limits.level

    @property
    def state(self) -> ThresholdState:
        """``calibrating`` until a week of the device's own audio is observed, then ``ready``."""
        return "ready" if self.limits.calibration_progress >= 1.0 else "calibrating"

    @property
    def p_value(self) -> float:
        """(1 + reference peaks >= this one) / (n + 1); a lower bound where all stored peaks are larger."""
        peaks = self.limits.reference_peaks
        at_least = len(peaks) - bisect_left(peaks, self.confirmed - self.limits.location)
        return (1 + at_least) / (self.limits.reference_blocks + 1)


_STATE: TypeAdapter[BlockState] = TypeAdapter(BlockState)


def dump(state: BlockState) -> str:
    """A state as JSON: arrays in the order of the fields."""
    return _STATE.dump_json(state).decode()


def load(text: str | bytes) -> BlockState:
    """A state from :func:`dump`.

    Raises:
        pydantic.ValidationError: it is not a state of this version.
    """
    return _STATE.validate_json(text)
