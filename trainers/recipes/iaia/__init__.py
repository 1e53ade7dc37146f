"""Clip statistics with one-class detectors of scikit-learn."""
