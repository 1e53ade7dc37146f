"""Alert openings found in scores: a shadow's, which raised no alert, as well as a champion's."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.score import Score


def opening_scores(scores: Iterable[Score]) -> list[Score]:
    """First scores of the episodes that raised an alert, or would have raised one for a shadow.

    Args:
        scores: of one device, detector and stage, in order. Suppressed episodes do not count.
    """
    found, last = [], ("", 0)
    for score in scores:
        explanation = score.explanation
        episode = 0 if explanation is None or explanation.suppressed else explanation.episode
        if episode and (score.model.sha256, episode) != last:
            found.append(score)
            last = (score.model.sha256, episode)
    return found
