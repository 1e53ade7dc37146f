"""Scores to alerts: detectors, the decision on one score, and the lifecycle of an alert."""
