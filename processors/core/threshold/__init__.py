"""Adaptive thresholds: the false-alarm budget, warm-up, block maxima, episodes and operator feedback."""
