"""Model quality: metrics, score direction, comparison, plots."""
