"""Adaptive thresholds: the false-alarm budget, block maxima, warm-up, episodes and operator feedback."""
