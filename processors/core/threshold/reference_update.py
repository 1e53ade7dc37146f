"""What an episode changes in the reference: short episodes enter clipped, faults do not; feedback overrides both."""

from __future__ import annotations

from processors.core.threshold.budget import BudgetPlan
from processors.core.threshold.episode import ClosedEpisode, EpisodeLog
from processors.core.threshold.limits import LEVEL_INDEX_PRIOR, PEAK_INDEX_PRIOR, chance_ceiling
from processors.core.threshold.reference import (
    MAX_RANKED,
    BlockMaxima,
    Reference,
    insert_maximum,
    remove_maximum,
    round_significant,
)


def enter_episode(
    reference: Reference, plan: BudgetPlan, peak: float | None, level: float | None, *, clipped: bool
) -> tuple[Reference, float | None, float | None]:
    """The reference with an episode's values, and the values as they entered.

    Leaving out what chance causes would cut the reference off at its own maximum again and again, until the budget is
    exceeded; one outlier entered as it is would make the device insensitive until its day is dropped.

    Args:
        reference: before.
        plan: the budget's.
        peak, level: relative to the location; None where that did not exceed.
        clipped: whether they are clipped at :func:`processors.core.threshold.limits.chance_ceiling`, and while
            calibrating enter with the current hour, so that a fault that begins in it discards them too. Values that
            an operator calls a false alarm enter as they are.
    """
    ranked = reference.ranked_maxima()
    if peak is not None:
        ceiling = chance_ceiling(ranked.peaks, ranked.blocks, PEAK_INDEX_PRIOR) if clipped else peak
        peak = round_significant(min(peak, ceiling))
    if level is not None:
        ceiling = chance_ceiling(ranked.levels, ranked.blocks, LEVEL_INDEX_PRIOR) if clipped else level
        level = round_significant(min(level, ceiling))
    if clipped and not reference.ready:
        return reference._replace(hour=_insert(reference.hour, peak, MAX_RANKED, level, MAX_RANKED)), peak, level
    if not reference.days:
        return reference._replace(today=_insert(reference.today, peak, MAX_RANKED, level, MAX_RANKED)), peak, level
    per_day = plan.maxima_per_day
    peaks, levels = (per_day, per_day // 2) if reference.ready else (MAX_RANKED, MAX_RANKED)
    newest = _insert(reference.days[-1], peak, peaks, level, levels)
    return reference._replace(days=(*reference.days[:-1], newest)), peak, level


def _insert(day: BlockMaxima, peak: float | None, peaks: int, level: float | None, levels: int) -> BlockMaxima:
    """A day's maxima with a peak and a level inserted, at most ``peaks`` and ``levels`` of them."""
    return day._replace(
        peaks=day.peaks if peak is None else insert_maximum(day.peaks, peak, peaks),
        levels=day.levels if level is None else insert_maximum(day.levels, level, levels),
    )


def withdraw_episode(reference: Reference, episode: ClosedEpisode) -> Reference:
    """The reference without the values that an episode entered."""

    def without(day: BlockMaxima) -> BlockMaxima:
        peak, level = episode.entered_peak, episode.entered_level
        return day._replace(
            peaks=day.peaks if peak is None else remove_maximum(day.peaks, peak),
            levels=day.levels if level is None else remove_maximum(day.levels, level),
        )

    return reference._replace(
        days=tuple(without(day) for day in reference.days),
        quarantine=None if reference.quarantine is None else without(reference.quarantine),
        today=without(reference.today),
        hour=without(reference.hour),
    )


def drop_discarded_entries(reference: Reference, episodes: EpisodeLog) -> EpisodeLog:
    """The log without entered values that are no longer in the reference.

    Values discarded with their hour must not be withdrawn by later feedback: an equal value of another episode would
    be removed instead.
    """
    parts = (*reference.days, *filter(None, (reference.quarantine,)), reference.today, reference.hour)

    def checked(episode: ClosedEpisode) -> ClosedEpisode:
        peak = episode.entered_peak if any(episode.entered_peak in part.peaks for part in parts) else None
        level = episode.entered_level if any(episode.entered_level in part.levels for part in parts) else None
        return episode._replace(entered_peak=peak, entered_level=level)

    return episodes._replace(closed=tuple(map(checked, episodes.closed)))


def discard_recent(reference: Reference) -> Reference:
    """The reference as a fault begins, without the current hour, and once ready without the blocks in quarantine."""
    if not reference.ready:
        return reference._replace(hour=BlockMaxima())
    return reference._replace(
        hour=BlockMaxima(), today=BlockMaxima(), quarantine=None, location_sum=0.0, location_hours=0
    )
