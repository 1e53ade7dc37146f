"""Alerts as scores tell them: a shadow's, which nobody was told, as well as a champion's."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.score import Score


def opened(scores: Iterable[Score]) -> list[Score]:
    """First scores of the episodes that raised an alert, or would have for a shadow.

    Args:
        scores: of one device, detector and stage, in order. What the budget kept back does not count.
    """
    found, last = [], ("", 0)
    for score in scores:
        why = score.explanation
        episode = 0 if why is None or why.suppressed else why.episode
        if episode and (score.model.sha256, episode) != last:
            found.append(score)
            last = (score.model.sha256, episode)
    return found
