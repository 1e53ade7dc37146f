"""A score as people read it."""

from __future__ import annotations


def score_text(value: float) -> str:
    """Two decimals, or three significant digits where two decimals would hide a model whose scores are small.

    Args:
        value: a score, a threshold or the like; any float.
    """
    return f"{value:.2f}" if abs(value) >= 1.0 or value == 0.0 else f"{value:.3g}"
