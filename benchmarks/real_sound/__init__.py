"""Thresholds and models on days of real recordings."""
