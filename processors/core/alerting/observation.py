"""A scored observation: a window's score and position, without the window."""

from __future__ import annotations

from typing import NamedTuple

from schemas.score import Score, Stage


class ScoredObservation(NamedTuple):
    """A window's score and position; the fields are those of :class:`schemas.score.Score`."""

    device_id: str
    detector: str
    stage: Stage
    session_id: str
    first_sample: int
    n_samples: int
    sample_rate: int
    captured_ns: int
    level_dbfs: float
    score: float
    reported_regime: str = ""
    sent_session_id: str | None = None


def observation_of(score: Score) -> ScoredObservation:
    """The observation that a stored score was decided from."""
    return ScoredObservation(
        device_id=score.device_id,
        detector=score.detector,
        stage=score.stage,
        session_id=score.session_id,
        first_sample=score.first_sample,
        n_samples=score.n_samples,
        sample_rate=score.sample_rate,
        captured_ns=score.captured_ns,
        level_dbfs=score.level_dbfs,
        score=score.score,
        reported_regime=score.reported_regime,
        sent_session_id=score.sent_session_id,
    )
