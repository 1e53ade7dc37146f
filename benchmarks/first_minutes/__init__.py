"""Thresholds in the first minutes of synthetic machines and of the demo's factory."""
