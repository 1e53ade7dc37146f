"""Samples to feature frames: resampling, framing, log-mel spectra, and the buffer windows are cut from."""
