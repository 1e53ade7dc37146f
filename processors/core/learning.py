"""What an episode leaves in the reference: chance enters, clipped; faults never; an operator's verdict counts more."""

from __future__ import annotations

from processors.core.episode import Past
from processors.core.limits import LEVEL_INDEX, PEAK_INDEX, clip
from processors.core.reference import MERGED, Reference, Tops, insert, remove, rounded
from processors.core.sensitivity import Plan

_LEARNING = 1.02
"""As ``limits.clip`` while learning: the threshold stands far off then, and few values would carry it further."""


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
        clipped: whether they enter at most where :func:`processors.core.limits.clip` says; an operator's
            "false alarm" enters as it is.
    """
    heard = reference.promoted()
    if clipped and peak is not None:
        peak = min(peak, clip(heard.peaks, heard.n, PEAK_INDEX) if reference.ready else _LEARNING * heard.peaks[0])
    if clipped and level is not None:
        level = min(level, clip(heard.levels, heard.n, LEVEL_INDEX) if reference.ready else _LEARNING * heard.levels[0])
    peak = None if peak is None else rounded(peak)
    level = None if level is None else rounded(level)
    newest = reference.days[-1] if reference.days else reference.today
    peaks_kept, levels_kept = (plan.tops, plan.tops // 2) if reference.days else (MERGED, MERGED)
    peaks = newest.peaks if peak is None else insert(newest.peaks, peak, peaks_kept)
    levels = newest.levels if level is None else insert(newest.levels, level, levels_kept)
    newest = newest._replace(n=newest.n + 1, peaks=peaks, levels=levels)
    if reference.days:
        return reference._replace(days=(*reference.days[:-1], newest)), peak, level
    return reference._replace(today=newest), peak, level


def withdraw(reference: Reference, past: Past) -> Reference:
    """The reference without what an episode entered."""

    def without(day: Tops) -> Tops:
        peaks = day.peaks if past.entered_peak is None else remove(day.peaks, past.entered_peak)
        levels = day.levels if past.entered_level is None else remove(day.levels, past.entered_level)
        held = peaks is day.peaks and levels is day.levels
        return day if held else day._replace(n=day.n - 1, peaks=peaks, levels=levels)

    return reference._replace(
        days=tuple(without(day) for day in reference.days),
        waiting=None if reference.waiting is None else without(reference.waiting),
        today=without(reference.today),
    )


def forget_recent(reference: Reference) -> Reference:
    """The reference as a fault begins: the hour under way is dropped, and once ready whatever is in quarantine."""
    if not reference.ready:
        return reference._replace(hour=Tops())
    return reference._replace(hour=Tops(), today=Tops(), waiting=None, day_location=0.0, day_hours=0)
