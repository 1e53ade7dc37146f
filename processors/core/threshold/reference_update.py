"""What an episode leaves in the reference: chance enters, clipped; faults never; an operator's verdict counts more."""

from __future__ import annotations

from processors.core.threshold.budget import Plan
from processors.core.threshold.episode import ClosedEpisode, EpisodeLog
from processors.core.threshold.limits import LEVEL_INDEX, PEAK_INDEX, clip
from processors.core.threshold.reference import MERGED, BlockMaxima, Reference, insert, remove, rounded


def enter(
    reference: Reference, plan: Plan, peak: float | None, level: float | None, *, clipped: bool
) -> tuple[Reference, float | None, float | None]:
    """The reference with an episode's values, and what was entered of them.

    Leaving out what chance brings cuts the reference off at its own maximum again and again, until the promise fails;
    one outlier as it is would make the device deaf until its day is forgotten.

    Args:
        reference: before.
        plan: the arithmetic.
        peak, level: relative to the location; None where that did not exceed.
        clipped: whether they enter at most where :func:`processors.core.threshold.limits.clip` says, and while learning
            with the
            hour under way: a fault that begins in it takes them along. An operator's "false alarm" enters as it is.
    """
    heard = reference.promoted()
    if peak is not None:
        peak = rounded(min(peak, clip(heard.peaks, heard.n, PEAK_INDEX)) if clipped else peak)
    if level is not None:
        level = rounded(min(level, clip(heard.levels, heard.n, LEVEL_INDEX)) if clipped else level)
    if clipped and not reference.ready:
        return reference._replace(hour=_with(reference.hour, peak, MERGED, level, MERGED)), peak, level
    if not reference.days:
        return reference._replace(today=_with(reference.today, peak, MERGED, level, MERGED)), peak, level
    peaks, levels = (plan.tops, plan.tops // 2) if reference.ready else (MERGED, MERGED)
    newest = _with(reference.days[-1], peak, peaks, level, levels)
    return reference._replace(days=(*reference.days[:-1], newest)), peak, level


def _with(day: BlockMaxima, peak: float | None, peaks: int, level: float | None, levels: int) -> BlockMaxima:
    """With more values, at most so many of each."""
    return day._replace(
        peaks=day.peaks if peak is None else insert(day.peaks, peak, peaks),
        levels=day.levels if level is None else insert(day.levels, level, levels),
    )


def withdraw(reference: Reference, past: ClosedEpisode) -> Reference:
    """The reference without what an episode entered."""

    def without(day: BlockMaxima) -> BlockMaxima:
        return day._replace(
            peaks=day.peaks if past.entered_peak is None else remove(day.peaks, past.entered_peak),
            levels=day.levels if past.entered_level is None else remove(day.levels, past.entered_level),
        )

    return reference._replace(
        days=tuple(without(day) for day in reference.days),
        waiting=None if reference.waiting is None else without(reference.waiting),
        today=without(reference.today),
        hour=without(reference.hour),
    )


def standing(reference: Reference, book: EpisodeLog) -> EpisodeLog:
    """Episodes with what they entered and still stands in the reference.

    What was dropped with its hour cannot be withdrawn by a verdict: another's equal value would be.
    """
    parts = (*reference.days, *filter(None, (reference.waiting,)), reference.today, reference.hour)

    def of(past: ClosedEpisode) -> ClosedEpisode:
        peak = past.entered_peak if any(past.entered_peak in part.peaks for part in parts) else None
        level = past.entered_level if any(past.entered_level in part.levels for part in parts) else None
        return past._replace(entered_peak=peak, entered_level=level)

    return book._replace(past=tuple(map(of, book.past)))


def forget_recent(reference: Reference) -> Reference:
    """The reference as a fault begins: the hour under way is dropped, and once ready whatever is in quarantine."""
    if not reference.ready:
        return reference._replace(hour=BlockMaxima())
    return reference._replace(hour=BlockMaxima(), today=BlockMaxima(), waiting=None, day_location=0.0, day_hours=0)
