"""Recordings: loading, labels, augmentation, synthetic sets."""
